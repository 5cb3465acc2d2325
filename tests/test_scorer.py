"""The ruler of the generative lessons: the shipped network reads digits, and the distance is the one in the formula."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import linalg

from dlutils import augmentation_gain, digit_distance, digit_features, digit_probabilities, interval, load_dataset
from dlutils.scorer import WEIGHTS, digit_scorer, feature_moments, frechet_distance

DIGEST = "729fa54fb5a014481e9f4fda4a687f535526cb76b48798248b9f8d97caffd56a"
MIRROR = os.environ.get("DLUTILS_MIRROR", "")


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    """5,000 real digits, in random order."""
    data = load_dataset("mnist", sample=True)
    images = torch.cat([data.train_images, data.test_images])
    return images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]


def test_the_weights_are_those_that_were_measured() -> None:
    data = WEIGHTS.read_bytes()
    assert len(data) < 300_000
    assert hashlib.sha256(data).hexdigest() == DIGEST


def test_it_reads_digits() -> None:
    data = load_dataset("mnist", sample=True)
    probabilities = digit_probabilities(data.test_images)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(1000))
    assert (probabilities.argmax(1) == data.test_labels).float().mean() > 0.99


@pytest.mark.skipif(not (Path(MIRROR) / "mnist").is_dir() or not MIRROR, reason="needs a mirror with the full MNIST")
def test_accuracy_and_moments_on_all_test_digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLUTILS_DATA", str(tmp_path))
    data, net = load_dataset("mnist"), digit_scorer()
    assert (digit_probabilities(data.test_images).argmax(1) == data.test_labels).float().mean() > 0.994
    mean, covariance = feature_moments(digit_features(data.test_images))
    torch.testing.assert_close(net.mean, mean.float(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(net.covariance, covariance.float(), atol=1e-3, rtol=1e-3)


def test_bytes_and_floats_give_the_same_features(digits: torch.Tensor) -> None:
    features = digit_features(digits[:20])
    assert features.shape == (20, 64) and features.dtype == torch.float32 and not features.requires_grad
    torch.testing.assert_close(digit_features(digits[:20].double().requires_grad_() / 255), features)
    torch.testing.assert_close(digit_features(digits[:1]), features[:1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(4, 28, 28), r"\(4, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28), r"\(0, 1, 28, 28\)"),
        (torch.zeros(4, 1, 32, 32), r"\(4, 1, 32, 32\)"),
        (torch.full((4, 1, 28, 28), 255.0), "not from 255 to 255"),
        (torch.full((4, 1, 28, 28), -1.0), "not from -1 to -1"),
        (torch.full((4, 1, 28, 28), float("nan")), "nan"),
    ],
)
def test_other_images_are_refused(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digit_features(images)


def test_the_distance_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.normal(shift, 1, (200, 6)) @ rng.normal(size=(6, 6))) for shift in (0, 0.5))
    (m, c), (n, d) = feature_moments(a), feature_moments(b)
    torch.testing.assert_close(c, torch.from_numpy(np.cov(a.numpy(), rowvar=False)))
    expected = ((m - n) ** 2).sum().item() + np.trace((c + d).numpy() - 2 * linalg.sqrtm((c @ d).numpy()).real)
    assert frechet_distance(m, c, n, d) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(m, c, n, d) == pytest.approx(frechet_distance(n, d, m, c), rel=1e-9)
    assert frechet_distance(m, c, m, c) == pytest.approx(0, abs=1e-9)


def test_the_distance_of_two_lines_is_known() -> None:
    one = lambda x: torch.tensor(x, dtype=torch.float64)  # noqa: E731
    assert frechet_distance(one([1.0]), one([[4.0]]), one([3.0]), one([[9.0]])) == pytest.approx(2**2 + (2 - 3) ** 2)
    flat = frechet_distance(one([0.0, 0.0]), torch.diag(one([1.0, 0.0])), one([0.0, 0.0]), torch.diag(one([0.0, 4.0])))
    assert flat == pytest.approx(1 + 4), "covariances without full rank do no harm"


def test_real_digits_are_close_and_spoilt_ones_are_not(digits: torch.Tensor) -> None:
    real = digit_distance(digits, groups=5)
    assert real.shape == (5,) and real.dtype == np.float64
    noise = torch.randint(0, 60, digits.shape, generator=torch.Generator().manual_seed(0))
    spoilt = {
        "some noise": (digits + noise).clamp(max=255).to(torch.uint8),
        "half of the classes": digits[digit_probabilities(digits).argmax(1) < 5][:2000],
        "upside down": digits.flip(2),
        "nothing but noise": torch.rand(digits.shape, generator=torch.Generator().manual_seed(0)),
    }
    mean, half = interval(real)
    for name, images in spoilt.items():
        assert digit_distance(images, groups=2).min() > mean + 10 * half, name


def test_groups_must_be_equal_and_large(digits: torch.Tensor) -> None:
    for images, groups in ((digits[:999], 5), (digits[:320], 5), (digits[:1000], 0)):
        with pytest.raises(ValueError, match="equal groups of more than 64"):
            digit_distance(images, groups=groups)


def test_more_real_digits_help_and_mislabelled_ones_harm() -> None:
    data = load_dataset("mnist", sample=True)
    more = augmentation_gain(data.train_images[:500], data.train_labels[:500], draws=2)
    assert more.shape == (2,) and more.dtype == np.float64 and more.min() > 5, "points of accuracy"
    wrong = augmentation_gain(data.train_images[:500] / 255, (data.train_labels[:500] + 1) % 10, draws=2)
    assert wrong.max() < -20
    np.testing.assert_array_equal(more, augmentation_gain(data.train_images[:500], data.train_labels[:500], draws=2))


def test_labels_must_fit_the_images(digits: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="20 labels from 0 to 9"):
        augmentation_gain(digits[:20], torch.full((20,), 10))
    with pytest.raises(ValueError, match="20 labels from 0 to 9"):
        augmentation_gain(digits[:20], torch.zeros(19, dtype=torch.int64))
