"""Run notebooks in place, from a fresh kernel, and stamp them.

    python extras/scripts/run.py foundations/02_perceptron.ipynb   # this one
    python extras/scripts/run.py                                   # every one whose code changed since its last run
    python extras/scripts/run.py --list                            # only print the notebooks there are
    python extras/scripts/run.py --list-data                       # … those that load a data set from the web

The stamp in ``metadata.dlutils`` holds the seconds the run took and a hash of the code cells, so that a test can tell
when outputs no longer belong to the code. A notebook whose run fails is left as it was.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
BRANCHES = ("foundations", "architectures", "generative", "training", "tools", "applications", "extras")
WIDGETS = "application/vnd.jupyter.widget-view+json"
KEPT_CELL_METADATA = ("tags", "jupyter", "cellView")


def find_notebooks(root: Path = ROOT) -> list[Path]:
    """Return the curriculum's notebooks, in reading order."""
    found = [path for branch in BRANCHES for path in sorted((root / branch).rglob("*.ipynb"))]
    return [path for path in found if ".ipynb_checkpoints" not in path.parts]


def loads_from_web(path: Path) -> bool:
    """Whether a notebook's CPU setting asks for a full data set, and so runs differently with and without a network."""
    code = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    calls = re.findall(r"load_(?:dataset|text|photos)\(([^)]*)\)", code)
    same = ("sample=True", "sample=not FULL", "digits", '"python"')  # these come with the installed packages
    return not all(any(word in call for word in same) for call in calls)


def sources_hash(nb: NotebookNode) -> str:
    """Return the SHA-256 of the code cells; prose, and the repository's address, may change without a new run."""
    code = [re.sub(r'git\+https://[^"\s]+', "git+", c.source) for c in nb.cells if c.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def format_seconds(seconds: float) -> str:
    """Say a duration as the title card does: to five seconds, from 90 seconds on to half a minute."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 30) / 2:g} min"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def name_cells(nb: NotebookNode) -> None:
    """Give cells that still have a random id a slug of the heading they stand under; leave all others alone."""
    taken = {cell.get("id") for cell in nb.cells}
    heading = "card"
    for index, cell in enumerate(nb.cells):
        match = re.search(r"^#{1,3} (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else None
        if match and index > 0:
            heading = _slug(match[1].split(":")[0]) or heading
        if cell.get("id") and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", cell.id):
            continue
        names = [heading] + [f"{heading}-{n}" for n in range(2, 200)]
        cell.id = next(name for name in names if name not in taken)
        taken.add(cell.id)


def tidy(nb: NotebookNode) -> None:
    """Remove what does not belong in a committed notebook: widget state, timings, overwritten progress bars."""
    nb.metadata.pop("widgets", None)
    nb.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.metadata.language_info = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    for key in set(nb.metadata) - {"kernelspec", "language_info", "dlutils", "accelerator", "colab"}:
        del nb.metadata[key]
    nb.nbformat, nb.nbformat_minor = 4, 5
    for cell in nb.cells:
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA})
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGETS, None)
            if output.output_type == "stream":  # what a terminal would still show after the carriage returns
                output.text = re.sub(r"[^\r\n]*\r(?=[^\n])", "", output.text.replace("\r\n", "\n"))


def stamp(nb: NotebookNode, seconds: float) -> None:
    """Write the time taken and the hash of the code into the metadata, and the time into the title card."""
    own = nb.metadata.setdefault("dlutils", {})
    own["seconds"], own["sources"] = round(seconds, 1), sources_hash(nb)
    card = nb.cells[0]
    card.source = re.sub(r"CPU: [^·|\n]*·", f"CPU: {format_seconds(seconds)} ·", card.source)


def run(path: Path, timeout: int = 600) -> float:
    """Execute one notebook in place with its CPU settings and return the seconds it took.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: it does not run; the file is left as it was.
    """
    nb = nbformat.read(path, as_version=4)
    name_cells(nb)
    client = NotebookClient(nb, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    client.record_timing, client.coalesce_streams = False, True
    start = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - start
    tidy(nb)
    stamp(nb, seconds)
    partial = path.with_suffix(".partial")
    nbformat.write(nb, partial)
    partial.replace(path)
    return seconds


def stale(path: Path) -> bool:
    """Whether the notebook's code is not the code that its outputs came from."""
    nb = nbformat.read(path, as_version=4)
    return nb.metadata.get("dlutils", {}).get("sources") != sources_hash(nb)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every notebook whose stamp is stale")
    parser.add_argument("--timeout", type=int, default=600, help="seconds a cell may take (default 600)")
    parser.add_argument("--list", action="store_true", help="print every notebook's path and stop")
    parser.add_argument(
        "--list-data", action="store_true", help="print those that load a data set from the web and stop"
    )
    args = parser.parse_args()
    if args.list or args.list_data:
        print(*(p.relative_to(ROOT).as_posix() for p in find_notebooks() if args.list or loads_from_web(p)), sep="\n")
        return 0
    missing = [str(path) for path in args.notebooks if not path.is_file() or path.suffix != ".ipynb"]
    if missing:
        print(f"no such notebook: {', '.join(missing)}", file=sys.stderr)
        return 2
    # Stored outputs are those of the CPU setting with one thread, on every machine: so are CI's.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("DLUTILS_DEVICE", "cpu")
    os.environ.setdefault("DLUTILS_FULL", "0")
    chosen = args.notebooks or [path for path in find_notebooks() if stale(path)]
    failed = 0
    for path in chosen:
        try:
            print(f"{path}: {run(path.resolve(), args.timeout):.1f} s", flush=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            failed += 1
            print(f"{path}: does not run, left as it was\n{error}", file=sys.stderr)
    if not chosen:
        print("every notebook's outputs belong to its code: nothing to run")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
