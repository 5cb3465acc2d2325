"""A small "official" set of files and a web server that gives them well, badly, or not at all.

Run as a program, it loads one data set in a process of its own, believing in the small files:

    python tests/http_server.py http://127.0.0.1:PORT fashion_mnist
"""

import functools
import gzip
import hashlib
import io
import pickle
import socket
import sys
import tarfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

import dlutils
import dlutils.data

ARCHIVE = "cifar-10-python.tar.gz"
IDX_FOLDERS = {"MNIST": "mnist", "FASHION_MNIST": "fashion-mnist"}
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


def idx_file(array: np.ndarray) -> bytes:
    """Write an array of bytes as a gzipped IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def tar_file(files: Mapping[str, bytes]) -> bytes:
    """Pack files into a .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def cifar10_batch(seed: int) -> bytes:
    """Pickle four random pictures the way CIFAR-10 is pickled."""
    rng = np.random.default_rng(seed)
    return pickle.dumps({"data": rng.integers(0, 256, (4, 3072), np.uint8), "labels": [0, 3, 9, seed]}, protocol=2)


@functools.cache
def official_files() -> dict[str, bytes]:
    """Return the whole small "official" set: 40 + 10 digits, 40 + 10 clothes, 20 + 4 pictures; name to bytes."""
    files = {}
    for seed, folder in enumerate(IDX_FOLDERS.values()):
        rng = np.random.default_rng(seed)
        for part, n in (("train", 40), ("t10k", 10)):  # random, so that 40 images stay 31 kB when they are gzipped
            files[f"{folder}/{part}-images-idx3-ubyte.gz"] = idx_file(rng.integers(0, 256, (n, 28, 28)))
            files[f"{folder}/{part}-labels-idx1-ubyte.gz"] = idx_file(np.arange(n) % 10)
    batches = {f"cifar-10-batches-py/{name}": cifar10_batch(seed) for seed, name in enumerate(BATCHES)}
    return files | batches | {ARCHIVE: tar_file(batches)}


def constants(*hosts: str) -> dict[str, Any]:
    """Return values for the constants of `dlutils.data`: the small files, their true sums, the given hosts."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in official_files().items()}

    def files(folder: str, hosts: tuple[str, ...]) -> Any:
        inside = {name.split("/")[1]: digest for name, digest in sums.items() if name.startswith(f"{folder}/")}
        return dlutils.data._files(folder, tuple(f"{host}/{folder}/" for host in hosts), inside)

    return {constant: files(folder, hosts) for constant, folder in IDX_FOLDERS.items()} | {
        "CIFAR10_BATCHES": files("cifar-10-batches-py", ()),
        "CIFAR10_ARCHIVE": dlutils.data._File(ARCHIVE, sums[ARCHIVE], tuple(f"{host}/{ARCHIVE}" for host in hosts)),
    }


def dead_host() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def summary(dataset: dlutils.Dataset) -> str:
    """Return a digest of every tensor of a data set, to compare what two processes loaded."""
    tensors = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()


class Server(ThreadingHTTPServer):
    """Serve files on a free port of 127.0.0.1, in a thread, as long as the context lasts.

    Attributes:
        files: name to bytes, at first the small "official" set.
        behaviour: "good"; "wrong" (one bit differs); "truncated" (half of the promised length, then the end); "flaky"
            (truncated when a file is asked for the first time, good from then on); "stall" (half, then silence);
            "meet" (half, then wait until somebody else asks for the same file); or a status ("404").
        asked: the names that were asked for, in order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.behaviour, self.asked = dict(official_files()), "good", []
        self.over = threading.Event()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Server":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing where a client hangs up: that is what the tests make it do."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, behaviour = self.path.lstrip("/"), self.server.behaviour
        self.server.asked.append(name)
        if behaviour == "flaky":
            behaviour = "truncated" if self.server.asked.count(name) == 1 else "good"
        if behaviour.isdigit() or name not in self.server.files:
            return self.send_error(int(behaviour) if behaviour.isdigit() else 404)
        body = self.server.files[name]
        if behaviour == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        while behaviour == "stall" or (behaviour == "meet" and self.server.asked.count(name) < 2):
            if self.server.over.wait(0.02):
                return
        if behaviour != "truncated":
            self.wfile.write(body[len(body) // 2 :])

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    for constant, value in constants(sys.argv[1]).items():
        setattr(dlutils.data, constant, value)
    print(summary(dlutils.load_dataset(sys.argv[2])))
