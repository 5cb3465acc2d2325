"""How nbval runs the notebooks (`pytest --nbval-lax …`), a table of what each took, and what tests of data share."""

import os
import sys
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import nbformat
import psutil
import pytest
from nbval.plugin import IPyNbCell

OUTPUT_TIMEOUT = 60  # seconds a cell's output may lag behind its end; nbval's own 5 are short on a busy machine
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PEAK = "peak memory of the kernel, bytes"


def pytest_configure(config: pytest.Config) -> None:
    if config.option.nbval or config.option.nbval_lax:
        os.environ.update(ONE_THREAD)  # there is one worker for each core
        config.option.loadscopereorder = False  # keep the order of pytest_collection_modifyitems under xdist
        config.pluginmanager.register(NotebookTable(), "notebook-table")


def pytest_itemcollected(item: pytest.Item) -> None:
    if isinstance(item, IPyNbCell):
        item.output_timeout = OUTPUT_TIMEOUT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest notebooks start first, so that no worker is left alone with one at the end."""
    seconds = {path: _stamped_seconds(path) for path in {i.path for i in items if isinstance(i, IPyNbCell)}}
    items.sort(key=lambda item: -seconds.get(item.path, 0.0))


def _stamped_seconds(path: Path) -> float:
    return float(nbformat.read(path, as_version=4).metadata.get("dlutils", {}).get("seconds", 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Note the kernel's memory after each cell in the cell's report, which xdist carries to the terminal."""
    try:
        return (yield)
    finally:
        if isinstance(item, IPyNbCell):
            manager = getattr(item.parent.kernel, "km", None)  # nbval drops it when it stops the kernel
            item.user_properties.append((PEAK, peak_memory(manager.provisioner.pid) if manager else 0))


def peak_memory(pid: int) -> int:
    """Return the most bytes that a process has held so far (on macOS: that it holds now); 0 if it has ended.

    Processes that it has started are not counted.
    """
    try:
        if sys.platform == "linux":
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
        memory = psutil.Process(pid).memory_info()
        return getattr(memory, "peak_wset", memory.rss)
    except (OSError, psutil.Error):
        return 0


class NotebookTable:
    """Collects seconds (the kernel's start included) and peak memory of each notebook, and prints them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.peak: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path = report.nodeid.split("::")[0]
        if path.endswith(".ipynb"):
            self.seconds[path] += report.duration
            self.peak[path] = max([self.peak[path], *(n for name, n in report.user_properties if name == PEAK)])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.seconds:
            return
        terminalreporter.section("notebooks, longest first")
        for path in sorted(self.seconds, key=self.seconds.__getitem__, reverse=True):
            terminalreporter.write_line(_row(self.seconds[path], self.peak[path], path))
        total = f"total of {len(self.seconds)}; the highest peak"
        terminalreporter.write_line(_row(sum(self.seconds.values()), max(self.peak.values()), total))


def _row(seconds: float, peak: int, what: str) -> str:
    return f"{seconds:8.1f} s {peak / 2**20:8,.0f} MiB  {what}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a test away from the user's cache, mirror and proxy, and make it quick."""
    import dlutils.data  # here, since no notebook's run needs it

    monkeypatch.setenv("DLUTILS_DATA", str(cache))
    monkeypatch.delenv("DLUTILS_MIRROR", raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(dlutils.data, "ROUNDS", 1)
    dlutils.data._say_once.cache_clear()
