"""A small notebook that keeps every rule of conventions.py, and the pieces to build others."""

import base64

from conventions import BADGE, ROOT, SECTIONS, colab_url, install_cell, sources_hash
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dlutils.exercises import NOT_YET

PATH = ROOT / "foundations" / "02_gate.ipynb"  # where it would stand; nothing is written there
PIXEL = base64.b64encode(b"a picture").decode()


def printed(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=text)


def figure(alt: str = "A line falls from left to right.") -> NotebookNode:
    return new_output("display_data", data={"image/png": PIXEL}, metadata={"image/png": {"alt": alt}})


def code(
    name: str, source: str, *outputs: NotebookNode, tags: tuple[str, ...] = (), **metadata: object
) -> NotebookNode:
    metadata |= {"tags": list(tags)} if tags else {}
    return new_code_cell(source, id=name, outputs=list(outputs), metadata=metadata)


def _card() -> NotebookNode:
    badge = f"[![Open in Colab]({BADGE})]({colab_url('foundations/02_gate.ipynb')})"
    rows = (
        "You will learn** | gates",
        "Before this** | [nothing](../README.md)",
        "Runs in** | CPU: 25 s · GPU: not needed",
    )
    table = "\n".join(["| | |", "|---|---|", *(f"| **{row} |" for row in (*rows, "Data** | none"))])
    sentence = "What a gate does: you build one, and watch it shut."
    return new_markdown_cell(f"# The gate\n\n{sentence}\n\n{badge}\n\n{table}", id="card")


def exercise(n: int) -> list[NotebookNode]:
    hint = "<details><summary>Hint</summary>\n\nThink.\n\n</details>"
    check = f'@exercise("Exercise {n}")\ndef check_{n}(double):\n    expect(double(2), 4, "double(2)")'
    folded = {"jupyter": {"source_hidden": True}}
    verdict = NOT_YET.format(title=f"Exercise {n}") + "\n"
    answer = f"#@title Solution\ndef right_{n}(x):\n    return 2 * x\n\n\ncheck_{n}(right_{n})"
    return [
        new_markdown_cell(f"### Exercise {n}: doubling\n\nDouble it.\n\n{hint}", id=f"exercise-{n}"),
        code(f"check-{n}", check, tags=("check", "hide-input"), **folded),
        code(
            f"stub-{n}", f"def double_{n}(x):\n    ...\n\n\ncheck_{n}(double_{n})", printed(verdict),
            tags=("exercise", "nbval-check-output"),
        ),
        code(
            f"solution-{n}", answer, printed(f"✔ Exercise {n}: correct.\n"),
            tags=("solution", "nbval-check-output"), cellView="form", **folded,
        ),
    ]  # fmt: skip


def good_notebook() -> NotebookNode:
    """Return a small notebook that keeps every rule."""
    prose = "A gate is worth what it stops, so every gate is shown something that it must stop. " * 8
    cells = [_card(), code("install", install_cell()), code("setup", "import torch\n\nfrom dlutils import *\n")]
    cells[2].source += "seed = seed_everything(0)\ndevice = get_device()\nFULL = full_scale(device)"
    for n, name in enumerate(SECTIONS[:-2]):
        cells.append(new_markdown_cell(f"## {name}: part {n}\n\n{prose}", id=f"part-{n}"))
        cells.append(code(f"figure-{n}", f"fig = draw({n})", *([figure()] if n < 4 else [])))
    cells += [code("result", "print(97)", printed("97 %\n"), tags=("result",))]
    cells += [new_markdown_cell("## Exercises", id="exercises"), *exercise(1), *exercise(2), *exercise(3)]
    end = "## References\n\n- A. Author (1958). A title.\n\n*Next:* [the roadmap](../README.md)"
    cells += [new_markdown_cell(end, id="references")]
    return stamped(new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}))


def stamped(nb: NotebookNode) -> NotebookNode:
    nb.nbformat_minor = 5
    for number, cell in enumerate((cell for cell in nb.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = number
    nb.metadata.dlutils = {"seconds": 23.4, "sources": sources_hash(nb)}
    return nb


GOOD = good_notebook()
