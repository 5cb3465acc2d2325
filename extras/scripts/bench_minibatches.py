"""Time one epoch of MNIST minibatches: from memory with `dlutils.minibatches`, and through torch's DataLoader.

Every way hands out shuffled batches of float32 images from 0 to 1 (N×1×28×28) and int64 labels. "tensors"
is a map-style data set that indexes two tensors, one example at a time; "ToTensor" makes a PIL image of every example
and converts it back, as torchvision's own MNIST does. Worker processes are started anew each epoch, as in a plain loop.

    python extras/scripts/bench_minibatches.py --epochs 3
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from dlutils import import_torchvision, load_dataset, minibatches

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class PerExample(Dataset):
    """Hand out one (image, label) at a time, after an optional transform."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, transform: Callable | None = None) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.images[index]
        if self.transform is None:
            return image.float() / 255, self.labels[index]
        return self.transform(Image.fromarray(image[0].numpy())), self.labels[index]


def ways(images: torch.Tensor, labels: torch.Tensor, size: int, workers: list[int]) -> dict[str, Callable[[], Batches]]:
    """Return, for each way to get minibatches, a function that starts one epoch."""
    to_tensor = import_torchvision().transforms.ToTensor()

    def from_memory() -> Batches:
        return ((x.float() / 255, y) for x, y in minibatches(images, labels, batch_size=size))

    def loader(transform: Callable | None, n: int) -> Callable[[], Batches]:
        return lambda: DataLoader(PerExample(images, labels, transform), size, shuffle=True, num_workers=n)

    found = {"dlutils.minibatches": from_memory}
    for name, transform in (("tensors", None), ("ToTensor", to_tensor)):
        found |= {f"DataLoader, {name}, {n} workers": loader(transform, n) for n in workers}
    return found


def milliseconds(start: Callable[[], Batches], n: int, epochs: int) -> float:
    """Return the median time of an epoch, after checking that it covers n examples of the right type."""
    taken = []
    for _ in range(epochs):
        began, seen = time.perf_counter(), 0
        for x, y in start():  # noqa: B007 - the last x is looked at below
            seen += len(y)
        taken.append(1000 * (time.perf_counter() - began))
        assert seen == n and x.dtype == torch.float32 and 0 <= x.min() < x.max() <= 1 and x.shape[1:] == (1, 28, 28)
    return statistics.median(taken)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=512, help="examples a batch (default: 512)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs to take the median of (default: 3)")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2], help="worker processes (default: 0 2)")
    options = parser.parse_args()
    data = load_dataset("mnist")
    n = len(data.train_images)
    print(f"{n:,} images, batches of {options.batch_size}, median of {options.epochs} epochs,", end=" ")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)\n")
    print("| minibatches | ms an epoch | slower by |\n|---|--:|--:|")
    fastest = None
    for name, start in ways(data.train_images, data.train_labels, options.batch_size, options.workers).items():
        taken = milliseconds(start, n, options.epochs)
        fastest = fastest or taken
        print(f"| {name} | {taken:,.0f} | {taken / fastest:,.1f} × |", flush=True)


if __name__ == "__main__":
    main()
