"""Ten classes of coloured, rotated, cluttered shapes: a stand-in for colour photographs where there is no network."""

import numpy as np

SHAPES = ("disc", "ring", "crescent", "square", "triangle", "star", "plus", "bar", "tee", "heart")


def _polygon(x: np.ndarray, y: np.ndarray, sides: int, apothem: float) -> np.ndarray:
    sector = 2 * np.pi / sides
    angle = np.arctan2(x, y) % sector - sector / 2
    return np.hypot(x, y) * np.cos(angle) < apothem


def _inside(kind: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points of the square from -1 to 1 lie in shape number `kind` of SHAPES."""
    r, ax, ay = np.hypot(x, y), abs(x), abs(y)
    match SHAPES[kind]:
        case "disc":
            return r < 0.8
        case "ring":
            return (r < 0.9) & (r > 0.5)
        case "crescent":
            return (r < 0.9) & (np.hypot(x - 0.45, y) > 0.75)
        case "square":
            return np.maximum(ax, ay) < 0.7
        case "triangle":
            return _polygon(x, y, 3, 0.48)
        case "star":
            return r < 0.62 + 0.33 * np.cos(5 * np.arctan2(x, y))
        case "plus":
            return (np.minimum(ax, ay) < 0.24) & (np.maximum(ax, ay) < 0.9)
        case "bar":
            return (ax < 0.95) & (ay < 0.3)
        case "tee":
            return ((ax < 0.85) & (abs(y - 0.6) < 0.25)) | ((ax < 0.25) & (ay < 0.85))
        case "heart":
            return (1.2 * x**2 + (1.25 * y - 0.75 * np.sqrt(ax)) ** 2) < 0.65


def _colours(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw n pairs of colours, shape and ground, each (n, 3, 1, 1), at least 0.3 apart in the mean."""
    ground = rng.uniform(0.1, 0.9, (n, 3))
    step = rng.uniform(0.3, 0.6, (n, 3)) * np.where(ground.mean(1, keepdims=True) < 0.5, 1, -1)
    shape = np.clip(ground + step + rng.normal(0, 0.08, (n, 3)), 0, 1)
    return shape[:, :, None, None], ground[:, :, None, None]


def draw_shapes(n: int, seed: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Draw pictures of the ten SHAPES, at random places, sizes, angles and colours, over clutter and noise.

    Args:
        n: how many.
        seed: the same seed gives the same pictures.
        size: width and height in pixels.

    Returns:
        images, uint8 (n, 3, size, size), and labels, int64 (n,), all classes equally often (up to one).
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % len(SHAPES))
    grid = np.linspace(-1, 1, 2 * size, dtype=np.float32)  # drawn at double size, then averaged: soft edges
    images = np.empty((n, 3, size, size), np.uint8)
    for first in range(0, n, 1000):
        kinds = labels[first : first + 1000]
        images[first : first + 1000] = _draw(rng, kinds, grid)
    return images, labels


def _draw(rng: np.random.Generator, kinds: np.ndarray, grid: np.ndarray) -> np.ndarray:
    n, size = len(kinds), len(grid) // 2
    y, x = (g[None].repeat(n, 0) for g in np.meshgrid(grid, grid, indexing="ij"))
    column = lambda low, high: rng.uniform(low, high, (n, 1, 1)).astype(np.float32)  # noqa: E731
    angle, scale, dx, dy = column(0, 2 * np.pi), column(0.4, 0.75), column(-0.3, 0.3), column(-0.3, 0.3)
    u, v = (x - dx) / scale, (y - dy) / scale
    u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    mask = np.empty(u.shape, bool)
    for kind in range(len(SHAPES)):
        mask[kinds == kind] = _inside(kind, u[kinds == kind], v[kinds == kind])
    soft = mask.reshape(n, size, 2, size, 2).mean((2, 4), dtype=np.float32)[:, None]
    shape, ground = _colours(rng, n)
    gx, gy = x[:, None, ::2, ::2], y[:, None, ::2, ::2]
    ground = ground + 0.15 * (gx * column(-1, 1)[:, None] + gy * column(-1, 1)[:, None])
    for _ in range(3):  # clutter: soft spots of another colour behind the shape
        cx, cy, width = (column(*b)[:, None] for b in ((-1, 1), (-1, 1), (0.1, 0.3)))
        spot = np.exp(-((gx - cx) ** 2 + (gy - cy) ** 2) / width**2)
        ground = ground + spot * rng.uniform(-0.35, 0.35, (n, 3, 1, 1))
    picture = ground * (1 - soft) + shape * soft + rng.normal(0, 0.04, (n, 3, size, size))
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
