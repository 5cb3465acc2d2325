"""Where to compute, how large, from which seed."""

import operator
import os
import random

import numpy as np
import torch


def seed_everything(seed: int = 0) -> int:
    """Seed Python, NumPy and torch (CPU and accelerator) and return the seed used.

    The environment variable ``DLUTILS_SEED`` overrides `seed`, so that a whole notebook can be run again under
    another seed without a change to its text. GPU kernels may still sum in another order from run to run
    (https://pytorch.org/docs/stable/notes/randomness.html).

    Raises:
        ValueError: `seed` (or ``DLUTILS_SEED``) is not an integer from 0 to 2**32 - 1.
    """
    wanted = os.environ.get("DLUTILS_SEED") or seed
    try:
        value = int(wanted) if isinstance(wanted, str) else operator.index(wanted)
        if not 0 <= value < 2**32:
            raise ValueError
    except (TypeError, ValueError):
        raise ValueError(f"the seed must be an integer from 0 to 4294967295, not {wanted!r}") from None
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002 - libraries draw from the global state
    torch.manual_seed(value)
    return value


def _available_devices() -> list[str]:
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def get_device() -> torch.device:
    """Return the device to compute on: CUDA where there is one, else the CPU.

    ``DLUTILS_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``, ``mps``) overrides the choice. Apple's MPS is only taken when
    asked for, because results there differ from run to run.

    Raises:
        ValueError: the wish is not a device name, or that device is not on this machine; the message lists what is.
    """
    wish = os.environ.get("DLUTILS_DEVICE", "").strip().lower()
    available = _available_devices()
    if not wish:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = "cuda:0" if wish == "cuda" else wish
    if name not in available:
        raise ValueError(f"DLUTILS_DEVICE={wish!r} can't be met: this machine has {', '.join(available)}")
    return torch.device(wish)


def full_scale(device: torch.device) -> bool:
    """Whether to run a notebook's large setting: yes on an accelerator, or anywhere with ``DLUTILS_FULL=1``.

    ``DLUTILS_FULL=0`` asks for the small setting on an accelerator, too.

    Raises:
        ValueError: ``DLUTILS_FULL`` is set to something other than 0 or 1.
    """
    wish = os.environ.get("DLUTILS_FULL", "").strip()
    if wish not in ("", "0", "1"):
        raise ValueError(f"DLUTILS_FULL must be 0 or 1, not {wish!r}")
    return wish == "1" if wish else torch.device(device).type != "cpu"


def _cpu_has_fast_bf16() -> bool:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def _gpu_has_fast_bf16() -> bool:
    return torch.cuda.get_device_capability() >= (8, 0)  # is_bf16_supported() also says yes to slow emulation


def autocast(device: torch.device) -> torch.autocast:
    """Return a context for mixed precision where it pays, and one that does nothing where it does not.

    Matrix products and convolutions run in bfloat16 on CUDA (from the Ampere generation on) and on processors with
    bfloat16 instructions (AMX, AVX-512 BF16); elsewhere everything stays float32. Weights stay float32 in any case,
    so results agree to about three significant digits (https://pytorch.org/docs/stable/amp.html).
    """
    kind = torch.device(device).type
    fast = {"cpu": _cpu_has_fast_bf16, "cuda": _gpu_has_fast_bf16}.get(kind, bool)()
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=fast)
