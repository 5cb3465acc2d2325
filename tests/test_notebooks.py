"""Every notebook keeps every rule of CONTRIBUTING.md, and none repeats another."""

from collections import defaultdict
from functools import cache
from pathlib import Path

import nbformat
import pytest
from conventions import ROOT, RULES, Rule, pasted
from nbformat import NotebookNode
from run import find_notebooks

NOTEBOOKS = find_notebooks()
SHOWN = 10  # problems of a kind


def _name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


@cache
def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS, "no notebook was found, so nothing was tested"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=_name)
def test_notebook(path: Path, rule: Rule) -> None:
    problems = rule(_read(path), path)
    more = [f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    assert not problems, "\n".join([f"{_name(path)}: {rule.__doc__}", *problems[:SHOWN], *more])


def test_titles_are_unique() -> None:
    places = defaultdict(list)
    for path in NOTEBOOKS:
        places[_read(path).cells[0].source.splitlines()[0].lower()].append(_name(path))
    assert [] == [f"{title!r}: {', '.join(names)}" for title, names in places.items() if len(names) > 1]


def test_nothing_is_pasted() -> None:
    problems = pasted({_name(path): _read(path) for path in NOTEBOOKS})
    assert not problems, "\n\n".join(problems)
