"""The gates are tested: a notebook as it should be passes all of them, and each one stops what it is there to stop."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from conventions import ROOT, RULES, Rule, pasted, repository
from good_notebook import GOOD, PATH, code, exercise, figure, printed, stamped
from nbformat import NotebookNode
from nbformat.v4 import new_notebook, new_output

import conftest


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_passes(rule: Rule) -> None:
    before = deepcopy(GOOD)
    assert rule(GOOD, PATH) == []
    assert before == GOOD, "a rule only looks"


# What each rule must stop


def _cell(nb: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in nb.cells if cell.id == name)


def _swap(name: str, old: str, new: str) -> Callable[[NotebookNode], None]:
    """Replace a piece of a cell's source."""

    def change(nb: NotebookNode) -> None:
        cell = _cell(nb, name)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def _add(text: str, name: str = "part-1") -> Callable[[NotebookNode], None]:
    """Add a line to a cell's source."""
    return _swap(name, _cell(GOOD, name).source, f"{_cell(GOOD, name).source}\n\n{text}")


def _print(text: str, name: str = "figure-5") -> Callable[[NotebookNode], None]:
    """Let a cell have printed something else."""
    return lambda nb: _cell(nb, name).update(outputs=[printed(text)])


def _mark(key: str, value: object, name: str = "figure-1") -> Callable[[NotebookNode], None]:
    """Set an entry of a cell's metadata."""
    return lambda nb: _cell(nb, name).metadata.update({key: value})


def _meta(key: str, value: object) -> Callable[[NotebookNode], None]:
    """Set an entry of the notebook's metadata."""
    return lambda nb: nb.metadata.update({key: value})


def _stamp(key: str, value: object) -> Callable[[NotebookNode], None]:
    """Set an entry of metadata.dlutils."""
    return lambda nb: nb.metadata.dlutils.update({key: value})


def _drop(name: str) -> Callable[[NotebookNode], None]:
    """Remove a cell."""
    return lambda nb: nb.cells.remove(_cell(nb, name))


def _draw(*figures: NotebookNode) -> Callable[[NotebookNode], None]:
    """Let a cell have drawn something else."""
    return lambda nb: _cell(nb, "figure-1").update(outputs=list(figures))


def _name(new: str) -> Callable[[NotebookNode], None]:
    return lambda nb: _cell(nb, "part-1").update(id=new)


WIDGET = new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
RAISED = new_output("error", ename="ValueError", evalue="", traceback=[])
HIDING = "try:\n    draw()\nexcept ValueError:\n    pass"
SECRETS = ("hf_" + "a1B2" * 6, 'api_key = "correct horse"')
HOST = ".".join(("files", "pythonhosted", "org"))

# For each rule (by name, or by name and a few words), what must be stopped.
MUTATIONS: dict[str, tuple[Callable[[NotebookNode], None], ...]] = {
    "stands_in_a_branch": (),  # its own test below: the path is wrong, not the notebook
    "has_current_format": (
        lambda nb: nb.update(nbformat_minor=4),
        lambda nb: nb.metadata.kernelspec.update(name="conda-env-py"),
        lambda nb: _cell(nb, "figure-1").update(outputs="none"),
    ),
    "has_known_metadata": (
        _mark("execution", {"iopub.execute_input": "2024-01-01T00:00:00Z"}), _mark("collapsed", True),
        _mark("scrolled", False), _mark("jupyter", {"outputs_hidden": True}), _meta("toc", {}),
        _meta("accelerator", "TPU"), _stamp("author", "me"),
    ),
    "has_known_tags": (
        _mark("tags", ["nbval-skip"]), _mark("tags", ["raises-exception"]), _add("# NBVAL_SKIP", "figure-1"),
    ),
    "has_slugs_for_ids": (
        _name("deadbeef"), _name("Part 1"), _name("part_1"), _name("a" * 49), _name("figure-1"), _name("part-"),
    ),
    "has_no_widgets": (_meta("widgets", {}), _draw(WIDGET)),
    "is_small_enough": (_draw(figure("a" * 600_000)),),
    "has_the_right_number_of_cells": (
        lambda nb: nb.update(cells=nb.cells[:24]), lambda nb: nb.update(cells=nb.cells * 3),
    ),
    "has_the_right_number_of_words": (
        lambda nb: nb.update(cells=nb.cells[:8]),
        _add("word " * 2600),
        lambda nb: [cell.update(source="```text\n" + cell.source + "\n```") for cell in nb.cells],
    ),
    "has_the_right_number_of_figures": (
        lambda nb: [cell.update(outputs=[]) for cell in nb.cells if cell.id in ("figure-1", "figure-2")],
        _draw(*[figure()] * 6),
    ),
    "has_title_card": (
        _swap("card", "# The gate", "## The gate"),
        _swap("card", "watch it shut.", "watch it shut. Then you go home."),
        _swap("card", "watch it shut.", "watch it shut"),
        _swap("card", "02_gate.ipynb", "03_gate.ipynb"),
        _swap("card", "colab.research.google.com/github/", "colab.research.google.com/github/somebody-else-"),
        _swap("card", "| **Data** | none |", ""),
        _swap("card", "| **Data** | none |", "| **Data** | |"),
        _add("# A second title"),
    ),
    "says_what_it_takes": (
        _swap("card", "CPU: 25 s", "CPU: 20 s"), _swap("card", "CPU: 25 s ·", "25 s,"),
        _swap("card", "GPU: not needed", "GPU: fast"), _stamp("seconds", 110.0),
    ),
    "has_setup_cells": (
        _swap("install", "-q ", ""),
        _swap("install", "install -q", "install -q torch"),
        _swap("setup", "seed_everything(0)", "0"), _swap("setup", "full_scale(device)", "False"), _drop("install"),
        _add("%pip install einops", "figure-1"), _add("!pip install einops", "figure-1"),
        _add("import optuna.samplers", "figure-1"), _swap("install", "dlutils @", "dlutils[tuning] @"),
    ),
    "has_sections": (
        _swap("part-1", "## The idea", "## An idea"), _swap("part-0", "## Why", "### Why"),
        lambda nb: nb.cells.insert(5, nb.cells.pop(3)),
        _stamp("omit", {"Why": "it would be there, but the reader knows"}), _stamp("omit", {"Conclusion": "too long"}),
        lambda nb: (_drop("part-1")(nb), nb.metadata.dlutils.update(omit={"The idea": ""})),
        _swap("part-1", "## The idea: part 1", "```\n## The idea\n```"),
    ),
    "ends_with_next": (
        _swap("references", "*Next:*", "Next:"), _add("The end.", "references"), _drop("references"),
        lambda nb: nb.cells.append(code("more", "1 + 1")),
    ),
    "links_resolve": (
        _add("[gone](../foundations/00_gone.ipynb)"), _add("![A picture of a gate](gate.png)"),
        _add("[outside](../../elsewhere.md)"), _add("[absolute](/README.md)"), _add("[heading](#nowhere-to-be-found)"),
        _add("[heading](../README.md#nowhere-to-be-found)"), _add('<img src="gate.png">'), _add("[1]: gone.md"),
        _add(f"[absolute]({repository()}/blob/main/README.md)"),
    ),
    "was_run_in_order": (
        lambda nb: _cell(nb, "figure-1").update(execution_count=None),
        lambda nb: _cell(nb, "figure-1").update(execution_count=99),
        _drop("install"),
    ),
    "stored_no_error": (_draw(RAISED),),
    "has_fresh_stamp": (
        _swap("figure-1", "draw(1)", "draw(2)"), _meta("dlutils", {}), _stamp("seconds", 0.0), _drop("figure-6"),
    ),
    "has_alt_texts": (
        _draw(figure(alt="")), _draw(figure(alt="a plot")),
        _draw(new_output("execute_result", data={"image/svg+xml": "<svg/>"})),
        _add("![](../README.md)"), _add('<img src="../README.md">'), _add('<img src="../README.md" alt="">'),
    ),
    "has_one_result": (
        _mark("tags", ["result"]), _drop("result"), _print("97 %\n98 %\n", "result"), _print("", "result"),
    ),
    "has_short_code_cells": (_add("\n".join(["x = 1"] * 30), "figure-1"),),
    "swallows_no_exception": (
        _add(HIDING, "figure-1"), _add(HIDING.replace("pass", "..."), "figure-1"),
        _add(HIDING.replace(" ValueError", ""), "figure-1"), _add("with suppress(ValueError):\n    draw()", "figure-1"),
    ),
    "has_no_notebook_tqdm": (
        _add("from tqdm.notebook import tqdm", "figure-1"), _add("from tqdm.auto import tqdm", "figure-1"),
        _add("from tqdm import tqdm_notebook as tqdm", "figure-1"),
    ),
    "has_no_trailing_semicolon": (_add("ax.plot([1]);", "figure-1"), _add("ax.plot([1]);  # quiet", "figure-1")),
    "has_no_absolute_path": (
        _add('data = "/home/ada/data"', "figure-1"), _add("It lies in `/Users/ada/data`."), _print("C:\\Users\\ada"),
        _print("/content/data\n"), _draw(new_output("display_data", data={"text/html": "<b>/root/data</b>"})),
        _add("[here](file:///data)"),
    ),
    "has_no_package_host": (_add(f"https://{HOST}/packages"), _print(f"from {HOST}")),
    "has_no_secret": tuple(_add(secret, "figure-1") for secret in SECRETS),
    "has_whole_exercises": (
        *(_drop(f"{part}-2") for part in ("exercise", "check", "stub", "solution")),
        lambda nb: [_drop(f"{part}-3")(nb) for part in ("exercise", "check", "stub", "solution")],
        _swap("exercise-2", "Exercise 2", "Exercise 4"), _swap("exercise-2", ": doubling", ""),
        _add("### Exercise 3: another", "exercise-2"),
        _swap("exercise-2", "Hint", "Tip"), _swap("exercise-2", "Think.", ""),
        _mark("tags", ["check"], "check-2"), _mark("tags", ["exercise"], "stub-2"),
        _mark("tags", ["solution"], "solution-2"), _mark("tags", ["solution", "nbval-check-output"]),
        _mark("jupyter", {}, "check-2"), _mark("jupyter", {}, "solution-2"), _mark("cellView", "code", "solution-2"),
        _swap("solution-2", "#@title Solution", "# Solution"), _swap("check-2", "Exercise 2", "Exercise 1"),
        _swap("check-2", '@exercise("Exercise 2")\n', ""), _swap("solution-2", "check_2", "check_1"),
        _swap("stub-2", "check_2(double_2)", ""), _swap("solution-2", "right_2", "double_2"),
    ),
    "has_right_verdicts": (
        _print("✘ Exercise 2: double(2) is 3, expected 4.\n", "solution-2"), _print("", "solution-2"),
        _print("✔ Exercise 2: correct.\n", "stub-2"), _print("", "stub-2"),
        _print("nan\n✔ Exercise 2: correct.\n", "solution-2"),
    ),
}  # fmt: skip


def test_every_rule_is_tried() -> None:
    assert set(MUTATIONS) == {rule.__name__ for rule in RULES}
    assert [name for name, changes in MUTATIONS.items() if not changes] == ["stands_in_a_branch"]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        pytest.param(rule, change, id=f"{rule.__name__}-{n}")
        for rule in RULES
        for n, change in enumerate(MUTATIONS[rule.__name__], start=1)
    ],
)
def test_a_rule_stops(rule: Rule, change: Callable[[NotebookNode], None]) -> None:
    nb = deepcopy(GOOD)
    change(nb)
    assert nb != GOOD, "the change changes something"
    assert rule(nb, PATH), f"not stopped: {rule.__doc__}"


@pytest.mark.parametrize(
    "name", ["foundations/gate.ipynb", "models/01_gate.ipynb", "foundations/1_Gate.ipynb", "01_gate.ipynb"]
)
def test_a_name_is_stopped(name: str) -> None:
    rule = next(rule for rule in RULES if rule.__name__ == "stands_in_a_branch")
    assert rule(GOOD, ROOT / name)
    assert rule(GOOD, ROOT / "applications/computer_vision/01_mnist.ipynb") == []


ALLOWED = {
    "has_setup_cells": lambda nb: (
        _add("from optuna import samplers", "figure-1")(nb), _swap("install", "dlutils @", "dlutils[tuning] @")(nb),
    ),
    "has_sections": lambda nb: (
        _drop("part-1")(nb), nb.metadata.dlutils.update(omit={"The idea": "the lesson before this one gave it"})
    ),
    "says_what_it_takes": _swap("card", "GPU: not needed", "GPU: 9 s on an H100"),
    "has_no_absolute_path": _add("See https://example.org/home/x, let $f:\\mathbb{R} \\to \\mathbb{R}$, and/or this."),
    "links_resolve": _add("[in](#the-idea-part-1), [out](https://example.org), `[a](b)`, $[a](b)$, [up](../README.md)"),
    "has_no_trailing_semicolon": _add('a = 1; b = "two;"', "figure-1"),
    "swallows_no_exception": _add(HIDING.replace("pass", 'print("no")'), "figure-1"),
    "has_whole_exercises": lambda nb: (
        _swap("solution-2", "#@title", "# @title")(nb),
        _swap("exercise-1", "### Exercise 1", "Now you.\n\n### Exercise 1")(nb),
    ),
    "has_no_secret": _add('token = "the"', "figure-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_a_rule_lets_pass(name: str) -> None:
    nb = deepcopy(GOOD)
    ALLOWED[name](nb)
    assert nb != GOOD
    assert next(rule for rule in RULES if rule.__name__ == name)(nb, PATH) == []


def test_pasted_code_is_found() -> None:
    function = "def norm(x):\n" + "".join(f"    x = x + {n}\n" for n in range(6)) + "    return x"
    one, two = deepcopy(GOOD), deepcopy(GOOD)
    assert pasted({"one": one, "two": two}) == [], "what is alike in two notebooks is short"
    _cell(one, "figure-1").source = function
    _cell(two, "figure-2").source = "x = 3\n\n" + function.replace("    return x", "    # the norm\n    return (x)")
    assert pasted({"one": one}) == []
    assert len(pasted({"one": one, "two": two})) == 1


# nbval, end to end


def _tiny(*cells: NotebookNode) -> NotebookNode:
    return stamped(new_notebook(cells=list(cells)))


def _with_answer(factor: int) -> NotebookNode:
    cells = exercise(1)[1:]
    cells[2].source = cells[2].source.replace("2 * x", f"{factor} * x")
    threads = code("threads", 'os.environ["OMP_NUM_THREADS"]', tags=("nbval-check-output",))
    threads.outputs = [new_output("execute_result", data={"text/plain": "'1'"}, execution_count=2)]
    return _tiny(code("imports", "import os\n\nfrom dlutils import exercise, expect"), threads, *cells)


NOTEBOOKS = {
    "good.ipynb": _with_answer(2),
    "raises.ipynb": _tiny(code("raises", "1 / 0")),
    "differs.ipynb": _tiny(code("differs", "print(1 + 1)", printed("3\n"), tags=("nbval-check-output",))),
    "wrong_solution.ipynb": _with_answer(3),
}


def _nbval(folder: Path, *names: str, workers: int) -> subprocess.CompletedProcess[str]:
    """Run nbval as `make notebooks` does, on notebooks of this test, under this repository's conftest."""
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name in names:
        nbformat.write(NOTEBOOKS[name], folder / name)
    spread = ["-n", str(workers), "--dist", "loadscope"] if workers else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-current-env",
        "-rA",
        "--color=no",
        *spread,
        *names,
    ]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True, text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip


def _table(output: str) -> dict[str, tuple[float, int]]:
    rows = re.findall(r"^ *([\d.]+) s +([\d,]+) MiB  (.+)$", output, re.M)
    return {name: (float(seconds), int(peak.replace(",", ""))) for seconds, peak, name in rows}


def test_nbval_lets_a_good_notebook_pass(tmp_path: Path) -> None:
    done = _nbval(tmp_path, "good.ipynb", workers=0)
    assert done.returncode == 0, done.stdout
    table = _table(done.stdout)
    assert list(table) == ["good.ipynb", "total of 1; the highest peak"]
    seconds, peak = table["good.ipynb"]
    assert seconds > 0.1 and peak > 30, "a kernel takes some time and memory"


def test_nbval_stops_what_it_must(tmp_path: Path) -> None:
    bad = ("raises.ipynb", "differs.ipynb", "wrong_solution.ipynb")
    done = _nbval(tmp_path, *bad, workers=2)
    assert done.returncode == 1, done.stdout
    failed = set(re.findall(r"^FAILED (\S+::Cell \d+)", done.stdout, re.M))
    assert failed == {"raises.ipynb::Cell 0", "differs.ipynb::Cell 0", "wrong_solution.ipynb::Cell 4"}
    table = _table(done.stdout)
    assert {*bad, "total of 3; the highest peak"} == set(table)
    seconds = [table[name][0] for name in table if name in bad]
    assert seconds == sorted(seconds, reverse=True) and all(peak > 30 for _, peak in table.values())


def test_nbval_waits_for_late_output() -> None:
    item = conftest.IPyNbCell.__new__(conftest.IPyNbCell)
    conftest.pytest_itemcollected(item)
    assert item.output_timeout == conftest.OUTPUT_TIMEOUT == 60
