"""Train the small network in whose features generated digits are compared with real ones, and write its weights.

    python extras/scripts/train_scorer.py            # about five minutes on one core; needs the full MNIST

It learns from all 60,000 training digits, slightly moved, turned, scaled and blotted, so that its features are the same
for digits it has seen and digits it has not. Then it notes the mean and the covariance of the features of the 10,000
test digits, from which `dlutils.digit_distance` measures, and writes everything to dlutils/digit_scorer.safetensors.
"""

import argparse
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tqdm import tqdm

from dlutils import autocast, get_device, load_dataset, minibatches, seed_everything
from dlutils.scorer import WEIGHTS, DigitScorer, feature_moments, scaled


def jitter(x: torch.Tensor) -> torch.Tensor:
    """Turn, scale, shear and move each picture (N, 1, 28, 28) a little, by its own random amounts."""
    n = len(x)
    angle, size = 0.2 * torch.randn(n), torch.exp(0.08 * torch.randn(n))
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2) * size[:, None, None]
    turn[:, 0, 1] += 0.1 * torch.randn(n)
    move = 0.09 * torch.randn(n, 2, 1)
    grid = F.affine_grid(torch.cat([turn, move], 2).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def train(epochs: int, batch_size: int = 256) -> DigitScorer:
    """Return a network trained on MNIST's training digits with a one-cycle schedule."""
    device, data = get_device(), load_dataset("mnist")
    if data.is_sample:
        raise SystemExit("The full MNIST is needed. Put its files where README, Troubleshooting, says.")
    x, y = scaled(data.train_images).to(device), data.train_labels.to(device)
    net = DigitScorer().to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    steps = epochs * math.ceil(len(x) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps, pct_start=0.2)
    for _ in tqdm(range(epochs), mininterval=10):
        for images, labels in minibatches(x, y, batch_size=batch_size):
            with autocast(device):
                logits = net(jitter(images))
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.cpu().eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    seed_everything(0)
    start = time.perf_counter()
    net, data = train(args.epochs), load_dataset("mnist")
    with torch.no_grad():
        accuracy = (net(scaled(data.test_images)).argmax(1) == data.test_labels).float().mean()
        mean, covariance = feature_moments(net.features(scaled(data.test_images)))
    net.mean.copy_(mean)
    net.covariance.copy_(covariance)
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, args.out)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, {accuracy:.2%} of the test digits right")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
