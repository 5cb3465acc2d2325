"""Exercise checks: they say ✔, … or ✘ and why, and they never raise."""

import linecache
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dlutils import exercise, expect

Verdict = Callable[..., str]


@pytest.fixture
def verdict(capsys: pytest.CaptureFixture[str]) -> Verdict:
    """Return a function that runs a check on an answer and returns its one line."""

    def run(check: Callable[..., None], *answer: Any) -> str:
        assert exercise("Exercise 1")(check)(*answer) is None
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 1, lines
        return lines[0]

    return run


def check_square(square: Callable[[float], Any]) -> None:
    """Check a function that squares."""
    expect(square(3), 9, "square(3)")
    expect(square(-2), 4, "square(-2)")


def raising(error: BaseException) -> Callable[[float], Any]:
    def answer(x: float) -> Any:
        raise error

    return answer


def stub(x: float) -> Any: ...


def test_a_right_answer(verdict: Verdict) -> None:
    assert verdict(check_square, lambda x: x * x) == "✔ Exercise 1: correct."


@pytest.mark.parametrize("answer", [stub, lambda x: None, lambda x: ..., raising(NotImplementedError()), None, ...])
def test_an_untouched_stub(answer: Any, verdict: Verdict) -> None:
    assert verdict(check_square, answer).startswith("… Exercise 1: not yet.")


def test_one_of_several_answers_is_missing(verdict: Verdict) -> None:
    assert "not yet" in verdict(lambda a, b: expect(a, b, "a"), 1, None)


def test_a_wrong_value_shows_both(verdict: Verdict) -> None:
    assert verdict(check_square, lambda x: 2 * x) == "✘ Exercise 1: square(3) is 6, expected 9."


def test_a_wrong_shape_shows_both(verdict: Verdict) -> None:
    line = verdict(check_square, lambda x: np.full((1,), x * x))
    assert line == "✘ Exercise 1: square(3) has shape (1,), expected ()."


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("division by zero"), KeyError("w"), RecursionError(), StopIteration(), MemoryError(),
        SystemExit(3), torch.OutOfMemoryError("too much"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ],
)  # fmt: skip
def test_an_answer_that_raises(error: BaseException, verdict: Verdict) -> None:
    line = verdict(check_square, raising(error))
    assert line.startswith(f"✘ Exercise 1: your code raised {type(error).__name__}: {error}")


def test_an_answer_that_leaves_python(verdict: Verdict) -> None:
    assert "your code raised SystemExit" in verdict(check_square, lambda x: sys.exit("bye"))


def test_an_answer_that_runs_for_ever_can_be_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt):
        exercise("Exercise 1")(check_square)(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("answer", [3, "square", [1, 2], lambda: 9, lambda x, y: 9, {}, object()])
def test_an_answer_of_another_kind(answer: Any, verdict: Verdict) -> None:
    assert verdict(check_square, answer).startswith("✘ Exercise 1: your code raised TypeError")


@pytest.mark.parametrize(
    "value",
    [
        9, 9.0, np.float32(9), np.array(9), torch.tensor(9), torch.tensor(9.0, dtype=torch.bfloat16), True * 9,
        torch.tensor(9.0, requires_grad=True), torch.tensor(9 + 0j, requires_grad=True), 9 + 1e-7,
    ],
)  # fmt: skip
def test_many_ways_to_say_nine(value: Any, verdict: Verdict) -> None:
    assert verdict(lambda answer: expect(answer, 9, "the answer"), value).startswith("✔")


WEIGHTS = torch.tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize(
    ("got", "right"),
    [
        ([1.0, 2.0], (1, 2)),
        (WEIGHTS, [1, 2]),
        ([WEIGHTS[0], WEIGHTS[1]], [1, 2]),
        ([WEIGHTS, WEIGHTS], [[1, 2], [1, 2]]),
        ((np.float64(1), torch.tensor(2)), [1, 2]),
        ("cat", "cat"),
        (["cat", "dog"], ("cat", "dog")),
        ({"a": 1}, {"a": 1}),
        ([], []),
        ([float("nan"), float("inf")], torch.tensor([float("nan"), float("inf")])),
        (torch.tensor([True, False]), [True, False]),
        (torch.zeros(2, 0), np.zeros((2, 0))),
    ],
)
def test_equal(got: Any, right: Any) -> None:
    expect(got, right, "it")


@pytest.mark.parametrize(
    ("got", "right"),
    [
        ([1, 2], [2, 1]), (WEIGHTS, [1, 2.1]), ("cat", "dog"), ("9", 9), (9, "9"), (["cat"], "cat"), ([1], [[1]]),
        ({"a": 1}, {"a": 2}), (float("nan"), 9), (9, float("nan")), (float("inf"), -float("inf")), ([], 0),
        (check_square, 9), ((None, 1), (0, 1)), (1 + 1e-5, 1), (torch.ones(3), torch.ones(3, 1)), (1j, 1), (10**30, 9),
    ],
)  # fmt: skip
def test_different(got: Any, right: Any) -> None:
    with pytest.raises(AssertionError, match=r"^it (is|has shape) .+, expected "):
        expect(got, right, "it")


def test_a_difference_that_counts_can_be_seen(verdict: Verdict) -> None:
    with pytest.raises(AssertionError) as caught:
        expect(0.12345, 0.12346, "it")
    assert str(caught.value) == "it is 0.12345, expected 0.12346"


def test_the_tolerance() -> None:
    expect(1.05, 1.0, "it", tolerance=0.1)
    with pytest.raises(AssertionError):
        expect(1.25, 1.0, "it", tolerance=0.1)


def test_a_long_array_is_shortened(verdict: Verdict) -> None:
    line = verdict(lambda answer: expect(answer, np.zeros(10_000), "it"), np.ones(10_000))
    assert "..." in line and len(line) < 200


def test_a_ragged_list_is_reported(verdict: Verdict) -> None:
    assert verdict(lambda answer: expect(answer, [[1, 2], [3, 4]], "it"), [[1, 2], [3]]).startswith("✘")


def test_a_plain_assert_may_carry_a_message(verdict: Verdict) -> None:
    def check(answer: int) -> None:
        if answer <= 3:  # what `assert` does, which pytest would rewrite here
            raise AssertionError("the answer must be greater than 3")

    assert verdict(check, 2) == "✘ Exercise 1: the answer must be greater than 3."
    assert verdict(check, 4).startswith("✔")


CELL = """\
def check(divide):
    assert divide(6, 3) == 2
def divide(a, b):
    b = b - 3
    return np.divide(int(a), a) if a < 0 else a / b
def wrong(a, b):
    return 7
"""


@pytest.mark.parametrize("filename", ["/somewhere/ipykernel_7/42.py", "<ipython-input-3-abc>"])
def test_the_line_of_the_cell_is_named(filename: str, verdict: Verdict) -> None:
    linecache.cache[filename] = (len(CELL), None, CELL.splitlines(keepends=True), filename)
    cell: dict[str, Any] = {"np": np}
    exec(compile(CELL, filename, "exec"), cell)
    line = verdict(cell["check"], cell["divide"])
    assert "raised ZeroDivisionError: division by zero (line 5 of its cell: return np.divide" in line
    line = verdict(cell["check"], cell["wrong"])
    assert line == "✘ Exercise 1: an assertion failed (line 2 of its cell: assert divide(6, 3) == 2)."


def test_code_without_a_cell_names_no_line(verdict: Verdict) -> None:
    code = "def answer(x): return 1 / 0"
    for filename in ("", "<string>"):
        space: dict[str, Any] = {}
        exec(compile(code, filename, "exec"), space)
        assert verdict(check_square, space["answer"]).endswith("raised ZeroDivisionError: division by zero.")


def test_the_check_keeps_its_name_and_docstring() -> None:
    report = exercise("Exercise 1")(check_square)
    assert (report.__name__, report.__doc__) == ("check_square", check_square.__doc__)


def test_the_example_in_the_docstring(verdict: Verdict) -> None:
    promised = re.findall(r"✔.*", exercise.__doc__)[-1]
    assert verdict(lambda square: expect(square(3), 9, "square(3)"), lambda x: x * x) == promised
