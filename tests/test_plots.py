"""Figures: what is drawn, what is refused, and the words that stand in for the picture."""

import base64
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from nbclient import NotebookClient

import dlutils.plots
from dlutils import COLORS, image_grid, learning_curve, show, use_style

ALT = "The loss falls from 2.3 to 0.1 in ten epochs."


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw without a screen, and leave matplotlib as it was."""
    with mpl.rc_context():
        plt.switch_backend("agg")
        use_style()
        yield
        plt.close("all")


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Collect the (data, metadata) of everything that is displayed."""
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []
    monkeypatch.setattr(dlutils.plots, "display", lambda data, raw, metadata: seen.append((data, metadata)))
    return seen


# ---------------------------------------------------------------- the style


def test_every_line_has_a_colour_and_a_dash_of_its_own() -> None:
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1], [i, i])[0] for i in range(len(COLORS))]
    assert [to_hex(line.get_color()).upper() for line in lines] == list(COLORS)
    assert len(set(COLORS)) == len({str(line._unscaled_dash_pattern) for line in lines}) == 8


def test_the_ground_is_white_and_the_text_can_be_read() -> None:
    assert mpl.rcParams["figure.facecolor"] == mpl.rcParams["savefig.facecolor"] == "white"
    assert min(mpl.rcParams[name] for name in ("font.size", "axes.labelsize", "axes.titlesize")) >= 10


# ---------------------------------------------------------------- show


def test_show_stores_the_alternative_text_and_closes_the_figure(displayed: list[Any]) -> None:
    fig, ax = plt.subplots()
    ax.plot([0, 1])
    show(fig, alt=ALT)
    [(data, metadata)] = displayed
    assert metadata == {"image/png": {"alt": ALT}}
    assert data["text/plain"] == f"[Figure: {ALT}]"
    assert data["image/png"].startswith(b"\x89PNG\r\n")
    assert not plt.fignum_exists(fig.number)


def test_the_same_figure_gives_the_same_bytes(displayed: list[Any]) -> None:
    for _ in range(2):
        show(learning_curve({"train": [3, 2, 1]}, "The loss falls"), alt=ALT)
    assert displayed[0][0]["image/png"] == displayed[1][0]["image/png"]


@pytest.mark.parametrize("alt", ["", "a plot", " " * 40, "loss".ljust(30)])
def test_a_short_alternative_text_is_refused(alt: str, displayed: list[Any]) -> None:
    with pytest.raises(ValueError, match="too short"):
        show(plt.figure(), alt=alt)
    assert displayed == []


def test_the_alternative_text_reaches_the_notebook() -> None:
    code = f"import matplotlib.pyplot as plt, dlutils\nfig, ax = plt.subplots()\ndlutils.show(fig, alt={ALT!r})"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    [output] = notebook.cells[0].outputs  # one: a figure that stayed open would be shown a second time
    assert output.output_type == "display_data"
    assert output.metadata["image/png"]["alt"] == ALT and output.data["text/plain"] == f"[Figure: {ALT}]"
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


# ---------------------------------------------------------------- image_grid


def pixels(ax: plt.Axes) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


@pytest.mark.parametrize("shape", [(5, 8, 6), (5, 1, 8, 6), (5, 3, 8, 6), (1, 8, 6), (5, 1, 1, 6), (5, 1, 1)])
@pytest.mark.parametrize("kind", ["uint8", "float", "tensor", "bfloat16", "grad", "bool"])
def test_image_grid_accepts(shape: tuple[int, ...], kind: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = {
        "uint8": lambda: array,
        "float": lambda: array / 255,
        "tensor": lambda: torch.from_numpy(array),
        "bfloat16": lambda: torch.from_numpy(array).to(torch.bfloat16),
        "grad": lambda: torch.from_numpy(array).float().requires_grad_(),
        "bool": lambda: array > 127,
    }[kind]()
    fig = image_grid(images, columns=3)
    drawn = [ax for ax in fig.axes if ax.images]
    assert len(drawn) == shape[0] and len(fig.axes) == (1 if shape[0] == 1 else 6)
    assert not any(ax.axison for ax in fig.axes), "no frame, not even around the empty places"
    fig.canvas.draw()


@pytest.mark.parametrize("shape", [(8, 6), (5, 2, 8, 6), (5, 8, 6, 3), (0, 8, 6), (5, 1, 1, 8, 6), (3,), ()])
def test_image_grid_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="images must have shape"):
        image_grid(np.zeros(shape))
    assert plt.get_fignums() == []


def test_image_grid_shows_the_values() -> None:
    bytes_ = np.array([[[0, 51], [102, 255]]], np.uint8)
    np.testing.assert_allclose(pixels(image_grid(bytes_).axes[0]).squeeze(), [[0, 0.2], [0.4, 1]])
    floats = np.array([[[-1.0, 0.0]], [[1.0, 3.0]]])  # scaled together, not one by one
    drawn = [pixels(ax).squeeze() for ax in image_grid(floats).axes]
    np.testing.assert_allclose(drawn, [[0, 0.25], [0.5, 1]])
    assert np.isfinite(pixels(image_grid(np.ones((1, 2, 2))).axes[0])).all()
    colour = np.zeros((1, 3, 2, 2), np.uint8)
    colour[0, 2] = 255
    assert pixels(image_grid(colour).axes[0])[0, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("titles", [["a", "b", "c"], ("a", "b", "c"), np.array(["a", "b", "c"])])
def test_image_grid_titles(titles: Any) -> None:
    fig = image_grid(np.zeros((3, 4, 4)), titles=titles, columns=2, title="Three black squares", size=0.8)
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c", ""]
    assert fig.get_suptitle() == "Three black squares"
    assert fig.get_size_inches()[0] == pytest.approx(1.6)


def test_image_grid_refuses_a_wrong_number_of_titles() -> None:
    with pytest.raises(ValueError, match="2 titles for 3 images"):
        image_grid(np.zeros((3, 4, 4)), titles=["a", "b"])


# ---------------------------------------------------------------- learning_curve


def test_learning_curve() -> None:
    curves = {"train": [3.0, 2.0, 1.0], "test": np.array([3.5, 2.5, 2.0])}
    fig = learning_curve(curves, "The gap opens after two epochs", ylabel="loss (nats)")
    [ax] = fig.axes
    for line, (label, values) in zip(ax.lines, curves.items(), strict=True):
        assert line.get_label() == label and line.get_ydata().tolist() == list(values)
        assert list(line.get_xdata()) == [1, 2, 3]
    cues = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.lines]
    assert all(a != b for a, b in zip(*cues, strict=True)), "colour, dash and marker all differ"
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == (
        "The gap opens after two epochs",
        "epoch",
        "loss (nats)",
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "test"]


def test_learning_curve_on_given_axes_and_positions() -> None:
    fig, (left, right) = plt.subplots(1, 2)
    assert learning_curve({"a": [1, 2]}, "t", x=[10, 20], ax=right) is fig
    assert list(right.lines[0].get_xdata()) == [10, 20] and not left.lines


def test_learning_curve_with_one_point_and_with_many() -> None:
    learning_curve({"one": [1.0]}, "t").canvas.draw()
    [ax] = learning_curve({"many": np.arange(1000.0)}, "t").axes
    assert 1000 / ax.lines[0].get_markevery() < 20, "markers must not cover the line"


@pytest.mark.parametrize(("curves", "x"), [({}, None), ({"a": [1, 2]}, [1]), ({"a": [1, 2], "b": [1]}, [1, 2])])
def test_learning_curve_refuses(curves: dict[str, list[int]], x: list[int] | None) -> None:
    with pytest.raises(ValueError, match=r"no curve|values for"):
        learning_curve(curves, "t", x=x)
