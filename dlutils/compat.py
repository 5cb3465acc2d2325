"""One work-around, kept in one place until nobody needs it."""

import importlib
import importlib.util
from types import ModuleType

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library: torch.library.Library | None = None  # a torch.library.Library unregisters its operators when it is freed


def import_torchvision() -> ModuleType:
    """Import torchvision, also where its compiled operators do not match the installed torch.

    A torchvision wheel built for CUDA can't load its C++ operators beside a CPU-only torch, and then `import
    torchvision` fails with "operator torchvision::nms does not exist", because torchvision registers Python code for
    operators nobody has declared. Declaring the two schemas first is enough for transforms, datasets and models to
    work. The compiled operators themselves (nms, roi_align) stay missing and raise RuntimeError when called.

    Returns:
        The module `torchvision`. Calling this again is free.

    Raises:
        ModuleNotFoundError: torchvision is not installed; the message says how to install it.
    """
    global _library
    if importlib.util.find_spec("torchvision") is None:
        raise ModuleNotFoundError('torchvision is not installed: run  pip install "dlutils[vision]"')
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error) or _library is not None:
            raise
    _library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        _library.define(schema)
    return importlib.import_module("torchvision")
