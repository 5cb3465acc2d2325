"""Make the README's picture, extras/overview.png, from figures stored in the notebooks.

python extras/scripts/overview.py
"""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image, ImageOps
from run import ROOT

# Notebook and the cell that shows the figure: the banner on top, the panel on the left, those stacked on the right.
PANELS = (
    ("foundations/03_multilayer_perceptron", "train-it-3"),
    ("foundations/02_perceptron", "fourteen-of-sixteen-3"),
    ("applications/computer_vision/01_mnist", "against-the-record-3"),
    ("applications/computer_vision/01_mnist", "let-it-read-a-digit-you-drew-6"),
)
TARGET = ROOT / "extras" / "overview.png"


def stored_figure(notebook: str, cell_id: str) -> Image.Image:
    """Return the PNG output of one cell as an RGB image.

    Raises:
        SystemExit: the notebook has no such cell, or that cell shows no figure.
    """
    for cell in nbformat.read(ROOT / f"{notebook}.ipynb", as_version=4).cells:
        for output in cell.get("outputs", []) if cell.id == cell_id else []:
            if "image/png" in output.get("data", {}):
                return Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
    raise SystemExit(f"{notebook}.ipynb has no figure in a cell {cell_id!r}: mend PANELS in {Path(__file__).name}")


def compose(width: int = 1400, gap: int = 30) -> Image.Image:
    """Return the picture: the banner over two columns of equal height."""
    banner, left, *stack = (stored_figure(*panel) for panel in PANELS)
    banner = ImageOps.contain(banner, (width, 10_000))
    column = (width - gap) // 2
    stack = [ImageOps.contain(panel, (column, 10_000)) for panel in stack]
    height = sum(panel.height for panel in stack) + gap * (len(stack) - 1)
    left = ImageOps.pad(left, (column, height), color="white")
    canvas = Image.new("RGB", (width, banner.height + gap + height), "white")
    canvas.paste(banner, (0, 0))
    top = banner.height + gap
    canvas.paste(left, (0, top))
    for panel in stack:
        canvas.paste(panel, (width - column, top))
        top += panel.height + gap
    return canvas.quantize(256, dither=Image.Dither.NONE)


if __name__ == "__main__":
    compose().save(TARGET, optimize=True)
    print(TARGET.relative_to(ROOT))
