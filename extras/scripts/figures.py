"""Write the figures stored in a notebook to build/figures/ as PNG files, to be looked at.

python extras/scripts/figures.py foundations/02_perceptron.ipynb
"""

import argparse
import base64
from pathlib import Path

import nbformat

FOLDER = Path("build/figures")


def extract(path: Path, folder: Path = FOLDER) -> list[Path]:
    """Write each PNG output of the notebook at `path` to `folder` and return the files, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                target = folder / f"{path.stem}_{len(written) + 1:02d}_{cell.id}.png"
                target.write_bytes(base64.b64decode(output.data["image/png"]))
                written.append(target)
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path)
    for notebook in parser.parse_args().notebooks:
        print(*extract(notebook), sep="\n")
