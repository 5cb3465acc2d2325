"""One look for every figure, and alternative text for readers who can't see it."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's palette, safe for colour-blind readers (https://jfly.uni-koeln.de/color/), black last.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))


def use_style() -> None:
    """Set the course's matplotlib style: white ground, readable text, a colour *and* a dash for every line."""
    cycle = mpl.cycler(color=COLORS) + mpl.cycler(linestyle=DASHES)
    mpl.rcParams.update({
        "figure.figsize": (7.0, 3.6), "figure.dpi": 110, "figure.facecolor": "white",
        "figure.constrained_layout.use": True,
        "savefig.facecolor": "white", "axes.prop_cycle": cycle, "axes.grid": True, "grid.alpha": 0.3,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 12, "axes.titleweight": "bold",
        "axes.labelsize": 11, "font.size": 11, "legend.frameon": False, "lines.linewidth": 2, "image.cmap": "gray",
    })  # fmt: skip


def show(fig: Figure, alt: str) -> None:
    """Display a figure with alternative text, close it, and keep it small enough for a notebook.

    The alternative text is stored with the image (``metadata["image/png"]["alt"]``, read by nbconvert and book
    builders) and as its plain-text form, which a terminal or a screen reader shows in place of the picture.

    Args:
        fig: the figure.
        alt: one or two sentences that say what a reader should see, not "a plot of x".

    Raises:
        ValueError: `alt` is shorter than 20 characters.
    """
    if len(alt.strip()) < 20:
        raise ValueError(f"alt={alt!r} is too short: say in a sentence what the figure shows")
    drawn, buffer = io.BytesIO(), io.BytesIO()
    fig.savefig(drawn, format="png", bbox_inches="tight")
    plt.close(fig)
    Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    data = {"image/png": buffer.getvalue(), "text/plain": f"[Figure: {alt}]"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})


def image_grid(
    images: torch.Tensor | np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    title: str = "",
    size: float = 1.0,
) -> Figure:
    """Draw images side by side.

    Args:
        images: (N, H, W), (N, 1, H, W) or (N, 3, H, W); uint8 from 0 to 255, or floats, which are scaled so that the
            smallest and the largest value of all images together become black and white.
        titles: N short captions.
        columns: images a row.
        title: the title of the whole figure.
        size: width and height of one image in inches.

    Raises:
        ValueError: the shape is none of those, there is no image, or the number of titles is not N.
    """
    if isinstance(images, torch.Tensor):
        images = images.detach().cpu()
        images = images.float() if images.is_floating_point() else images  # NumPy has no bfloat16
    array = np.asarray(images)
    array = array[:, None] if array.ndim == 3 else array
    if array.ndim != 4 or array.shape[1] not in (1, 3) or len(array) == 0:
        raise ValueError(f"images must have shape (N, H, W), (N, 1, H, W) or (N, 3, H, W), not {array.shape}")
    if titles is not None and len(titles) != len(array):
        raise ValueError(f"{len(titles)} titles for {len(array)} images")
    low, high = (0, 255) if array.dtype == np.uint8 else (float(array.min()), float(array.max()))
    array = np.clip((array.astype(float) - low) / max(high - low, 1e-12), 0, 1).transpose(0, 2, 3, 1)
    rows = -(-len(array) // columns)
    shape = (size * min(columns, len(array)), size * rows * (1.0 if titles is None else 1.25) + (0.4 if title else 0))
    fig, axes = plt.subplots(rows, min(columns, len(array)), figsize=shape, squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(array):
            ax.imshow(array[index], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            if titles is not None:
                ax.set_title(titles[index], fontsize=9, fontweight="normal")
    fig.suptitle(title, fontsize=12, fontweight="bold")
    return fig


def learning_curve(
    curves: Mapping[str, Sequence[float]],
    title: str,
    xlabel: str = "epoch",
    ylabel: str = "loss",
    x: Sequence[float] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw one line for each named sequence, told apart by colour, dash and marker.

    Args:
        curves: for each label, the values, one an epoch (or one for each entry of `x`).
        title: the title; let it say the answer.
        xlabel: name (and unit) of the horizontal axis.
        ylabel: name (and unit) of the vertical axis.
        x: positions of the values; 1, 2, 3, … when left out.
        ax: axes to draw on; a new figure when left out.

    Raises:
        ValueError: there is no curve, or a curve is not as long as `x`.
    """
    if not curves:
        raise ValueError("there is no curve to draw")
    ax = ax or plt.subplots()[1]
    for index, (label, values) in enumerate(curves.items()):
        positions = range(1, len(values) + 1) if x is None else x
        if len(positions) != len(values):
            raise ValueError(f"curve {label!r} has {len(values)} values for {len(positions)} positions")
        marker = MARKERS[index % len(MARKERS)]
        ax.plot(positions, values, label=label, marker=marker, markersize=5, markevery=max(1, len(values) // 12))
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    ax.legend()
    return ax.figure
