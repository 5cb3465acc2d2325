"""Seeds, devices, the large setting and mixed precision."""

import random

import numpy as np
import pytest
import torch

import dlutils.device
from dlutils import autocast, full_scale, get_device, seed_everything

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DLUTILS_SEED", "DLUTILS_DEVICE", "DLUTILS_FULL"):
        monkeypatch.delenv(name, raising=False)


# ---------------------------------------------------------------- seeds


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), torch.rand(1).item()  # noqa: NPY002 - the global state is meant


def test_a_seed_repeats_python_numpy_and_torch() -> None:
    assert seed_everything(7) == 7
    first, then = draws(), draws()
    seed_everything(7)
    assert draws() == first and draws() == then
    seed_everything(8)
    assert all(a != b for a, b in zip(draws(), first, strict=True)), "each of the three depends on the seed"


def test_the_environment_overrides_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_everything(5)
    five = draws()
    monkeypatch.setenv("DLUTILS_SEED", "5")
    assert seed_everything(0) == 5
    assert draws() == five
    monkeypatch.setenv("DLUTILS_SEED", "")
    assert seed_everything(0) == 0


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(3)])
def test_good_seeds(seed: int) -> None:
    assert seed_everything(seed) == int(seed)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, float("inf"), "one", [1]])
def test_bad_seeds(seed: object) -> None:
    with pytest.raises(ValueError, match="an integer from 0 to 4294967295, not"):
        seed_everything(seed)


@pytest.mark.parametrize("seed", ["-1", "one", "1.5", " ", "4294967296"])
def test_bad_seeds_from_the_environment(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_SEED", seed)
    with pytest.raises(ValueError, match=f"not '{seed}'"):
        seed_everything(0)


# ---------------------------------------------------------------- devices


def pretend(monkeypatch: pytest.MonkeyPatch, gpus: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("gpus", "mps", "wish", "expected"),
    [
        (0, False, "", "cpu"),
        (1, False, "", "cuda"),
        (0, True, "", "cpu"),  # MPS only when asked for
        (0, True, "mps", "mps"),
        (0, True, " MPS ", "mps"),
        (2, False, "cpu", "cpu"),
        (2, False, "cuda", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
    ],
)
def test_the_device(gpus: int, mps: bool, wish: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus, mps)
    monkeypatch.setenv("DLUTILS_DEVICE", wish)
    assert get_device() == torch.device(expected)


@pytest.mark.parametrize("wish", ["cuda:2", "mps", "gpu", "tpu"])
def test_a_wish_that_cannot_be_met_lists_what_is_there(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2)
    monkeypatch.setenv("DLUTILS_DEVICE", wish)
    with pytest.raises(
        ValueError, match=f"DLUTILS_DEVICE='{wish}' can't be met: this machine has cpu, cuda:0, cuda:1$"
    ):
        get_device()


def test_cuda_on_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    monkeypatch.setenv("DLUTILS_DEVICE", "cuda")
    with pytest.raises(ValueError, match=r"has cpu$"):
        get_device()


def test_the_device_can_be_computed_on() -> None:
    assert torch.ones(2, device=get_device()).sum().item() == 2


# ---------------------------------------------------------------- the large setting


@pytest.mark.parametrize(
    ("wish", "device", "expected"),
    [
        ("", "cpu", False), ("", "cuda", True), ("", "mps", True),
        ("0", "cpu", False), ("0", "cuda", False),
        ("1", "cpu", True), ("1", "cuda", True), (" 1 ", "cpu", True),
    ],
)  # fmt: skip
def test_full_scale(wish: str, device: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_FULL", wish)
    assert full_scale(torch.device(device)) is expected


@pytest.mark.parametrize("wish", ["yes", "2", "true"])
def test_full_scale_refuses_other_words(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_FULL", wish)
    with pytest.raises(ValueError, match=f"must be 0 or 1, not '{wish}'"):
        full_scale(torch.device("cuda"))


# ---------------------------------------------------------------- mixed precision


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, torch.float32),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_autocast_on_a_processor(
    capabilities: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(64, 32), torch.randn(16, 64)
    plain = layer(x)
    with autocast(torch.device("cpu")) as _:
        mixed = layer(x)
    assert mixed.dtype == expected and layer.weight.dtype == torch.float32
    torch.testing.assert_close(mixed.float(), plain, rtol=2e-2, atol=2e-2)
    assert torch.equal(mixed.float(), plain) == (expected == torch.float32), "bfloat16 rounds, so it must show"
    mixed.sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    assert layer(x).dtype == torch.float32, "the context ends where it ends"


def test_autocast_with_a_torch_that_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    with autocast(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("capability", "fast"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_is_asked_for_its_generation(
    capability: tuple[int, int], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert dlutils.device._gpu_has_fast_bf16() is fast


@needs_cuda
def test_autocast_on_a_gpu() -> None:
    device = torch.device("cuda")
    a = torch.randn(64, 64, device=device)
    with autocast(device):
        product = a @ a
    assert product.dtype == (torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float32)
    torch.testing.assert_close(product.float(), a @ a, rtol=5e-2, atol=0.3)
