"""Texts: the one that comes with Python is whole, plain and fairly split; the one from the web is the official one."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from http_server import Server, dead_host

import dlutils.data
import dlutils.text
from dlutils import DataCorrupted, Text, load_text

pytestmark = pytest.mark.usefixtures("alone")
OFFICIAL = Path(os.environ.get("DLUTILS_MIRROR") or "no mirror is set").expanduser()  # before any test changes it
NAME = "text/tinyshakespeare/input.txt"
PLAY = "First Citizen:\nBefore we proceed any further, hear me speak.\n" * 20


@pytest.fixture(scope="module")
def python() -> Text:
    return load_text("python")


def believe_in(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Make dlutils believe that PLAY is Tiny Shakespeare, served by `host`."""
    digest = hashlib.sha256(PLAY.encode()).hexdigest()
    files = dlutils.data._files("text/tinyshakespeare", (f"{host}/text/tinyshakespeare/",), {"input.txt": digest})
    monkeypatch.setattr(dlutils.text, "TINY_SHAKESPEARE", files)


# The text that comes with Python


def test_the_python_text_is_large_plain_and_split(python: Text) -> None:
    assert python.is_sample and 300_000 < len(python.train) < 500_000
    assert 0.08 < len(python.test) / (len(python.train) + len(python.test)) < 0.12
    assert set(python.train) | set(python.test) == set(python.characters)
    assert all(c == "\n" or " " <= c <= "~" for c in python.characters)
    assert list(python.characters) == sorted(set(python.characters))
    assert "assert_stmt" in python.train + python.test, "the grammar is in it"
    assert str(len(python.train) // 1000) in repr(python)


def test_no_paragraph_stands_twice_or_on_both_sides(python: Text) -> None:
    paragraphs = Counter(p for part in (python.train, python.test) for p in part.removesuffix("\n").split("\n\n"))
    assert len(paragraphs) > 1000 and set(paragraphs.values()) == {1}


def test_quotes_and_dashes_become_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    import pydoc_data.topics

    paragraphs = [f"paragraph {n} says “x” – ‘y’… ß" for n in range(100)]
    monkeypatch.setattr(pydoc_data.topics, "topics", {"b": "\n\n".join(paragraphs), "a": paragraphs[0] + "\n \n\nend"})
    text = load_text("python")
    lines = text.train.split("\n\n")
    assert lines[0] == """paragraph 0 says "x" - 'y'... """.rstrip() and lines[1] == "end", "in the order of the names"
    assert len(lines) + len(text.test.split("\n\n")) == 101, "every paragraph once"


def test_encode_and_decode_are_inverse(python: Text) -> None:
    numbers = python.encode(python.test)
    assert numbers.dtype == torch.int64 and numbers.shape == (len(python.test),)
    assert 0 <= numbers.min() and numbers.max() < len(python.characters)
    assert python.decode(numbers) == python.test
    assert python.encode("").shape == (0,) and python.decode(python.encode("")) == ""


def test_strange_characters_and_numbers_are_refused(python: Text) -> None:
    with pytest.raises(ValueError, match=r"'☃'.*not among"):
        python.encode("snow☃man")
    with pytest.raises(IndexError):
        python.decode(torch.tensor([len(python.characters)]))
    with pytest.raises(ValueError, match="from 0 on"):
        python.decode(torch.tensor([-1]))
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        python.decode(torch.zeros(1, 2, dtype=torch.int64))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'hamlet'.*python, tinyshakespeare"):
        load_text("hamlet")


# The text from the web


def test_shakespeare_is_fetched_verified_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Server() as server:
        believe_in(monkeypatch, server.host)
        server.files[NAME] = PLAY.encode()
        text = load_text("tinyshakespeare")
        assert text.train + text.test == PLAY and len(text.train) == int(0.9 * len(PLAY)) and not text.is_sample
        assert server.host in text.source and (tmp_path / "cache" / NAME).read_bytes() == PLAY.encode()
        load_text("tinyshakespeare")
        assert len(server.asked) == 1, "the second time it comes from the cache"


def test_wrong_bytes_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Server() as server:
        believe_in(monkeypatch, server.host)
        server.files[NAME] = b"To be, or not to be"
        with pytest.raises(DataCorrupted, match=hashlib.sha256(b"To be, or not to be").hexdigest()):
            load_text("tinyshakespeare")
    assert not (tmp_path / "cache" / NAME).exists()


def test_without_a_network_the_python_text_stands_in_and_says_so(
    monkeypatch: pytest.MonkeyPatch, python: Text, capsys: pytest.CaptureFixture[str]
) -> None:
    believe_in(monkeypatch, dead_host())
    text = load_text("tinyshakespeare")
    out = capsys.readouterr().out
    assert text.is_sample and text.train == python.train
    assert out.count("\n") == 1 and "tinyshakespeare could not be reached" in out and python.name in out


def test_the_sample_asks_nobody(monkeypatch: pytest.MonkeyPatch, python: Text) -> None:
    monkeypatch.setattr(dlutils.text, "_fetch_all", lambda files: pytest.fail("asked for a file"))
    assert load_text("tinyshakespeare", sample=True).train == python.train


@pytest.mark.skipif(not (OFFICIAL / NAME).is_file(), reason="needs a mirror with the official file")
def test_the_official_file_is_the_expected_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_MIRROR", str(OFFICIAL))
    text = load_text("tinyshakespeare")
    assert (len(text.train), len(text.test), len(text.characters)) == (1_003_854, 111_540, 65)
    assert text.train.startswith("First Citizen:")
