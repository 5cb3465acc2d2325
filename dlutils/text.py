"""Text to read character by character: one that comes with Python, and one from the web."""

import importlib
import re
from dataclasses import dataclass

import torch

from dlutils.data import DataUnavailable, _fetch_all, _files, say_stand_in

TINY_SHAKESPEARE = _files(
    "text/tinyshakespeare",
    ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",),
    {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
)
BLOCKS, TEST_EVERY = 50, 10  # the Python text is cut into that many stretches, and every so many is held out
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "\u00a0": " "})


@dataclass(frozen=True, eq=False)
class Text:
    """A text in memory, to be learned from and to be predicted, character by character.

    Attributes:
        name: what it is; a stand-in is named as such.
        train, test: the part to learn from and the part held out. No paragraph of the Python text is in both.
        characters: the alphabet, in the order of the numbers that `encode` gives.
        licence: the terms, as its makers state them.
        source: where it came from.
        is_sample: whether this is the text that needs no network.
    """

    name: str
    train: str
    test: str
    characters: str
    licence: str
    source: str
    is_sample: bool = False

    def __repr__(self) -> str:
        sizes = f"{len(self.train):,} characters to learn from and {len(self.test):,} held out"
        return f"{self.name}: {sizes}, {len(self.characters)} different ones, {self.source}"

    def encode(self, text: str) -> torch.Tensor:
        """Return the numbers of the characters of `text`, int64, (len(text),), from 0 to len(self.characters) - 1.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        number = {character: index for index, character in enumerate(self.characters)}
        strange = sorted(set(text) - set(number))
        if strange:
            raise ValueError(f"{strange} are not among the {len(number)} characters of {self.name}")
        return torch.tensor([number[character] for character in text], dtype=torch.int64)

    def decode(self, numbers: torch.Tensor) -> str:
        """Return the text that the numbers (N,) stand for.

        Raises:
            IndexError: a number is not below len(self.characters).
            ValueError: there is more than one axis, or a number is negative.
        """
        if numbers.ndim != 1 or (len(numbers) and numbers.min() < 0):
            raise ValueError(f"need numbers from 0 on, of shape (N,), not {tuple(numbers.shape)}")
        return "".join(self.characters[number] for number in numbers.tolist())


def _text(name: str, train: str, test: str, licence: str, source: str, sample: bool) -> Text:
    return Text(name, train, test, "".join(sorted(set(train) | set(test))), licence, source, sample)


def _python() -> Text:
    """Join the language reference's topics, each paragraph once: several topics share whole sections."""
    topics = importlib.import_module("pydoc_data.topics").topics
    plain = "\n\n".join(topics[name].strip() for name in sorted(topics)).translate(PLAIN)
    plain = re.sub(r"[^\n -~]", "", plain)
    paragraphs = dict.fromkeys(p.rstrip() for p in re.split(r"\n(?: *\n)+", plain) if p.strip())
    size, position = sum(map(len, paragraphs)) / BLOCKS, 0
    parts: dict[bool, list[str]] = {False: [], True: []}
    for paragraph in paragraphs:
        parts[int(position / size) % TEST_EVERY == TEST_EVERY - 1].append(paragraph)
        position += len(paragraph)
    train, test = ("\n\n".join(parts[held_out]) + "\n" for held_out in (False, True))
    licence = "PSF License 2, Python Software Foundation"
    return _text("Python's language reference", train, test, licence, "comes with Python (pydoc_data.topics)", True)


def _tiny_shakespeare() -> Text:
    fetched, source = _fetch_all(TINY_SHAKESPEARE)
    text = fetched[0].decode("utf-8")
    cut = int(0.9 * len(text))  # as nanoGPT does
    return _text("Tiny Shakespeare", text[:cut], text[cut:], "public domain (collected under MIT)", source, False)


def load_text(name: str, sample: bool = False) -> Text:
    """Load a text into memory.

    ``"python"`` is Python's language reference, about 350,000 characters, which comes with every Python. Paragraphs
    that stand in several places are kept once; typographic quotes and dashes become plain ones; of 50 stretches of
    equal length every tenth is held out, at the bounds of paragraphs. Other versions of Python have slightly other
    texts. ``"tinyshakespeare"`` is the first million characters of Shakespeare's plays that Karpathy collected
    (https://github.com/karpathy/char-rnn), the last tenth held out; it is found as `load_dataset` finds its files,
    and where there is no network the Python text stands in, which one line says; look at ``is_sample``.

    Args:
        name: ``"python"`` or ``"tinyshakespeare"``.
        sample: take the text that needs no network, whatever the name.

    Raises:
        ValueError: there is no text of that name.
        DataCorrupted: a source gave bytes that are not the official ones; the message has both digests.
        OSError: the bytes can't be kept, for example on a full disk.
    """
    if name not in ("python", "tinyshakespeare"):
        raise ValueError(f"there is no text {name!r}; there are python, tinyshakespeare")
    if sample or name == "python":
        return _python()
    try:
        return _tiny_shakespeare()
    except DataUnavailable:
        stand_in = _python()
        say_stand_in(name, stand_in)
        return stand_in
