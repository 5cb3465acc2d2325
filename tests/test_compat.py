"""torchvision beside any torch, each time in a fresh process; and what holds for the whole package."""

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlutils
from dlutils import import_torchvision

needs_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason='needs pip install "dlutils[vision]"'
)
PLAIN = """
try:
    import torchvision  # fails where its operators were built for another torch
except RuntimeError as error:
    assert "nms" in str(error)
"""
USE = """
import sys, time, torch
from dlutils import import_torchvision
torchvision = import_torchvision()
began = time.perf_counter()
assert import_torchvision() is torchvision is sys.modules["torchvision"]
assert time.perf_counter() - began < 0.5

from torchvision.transforms import v2
from torchvision.models import resnet18
from torchvision.datasets import CIFAR10, MNIST, FakeData

step = v2.Compose([v2.ToImage(), v2.Resize(32), v2.RandomHorizontalFlip(1.0), v2.ToDtype(torch.float32, scale=True)])
image, label = FakeData(size=2, image_size=(3, 48, 48), num_classes=10, transform=step)[0]
assert image.shape == (3, 32, 32) and 0 <= image.min() < image.max() <= 1
assert torch.equal(v2.functional.horizontal_flip(image), image.flip(-1))
with torch.no_grad():
    assert resnet18(num_classes=10).eval()(image[None]).shape == (1, 10)
boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]])
try:
    assert torchvision.ops.nms(boxes, torch.tensor([0.5, 0.9]), 0.5).tolist() == [1]
except RuntimeError:
    print("compiled operators are missing, the rest works")
"""


@needs_torchvision
@pytest.mark.parametrize("before", ["", PLAIN], ids=["first", "after-a-plain-import"])
def test_torchvision_works_in_a_fresh_process(before: str) -> None:
    done = subprocess.run([sys.executable, "-c", before + USE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_without_torchvision_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape('pip install "dlutils[vision]"')):
        import_torchvision()


@needs_torchvision
def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("something else is wrong")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(RuntimeError, match="something else is wrong"):
        import_torchvision()


@pytest.mark.parametrize("name", dlutils.__all__)
def test_every_public_name_is_documented_and_tested(name: str) -> None:
    thing = getattr(dlutils, name)
    assert not callable(thing) or inspect.getdoc(thing)
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert re.search(rf"\b{name}\(|\(\W*{name}\b|\b{name}[,)]", tests), f"no test uses {name}"
