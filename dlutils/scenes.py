"""Scenes to detect things in: several digits on one picture, each with its box, drawn as often as you like."""

import numpy as np
import torch
from PIL import Image


def _cut(digit: np.ndarray, height: float, stretch: float) -> np.ndarray:
    """Return a digit (H, W) cut to its ink and resized to `height` rows, its width multiplied by `stretch` besides."""
    ys, xs = np.nonzero(digit > 40)
    ink = digit[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] if len(ys) else digit
    width = max(3, round(ink.shape[1] * height / ink.shape[0] * stretch))
    return np.asarray(Image.fromarray(ink).resize((width, round(height)), Image.Resampling.BILINEAR))


def digit_scenes(
    images: torch.Tensor,
    labels: torch.Tensor,
    n: int,
    seed: int,
    size: int = 96,
    digits: tuple[int, int] = (1, 6),
    height: tuple[float, float] = (14, 32),
    overlap: float = 0.1,
) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    """Scatter digits over `n` dark pictures and say where each of them lies.

    Each digit is drawn at random from `images`, cut to its ink, resized, and laid where the IoU of its box with those
    that lie there already is at most `overlap`; where 50 tries find no such place, it is left out. Where digits meet,
    the brighter pixel stays; a digit wider than the scene is cut off.

    Args:
        images: (N, 1, H, W), uint8, one digit each; training digits for training scenes, please.
        labels: (N,), int64.
        n: how many scenes.
        seed: the same seed gives the same scenes.
        size: width and height of a scene in pixels.
        digits: the smallest and the largest number of digits that are tried on a scene.
        height: the smallest and the largest height of a digit in pixels; its width is stretched by 0.8 to 1.25 besides.
        overlap: the largest IoU between two boxes of a scene.

    Returns:
        scenes, uint8 (n, 1, size, size); for each scene its boxes, float32 (M, 4), as x1, y1, x2, y2 in pixels from the
        upper left corner (the box ends where the ink does), and its labels, int64 (M,). M is at least 1.

    Raises:
        ValueError: the digits do not fit the scene, or a range is empty.
    """
    if not (1 <= digits[0] <= digits[1] and 3 <= height[0] <= height[1] and 1.25 * height[1] * 1.2 <= size):
        raise ValueError(f"digits={digits} of height={height} pixels do not make a scene of {size} pixels")
    rng = np.random.default_rng(seed)
    scenes, all_boxes, all_labels = np.zeros((n, 1, size, size), np.uint8), [], []
    for scene in scenes[:, 0]:
        boxes, chosen = np.zeros((0, 4)), []
        for _ in range(rng.integers(digits[0], digits[1] + 1)):
            index = int(rng.integers(len(images)))
            ink = _cut(images[index, 0].numpy(), rng.uniform(*height), rng.uniform(0.8, 1.25))[:size, :size]
            h, w = ink.shape
            for x, y in rng.integers(0, (size - w + 1, size - h + 1), (50, 2)):
                box = np.array([x, y, x + w, y + h])
                sides = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
                both = sides.prod(1)
                if (both <= overlap * (w * h + (boxes[:, 2:] - boxes[:, :2]).prod(1) - both)).all():
                    scene[y : y + h, x : x + w] = np.maximum(scene[y : y + h, x : x + w], ink)
                    boxes, chosen = np.vstack([boxes, box]), [*chosen, int(labels[index])]
                    break
        all_boxes.append(torch.tensor(boxes, dtype=torch.float32))
        all_labels.append(torch.tensor(chosen))
    return torch.from_numpy(scenes), all_boxes, all_labels
