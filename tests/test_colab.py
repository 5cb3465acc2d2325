"""The notebooks' install cell does on Colab what it should: dlutils arrives, torch and NumPy stay as they were.

Colab is imitated by a new virtual environment that sees the packages of this one, as Colab's Python comes with torch
and NumPy, and a module called google.colab. The cell is performed as it stands; git is told to take the repository's
address for that of a copy of this working tree, and pip to ask nobody for packages.
"""

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from conventions import ROOT, install_cell, repository
from run import find_notebooks

VERSION = "99.0"  # of the copy, so that it can't be taken for the dlutils of this environment

# Runs a cell as Jupyter does, then says which packages Python would import, and whence.
PERFORM = """
import json, sys, types
from importlib import metadata, util
from IPython.core.interactiveshell import InteractiveShell
if sys.argv[2] == "colab":
    sys.modules["google.colab"] = types.ModuleType("google.colab")
InteractiveShell.instance().run_cell(sys.argv[1], store_history=False).raise_error()
sys.path_importer_cache.clear()
found = {name: util.find_spec(name) for name in ("dlutils", "numpy", "torch")}
print(json.dumps({name: [metadata.version(name), spec.origin] if spec else None for name, spec in found.items()}))
"""


@dataclass
class Colab:
    """An environment like Colab's, and a folder for the repository."""

    python: Path
    site: Path
    repository: Path

    def perform(self, cell: str, where: str = "colab") -> dict[str, list[str] | None]:
        """Run a cell in a new process; return version and place of dlutils, numpy and torch afterwards."""
        done = subprocess.run(
            [self.python, "-c", PERFORM, cell, where], env=self._environment(), cwd=self.repository.parent,
            capture_output=True, text=True, encoding="utf-8", timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        print(done.stdout, done.stderr)  # pip's words, shown where a test fails
        return json.loads(done.stdout.splitlines()[-1])

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "GIT_"))}
        return kept | {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{self.repository.as_posix()}.insteadOf",
            "GIT_CONFIG_VALUE_0": repository(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as "isolation: no"; setuptools is at hand
            "PIP_FIND_LINKS": str(self.repository.parent),
            "PYTHONUTF8": "1",
        }


def _git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def make_colab(tmp_path: Path) -> Callable[..., Colab]:
    """Return a function that makes the environment and, from this working tree, the repository."""

    def make(numpy: str = "") -> Colab:
        """Make both; `numpy`, if given, stands in the repository's pyproject.toml for what is required of NumPy."""
        venv.create(tmp_path / "env", symlinks=os.name != "nt")
        paths = {"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}
        scheme = "venv" if "venv" in sysconfig.get_scheme_names() else sysconfig.get_default_scheme()
        site = Path(sysconfig.get_path("purelib", scheme, paths))
        here = (sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
        (site / "everything_else.pth").write_text("\n".join(here), encoding="utf-8")
        copy = tmp_path / "repository"
        copy.mkdir()
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, copy)
        shutil.copytree(ROOT / "dlutils", copy / "dlutils", ignore=shutil.ignore_patterns("__pycache__"))
        project = (copy / "pyproject.toml").read_text(encoding="utf-8")
        project = re.sub(r'^version = ".+"$', f'version = "{VERSION}"', project, flags=re.M)
        project = re.sub(r'"numpy\b[^"]*"', f'"{numpy}"', project) if numpy else project
        (copy / "pyproject.toml").write_text(project, encoding="utf-8")
        for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "A copy")):
            _git(copy, *arguments)
        return Colab(
            Path(sysconfig.get_path("scripts", scheme, paths)) / f"python{'.exe' if os.name == 'nt' else ''}",
            site,
            copy,
        )

    return make


def _a_notebooks_cell() -> str:
    """Return the install cell of the first notebook, as it stands there."""
    return nbformat.read(find_notebooks()[0], as_version=4).cells[1].source


def problems(before: dict[str, list[str] | None], after: dict[str, list[str] | None], site: Path) -> list[str]:
    """Say what the cell has left undone or has done wrong."""
    found = [
        f"{name} was {before[name]}, is {after[name]}" for name in ("numpy", "torch") if before[name] != after[name]
    ]
    version, place = after["dlutils"] or ("none", "nowhere")
    if version != VERSION or not Path(place).resolve().is_relative_to(site.resolve()):
        found.append(f"dlutils was not installed: it is {version} at {place}")
    return found


def test_the_cell_installs_dlutils_and_changes_nothing_else(make_colab: Callable[..., Colab]) -> None:
    colab = make_colab()
    before = colab.perform("pass")
    assert before["numpy"] and before["torch"]
    assert problems(before, before, colab.site), "nothing is installed before"
    elsewhere = colab.perform(_a_notebooks_cell(), where="laptop")
    assert elsewhere == before, "without google.colab the cell does nothing"
    after = colab.perform(_a_notebooks_cell())
    assert problems(before, after, colab.site) == []
    colab.perform("import dlutils\ndlutils.seed_everything(0)")


def test_a_pin_would_be_noticed(make_colab: Callable[..., Colab]) -> None:
    other = metadata.version("numpy") + ".post1"
    colab = make_colab(f"numpy=={other}")
    before = colab.perform("pass")
    assert problems(before, colab.perform(install_cell()), colab.site), "there is no such NumPy: pip gives up"
    _wheel(colab.repository.parent, "numpy", other)
    after = colab.perform(install_cell())
    assert problems(before, after, colab.site) == [f"numpy was {before['numpy']}, is {after['numpy']}"]
    assert after["numpy"][0] == other, "now pip has exchanged NumPy, and that was noticed"


def _wheel(folder: Path, name: str, version: str) -> None:
    """Write an empty package as a wheel that pip can find."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
