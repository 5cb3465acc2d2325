"""How far generated digits are from real ones: a Fréchet distance in the features of a small network for digits."""

import functools
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from scipy import linalg
from sklearn.svm import SVC
from torch import nn

from dlutils.data import load_dataset

WEIGHTS = Path(__file__).with_name("digit_scorer.safetensors")  # written by extras/scripts/train_scorer.py
FEATURES = 64
CHUNK = 1000  # images a pass, so that memory stays small


class DigitScorer(nn.Module):
    """A small convolutional network for digits, the ruler of the generative lessons.

    `features` maps images (N, 1, 28, 28), float32 from 0 (paper) to 1 (ink), to float32 (N, 64); calling it gives
    the logits of the ten digits, (N, 10). Its buffers `mean` (64,) and `covariance` (64, 64) are the moments of the
    features of MNIST's 10,000 test digits.
    """

    mean: torch.Tensor
    covariance: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        block = lambda c, d, size, stride: (  # noqa: E731
            nn.Conv2d(c, d, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(d), nn.ReLU(),
        )  # fmt: skip
        self.features = nn.Sequential(
            *block(1, 16, 5, 2), *block(16, 32, 3, 1), nn.MaxPool2d(2), *block(32, 64, 3, 1), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(576, FEATURES),
        )  # fmt: skip
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, 10))
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("covariance", torch.eye(FEATURES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def scaled(images: torch.Tensor) -> torch.Tensor:
    """Return images as the scorer wants them: float32 (N, 1, 28, 28), 0 is paper and 1 is ink.

    Raises:
        ValueError: another shape, no image, values that are not finite, or floats outside 0 to 1 (by more than 0.01).
    """
    if images.ndim != 4 or images.shape[1:] != (1, 28, 28) or len(images) == 0:
        raise ValueError(f"images must have shape (N, 1, 28, 28), not {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float() / 255
    low, high = images.min().item(), images.max().item()
    if not -0.01 <= low <= high <= 1.01:  # also false where a value is NaN
        raise ValueError(f"images must be uint8, or floats from 0 (paper) to 1 (ink), not from {low:.3g} to {high:.3g}")
    return images.float().clamp(0, 1)


@functools.cache
def digit_scorer() -> DigitScorer:
    """Return the trained scorer, on the CPU and in evaluation mode, its weights frozen."""
    net = DigitScorer()
    net.load_state_dict(load_file(WEIGHTS))
    return net.eval().requires_grad_(False)


def digit_features(images: torch.Tensor) -> torch.Tensor:
    """Return the scorer's features of images.

    Args:
        images: (N, 1, 28, 28), uint8 or floats from 0 (paper) to 1 (ink), on any device.

    Returns:
        float32 (N, 64), on the CPU.

    Raises:
        ValueError: the images are not such.
    """
    with torch.no_grad():
        return torch.cat([digit_scorer().features(part) for part in scaled(images.detach().cpu()).split(CHUNK)])


def digit_probabilities(images: torch.Tensor) -> torch.Tensor:
    """Return how likely the scorer finds each of the ten digits: float32 (N, 10), on the CPU; arguments as above."""
    return digit_scorer().head(digit_features(images)).softmax(1)


def feature_moments(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean, float64 (D,), and covariance, float64 (D, D), with N − 1 in its denominator, of features (N, D)."""
    return features.double().mean(0), features.double().T.cov()


def frechet_distance(
    mean: torch.Tensor, covariance: torch.Tensor, other_mean: torch.Tensor, other_covariance: torch.Tensor
) -> float:
    """Return the squared Fréchet distance between two normal distributions.

    It is ‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁ C₂)^½) (Dowson and Landau 1982), which Heusel and others (arXiv:1706.08500)
    made the customary measure of generated images.

    Args:
        mean, covariance: (D,) and (D, D) of the one, as `feature_moments` gives them.
        other_mean, other_covariance: those of the other.
    """
    first, second = (c.double().numpy() for c in (covariance, other_covariance))
    values, vectors = linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T  # tr (C₁C₂)^½ = tr (C₁^½ C₂ C₁^½)^½, which is symmetric
    cross = np.sqrt(linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    gap = (mean.double() - other_mean.double()).square().sum().item()
    return max(0.0, gap + float(np.trace(first) + np.trace(second) - 2 * cross))


def digit_distance(images: torch.Tensor, groups: int = 5) -> np.ndarray:
    """Return how far images are from MNIST's test digits, once for each of several groups of them.

    The distance is `frechet_distance` between the scorer's features of the group and those of all 10,000 test digits.
    It shrinks with the size of a group, for real digits too: compare groups of one size, and let real digits give the
    floor. `interval` of the groups' distances says how sure their mean is.

    Args:
        images: (N, 1, 28, 28), uint8 or floats from 0 (paper) to 1 (ink), on any device, in random order.
        groups: how many; N must be a multiple of it.

    Returns:
        float64 (groups,).

    Raises:
        ValueError: the images are not such, or do not fall into groups of equal size, larger than the 64 features.
    """
    if groups < 1 or len(images) % groups or len(images) // groups <= FEATURES:
        raise ValueError(f"{len(images)} images do not make {groups} equal groups of more than {FEATURES} images")
    net = digit_scorer()
    moments = [feature_moments(group) for group in digit_features(images).chunk(groups)]
    return np.array([frechet_distance(*own, net.mean, net.covariance) for own in moments])


def augmentation_gain(images: torch.Tensor, labels: torch.Tensor, draws: int = 5) -> np.ndarray:
    """Return what generated digits add to 100 real ones: points of accuracy of a classifier, once for each draw.

    Each draw takes ten real digits of each class from the sample's training part. A support vector machine
    (scikit-learn's, radial kernel) learns from them alone, and from them together with the given images; both are
    tested on the sample's 1,000 test digits. After the classification accuracy score of Ravuri and Vinyals
    (arXiv:1905.10887), for few real examples. A generator that has seen more than the 100 digits brings what it has
    learned from the others: say so beside the number.

    Args:
        images: (N, 1, 28, 28), uint8 or floats from 0 (paper) to 1 (ink), on any device.
        labels: (N,), what they are meant to show, 0 to 9.
        draws: how many times; each is seeded by its number.

    Returns:
        float64 (draws,), in percentage points; positive where the images help.

    Raises:
        ValueError: the images or labels are not such.
    """
    extra, extra_labels = scaled(images.detach().cpu()).flatten(1), labels.detach().cpu().long()
    if extra_labels.shape != (len(extra),) or extra_labels.min() < 0 or extra_labels.max() > 9:
        raise ValueError(f"need {len(extra)} labels from 0 to 9, one for each image")
    data = load_dataset("mnist", sample=True)
    x, test = scaled(data.train_images).flatten(1), scaled(data.test_images).flatten(1)

    def accuracy(rows: torch.Tensor, more: int) -> float:
        machine = SVC(C=10.0).fit(
            torch.cat([x[rows], extra[:more]]), torch.cat([data.train_labels[rows], extra_labels[:more]])
        )
        return machine.score(test, data.test_labels)

    gains = []
    for draw in range(draws):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(draw))
        rows = torch.cat([order[data.train_labels[order] == digit][:10] for digit in range(10)])
        gains.append(100 * (accuracy(rows, len(extra)) - accuracy(rows, 0)))
    return np.array(gains)
