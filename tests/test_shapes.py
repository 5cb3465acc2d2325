"""The generated pictures: the same from the same seed, balanced, and a task that can be learned but is not trivial."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from dlutils.shapes import SHAPES, _inside, draw_shapes


def test_the_same_seed_draws_the_same_pictures() -> None:
    images, labels = draw_shapes(60, seed=3)
    again, labels_again = draw_shapes(60, seed=3)
    other, _ = draw_shapes(60, seed=4)
    assert np.array_equal(images, again) and np.array_equal(labels, labels_again)
    assert not np.array_equal(images, other)


@pytest.mark.parametrize(("n", "size"), [(1, 32), (25, 32), (1003, 8), (30, 64)])
def test_shape_type_and_balance(n: int, size: int) -> None:
    images, labels = draw_shapes(n, seed=0, size=size)
    assert images.shape == (n, 3, size, size) and images.dtype == np.uint8
    assert labels.shape == (n,) and labels.dtype == np.int64
    counts = np.bincount(labels, minlength=len(SHAPES))
    assert len(counts) == 10 and np.ptp(counts) <= 1
    assert (images.reshape(n, -1).std(1) > 5).all(), "no picture is empty"


def test_the_outlines_differ() -> None:
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, 64)], indexing="ij")
    outlines = [_inside(kind, x, y) for kind in range(len(SHAPES))]
    for i, one in enumerate(outlines):
        assert 0.2 < one.mean() < 0.6, f"{SHAPES[i]} covers too little or too much"
        for j, other in enumerate(outlines[:i]):
            assert (one & other).sum() / (one | other).sum() < 0.9, f"{SHAPES[i]} looks like {SHAPES[j]}"


def test_colours_tell_nothing_and_outlines_tell_much() -> None:
    def outlines(images: np.ndarray) -> np.ndarray:  # how far each pixel is from the picture's middle grey, 16 × 16
        grey = images.mean(1)
        far = abs(grey - np.median(grey, (1, 2), keepdims=True))
        return far.reshape(len(far), 16, 2, 16, 2).mean((2, 4)).reshape(len(far), -1)

    def colours(images: np.ndarray) -> np.ndarray:
        return images.mean((2, 3))

    (train, labels), (test, right) = draw_shapes(1500, seed=0), draw_shapes(500, seed=1)
    accuracy = {
        features: ExtraTreesClassifier(100, random_state=0).fit(features(train), labels).score(features(test), right)
        for features in (outlines, colours)
    }
    assert accuracy[outlines] > 0.3, "chance is 0.1"
    assert accuracy[outlines] < 0.9, "too easy to be a lesson"
    assert accuracy[colours] < 0.2
