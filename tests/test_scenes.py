"""The scenes of digits: the same from the same seed, boxes that end where the ink does, clear errors."""

import pytest
import torch

from dlutils import digit_scenes


def _stamps() -> tuple[torch.Tensor, torch.Tensor]:
    """Return two 'digits' told apart by their ink: a filled block of 100 and one of 200, with paper around them."""
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    images[0, 0, 4:24, 8:20], images[1, 0, 6:22, 6:22] = 100, 200
    return images, torch.tensor([3, 7])


def test_the_same_seed_draws_the_same_scenes() -> None:
    one, again, other = (digit_scenes(*_stamps(), 8, seed) for seed in (5, 5, 6))
    assert torch.equal(one[0], again[0]) and not torch.equal(one[0], other[0])
    assert all(torch.equal(a, b) for part in (1, 2) for a, b in zip(one[part], again[part]))


@pytest.mark.parametrize(("n", "size", "digits", "height"), [(1, 64, (1, 1), (10, 10)), (20, 96, (2, 5), (14, 32))])
def test_shapes_types_and_ranges(n: int, size: int, digits: tuple[int, int], height: tuple[int, int]) -> None:
    scenes, boxes, labels = digit_scenes(*_stamps(), n, 0, size=size, digits=digits, height=height)
    assert scenes.shape == (n, 1, size, size) and scenes.dtype == torch.uint8
    assert len(boxes) == len(labels) == n
    for b, k in zip(boxes, labels):
        assert b.dtype == torch.float32 and b.shape == (len(k), 4) and k.dtype == torch.int64
        assert 1 <= len(k) <= digits[1]
        assert (b[:, :2] >= 0).all() and (b[:, 2:] <= size).all()
        assert (height[0] <= b[:, 3] - b[:, 1]).all() and (b[:, 3] - b[:, 1] <= height[1]).all()


def test_the_ink_fills_the_boxes_and_nothing_else() -> None:
    for scene, boxes, labels in zip(*digit_scenes(*_stamps(), 10, 1, overlap=0.0)):
        rest = scene[0].clone()
        for (x1, y1, x2, y2), label in zip(boxes.int().tolist(), labels.tolist()):
            assert (scene[0, y1:y2, x1:x2] == {3: 100, 7: 200}[label]).all()
            rest[y1:y2, x1:x2] = 0
        assert not rest.any()


def test_overlap_is_kept_and_more_of_it_makes_room() -> None:
    crowds = [digit_scenes(*_stamps(), 10, 2, size=64, digits=(15, 15), overlap=overlap) for overlap in (0.0, 0.2, 0.6)]
    counts = [sum(map(len, crowd[1])) for crowd in crowds]
    assert counts[0] < counts[1] < counts[2] <= 150
    for overlap, (_, boxes, _) in zip((0.0, 0.2, 0.6), crowds):
        for b in boxes:
            sides = torch.minimum(b[:, None, 2:], b[:, 2:]) - torch.maximum(b[:, None, :2], b[:, :2])
            both, area = sides.clamp(min=0).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
            iou = (both / (area[:, None] + area - both)).fill_diagonal_(0)
            assert iou.max() <= overlap + 1e-6


def test_an_empty_image_does_not_stop_it() -> None:
    scenes, boxes, _ = digit_scenes(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), torch.tensor([0]), 2, 0)
    assert not scenes.any() and all(len(b) for b in boxes)


@pytest.mark.parametrize(
    "wrong", [{"digits": (0, 3)}, {"digits": (4, 3)}, {"height": (20, 10)}, {"height": (1, 10)}, {"height": (20, 90)}]
)
def test_what_does_not_fit_is_a_clear_error(wrong: dict) -> None:
    with pytest.raises(ValueError, match="do not make a scene"):
        digit_scenes(*_stamps(), 1, 0, **wrong)
