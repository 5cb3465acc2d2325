"""What is said twice is said alike: versions, the repository's address, the roadmap, the commands."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import tomllib
import yaml
from conventions import ROOT, has_fresh_stamp, has_setup_cells, has_title_card, repository
from good_notebook import GOOD
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

CONDA_NAMES = {"pytorch": "torch", "pytorch-cpu": "torch"}  # where conda-forge says it otherwise
OUTSIDE = {".git", ".venv", "build", "dist", "dlutils.egg-info", "__pycache__", ".ipynb_checkpoints"}
MOVED = {"pyproject.toml", "README.md", "CONTRIBUTING.md", ".devcontainer/devcontainer.json"}  # and the notebooks


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# Versions


def _project() -> dict:
    return tomllib.loads(_read("pyproject.toml"))["project"]


def _requirements(*extras: str) -> dict[str, SpecifierSet]:
    """Return what dlutils requires: name and bounds, with those extras (an extra may name other extras)."""
    lines = [*_project()["dependencies"], *(x for e in extras for x in _project()["optional-dependencies"][e])]
    found: dict[str, SpecifierSet] = {}
    for requirement in map(Requirement, lines):
        if requirement.name == _project()["name"]:
            found |= _requirements(*requirement.extras)
        else:
            found[canonicalize_name(requirement.name)] = requirement.specifier
    return found


def _constraints() -> dict[str, Version]:
    lines = [line for line in _read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert [] == [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)], (
        "constraints.txt has lines `name==version` only, without a local version such as +cpu"
    )
    names = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert len(set(names)) == len(names)
    return dict(zip(names, (Version(line.split("==")[1]) for line in lines)))


def _environment() -> Iterator[Requirement]:
    """Yield each line of environment.yml as a requirement, conda's names and `=` turned into pip's."""
    for line in yaml.safe_load(_read("environment.yml"))["dependencies"]:
        if isinstance(line, str):
            name, spec = re.fullmatch(r"(?:[\w-]+::)?([\w.-]+) *(.*)", line).groups()
            spec = re.sub(r"^=([\d.]+)$", r"==\1.*", spec)
            yield Requirement(CONDA_NAMES.get(name, name) + spec)
        else:
            for entry in line["pip"]:
                local = re.fullmatch(r"(?:-e|--editable)[ =]\.(\[.+\])?", entry)
                if local:
                    yield Requirement(_project()["name"] + (local[1] or ""))
                elif not entry.startswith("-"):
                    yield Requirement(entry)


def test_nothing_is_pinned_in_pyproject() -> None:
    pinned = [name for name, bounds in _requirements("all").items() if re.search(r"==|<|~=", str(bounds))]
    assert pinned == [], "lower bounds only: dlutils is installed next to whatever a machine has"
    assert [] == [name for name, bounds in _requirements("all").items() if not bounds], "each has a lower bound"


def test_all_extras_are_in_all() -> None:
    everything = _requirements(*_project()["optional-dependencies"])
    assert _requirements("all") == everything


def test_constraints_cover_what_is_required() -> None:
    versions, required = _constraints(), _requirements("all")
    assert {"torch", "torchvision"} <= versions.keys() and "dlutils" not in versions
    assert required.keys() - versions.keys() == set(), "run `make constraints`"
    low = {name: version for name, version in versions.items() if version not in required.get(name, SpecifierSet())}
    assert low == {}, "a version last tested is below the bound"


def test_environment_yml_agrees_with_pyproject() -> None:
    listed, required, versions = list(_environment()), _requirements("all"), _constraints()
    by_name = {canonicalize_name(r.name): r.specifier for r in listed if r.name != _project()["name"]}
    by_extra = [_requirements(*r.extras).keys() for r in listed if r.name == _project()["name"]]
    covered = by_name.keys() | set().union(*by_extra)
    assert required.keys() - covered == set(), "environment.yml leaves something out"
    for name in by_name.keys() & required.keys():
        exact = versions[name] in by_name[name] and "==" in str(by_name[name])
        assert by_name[name] == required[name] or exact, f"{name}: environment.yml says {by_name[name]}"


def test_environment_yml_has_a_python_that_will_do() -> None:
    wanted = SpecifierSet(_project()["requires-python"])
    given = next(r.specifier for r in _environment() if r.name == "python")
    allowed = [version for version in (f"3.{minor}.9" for minor in range(6, 20)) if version in given]
    assert allowed and all(version in wanted for version in allowed)


# The address


def _files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in OUTSIDE and not name.endswith("_cache")]
        yield from (Path(folder, name) for name in names)


def test_no_other_address_is_named() -> None:
    pattern = re.compile(rb"(?:research\.google\.com/github|git\+https://github\.com)/([\w.-]+/[\w.-]+)")
    right = repository().removeprefix("https://github.com/")
    named = {(path, name.decode()) for path in _files() for name in pattern.findall(path.read_bytes())}
    named = {(path.relative_to(ROOT).as_posix(), name) for path, name in named if name.removesuffix(".git") != right}
    assert named == set(), f"the repository is {right}"


def test_the_address_stands_where_a_move_finds_it() -> None:
    right = repository().removeprefix("https://github.com/").encode()
    places = {path.relative_to(ROOT).as_posix() for path in _files() if right in path.read_bytes()}
    assert {name for name in places if not name.endswith(".ipynb")} <= MOVED, "`make address` would miss it"
    assert _read("pyproject.toml").count(right.decode()) == 1


@pytest.fixture
def small_copy(tmp_path: Path) -> Path:
    """Return a folder with this repository's texts and scripts and one notebook."""
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "extras" / "scripts", tmp_path / "extras" / "scripts")
    (tmp_path / "foundations").mkdir()
    nbformat.write(GOOD, tmp_path / "foundations" / "02_perceptron.ipynb")
    return tmp_path


def _roadmap(root: Path, *arguments: str) -> int:
    command = [sys.executable, str(root / "extras" / "scripts" / "roadmap.py"), *arguments]
    return subprocess.run(command, cwd=root, env=os.environ | {"PYTHONUTF8": "1"}, timeout=300).returncode


def test_a_move_restamps_everything(small_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _roadmap(small_copy, "--move", "https://github.com/ada/lessons") == 0
    old = repository().removeprefix("https://github.com/")
    texts = [
        path.read_text(encoding="utf-8")
        for path in small_copy.rglob("*.*")
        if path.suffix in (".md", ".toml", ".ipynb")
    ]
    assert not any(old in text for text in texts) and sum("ada/lessons" in text for text in texts) >= 3
    nb = nbformat.read(small_copy / "foundations" / "02_perceptron.ipynb", as_version=4)
    path = ROOT / "foundations" / "02_gate.ipynb"
    assert has_title_card(nb, path) and has_setup_cells(nb, path), "the address is not this repository's any more"
    monkeypatch.setattr("conventions.repository", lambda: "https://github.com/ada/lessons")
    monkeypatch.setattr("roadmap.repository", lambda: "https://github.com/ada/lessons")
    assert has_title_card(nb, path) == has_setup_cells(nb, path) == has_fresh_stamp(nb, path) == []


# The roadmap


def test_the_roadmap_is_fresh() -> None:
    assert _roadmap(ROOT, "--check") == 0, "run `make roadmap`"


def test_a_stale_roadmap_is_noticed(small_copy: Path) -> None:
    assert _roadmap(small_copy, "--check") == 1, "there is a notebook that the README does not know"
    assert _roadmap(small_copy) == 0 and _roadmap(small_copy, "--check") == 0
    readme = (small_copy / "README.md").read_text(encoding="utf-8")
    assert "[The gate](foundations/02_perceptron.ipynb)" in readme and "97 %" in readme and "25 s" in readme


# The commands


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):(?!=)", _read("Makefile"), re.M))


def test_the_makefile_has_the_commands_that_are_named() -> None:
    assert {"lab", "test", "run"} <= _targets()
    for name in ("README.md", "CONTRIBUTING.md"):
        code = re.findall(r"^```.*?^```|`[^`\n]+`", _read(name), re.M | re.S)
        named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code)))
        assert named and named <= _targets(), f"{name} names a command that does not exist"


def test_ci_runs_what_everybody_runs() -> None:
    assert re.search(r"^make (?:--\S+ )*test$", _read(".ci/run"), re.M)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
