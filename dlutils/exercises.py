"""Exercises that answer back: a check reports what is right, missing or wrong, and never raises."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

NOT_YET = "… {title}: not yet. Replace the dots in the cell above with your answer and run it again."


class _NotYet(Exception):
    """The answer is still the untouched stub."""


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.double().numpy() if value.is_floating_point() else value.numpy()
    return np.asarray([_as_array(part) for part in value] if isinstance(value, (list, tuple)) else value)


def expect(actual: Any, expected: Any, what: str, tolerance: float = 1e-6) -> None:
    """Compare one result of an answer with the right one, inside a function decorated with `exercise`.

    Args:
        actual: what the answer gave: a number, string, list, NumPy array or torch tensor.
        expected: what it should be, of the same shape.
        what: names the quantity in the report, e.g. ``"margin([1, 0])"``.
        tolerance: largest absolute plus relative difference allowed between numbers.

    Raises:
        AssertionError: they differ; the message shows both. The decorator turns it into a line of text.
    """
    if actual is None or actual is ...:
        raise _NotYet
    got, right = _as_array(actual), _as_array(expected)
    if got.shape != right.shape:
        raise AssertionError(f"{what} has shape {got.shape}, expected {right.shape}")
    if right.dtype.kind in "fciub" and got.dtype.kind in "fciub":
        same = np.allclose(got, right, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = np.array_equal(got, right)
    if not same:
        shown = [np.array2string(a, precision=8, threshold=10) for a in (got, right)]
        raise AssertionError(f"{what} is {shown[0]}, expected {shown[1]}")


def _where(error: BaseException) -> str:
    """Name the learner's own line nearest to the error: the last frame that was typed into a cell."""
    frames = traceback.extract_tb(error.__traceback__)
    typed = [f for f in frames if f.line and ("ipykernel" in f.filename or f.filename.startswith("<ipython-input"))]
    return f" (line {typed[-1].lineno} of its cell: {typed[-1].line})" if typed else ""


def exercise(title: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn a function full of `assert` and `expect` into a check that prints a verdict and never raises.

    The decorated function takes the answer (usually a function the learner wrote) and is called with it. It prints
    ``✔`` when every assertion holds; ``…`` when the answer is still the stub (it returns None or ``...``, or raises
    NotImplementedError); ``✘`` and what is wrong otherwise, also when the answer itself raises.

    Example:
        >>> @exercise("Exercise 1")
        ... def check_square(square):
        ...     expect(square(3), 9, "square(3)")
        >>> check_square(lambda x: x * x)
        ✔ Exercise 1: correct.
    """

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        def report(*answer: Any) -> None:
            try:
                if any(part is None or part is ... for part in answer):
                    raise _NotYet
                check(*answer)
                verdict = f"✔ {title}: correct."
            except (_NotYet, NotImplementedError):
                verdict = NOT_YET.format(title=title)
            except AssertionError as error:
                verdict = f"✘ {title}: {str(error) or 'an assertion failed' + _where(error)}."
            except (Exception, SystemExit) as error:
                verdict = f"✘ {title}: your code raised {type(error).__name__}: {error}{_where(error)}."
            print(verdict, file=sys.stdout)

        report.__doc__, report.__name__ = check.__doc__, check.__name__
        return report

    return decorate
