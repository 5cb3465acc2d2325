"""Data sets from a cache, a mirror or the web: what arrives is right, or the error says what to do."""

import gzip
import hashlib
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import http_server
import numpy as np
import pytest
import torch
from http_server import ARCHIVE, Server, constants, dead_host, official_files, summary

import dlutils.data
from dlutils import DataCorrupted, Dataset, DataUnavailable, import_torchvision, load_dataset, minibatches
from dlutils.shapes import draw_shapes

pytestmark = pytest.mark.usefixtures("alone")
OFFICIAL = Path(os.environ.get("DLUTILS_MIRROR") or "no mirror is set").expanduser()  # before any test changes it
FIRST = "fashion-mnist/train-images-idx3-ubyte.gz"
CLOTHES = [name for name in official_files() if name.startswith("fashion-mnist/")]
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
Hosts = Callable[..., None]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Return a function that makes dlutils believe in the small files, served by the given hosts."""

    def patch(*addresses: str) -> None:
        for name, value in constants(*addresses).items():
            monkeypatch.setattr(dlutils.data, name, value)

    return patch


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(official_files()[name])
    return folder


def damage(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return bytes(data)


def assert_is_right(dataset: Dataset, folder: str = "fashion-mnist") -> None:
    """Compare every pixel and label with the small "official" files, parsed here a second time."""
    for part, images, labels, n in (
        ("train", dataset.train_images, dataset.train_labels, 40),
        ("t10k", dataset.test_images, dataset.test_labels, 10),
    ):
        pixels = gzip.decompress(official_files()[f"{folder}/{part}-images-idx3-ubyte.gz"])[16:]
        assert images.dtype == torch.uint8 and images.numpy().tobytes() == pixels
        assert images.shape == (n, 1, 28, 28)
        assert labels.dtype == torch.int64 and labels.tolist() == [i % 10 for i in range(n)]
    assert not dataset.is_sample


# ---------------------------------------------------------------- downloads


@pytest.mark.parametrize(("name", "folder"), [("mnist", "mnist"), ("fashion_mnist", "fashion-mnist")])
def test_a_good_download_is_kept(name: str, folder: str, server: Server, hosts: Hosts, cache: Path) -> None:
    hosts(server.host)
    first = load_dataset(name)
    assert_is_right(first, folder)
    assert server.host in first.source and len(server.asked) == 4
    assert files_in(cache) == {name: data for name, data in official_files().items() if name.startswith(f"{folder}/")}

    second = load_dataset(name)
    assert_is_right(second, folder)
    assert len(server.asked) == 4, "the second load must not ask the server again"
    assert str(cache) in second.source


@pytest.mark.parametrize("behaviour", ["truncated", "404", "500"])
def test_a_broken_answer_is_an_error_and_leaves_nothing(
    behaviour: str, server: Server, hosts: Hosts, cache: Path
) -> None:
    hosts(server.host)
    server.behaviour = behaviour
    with pytest.raises(DataUnavailable, match=f"HTTP {behaviour}" if behaviour.isdigit() else server.host):
        load_dataset("fashion_mnist")
    assert files_in(cache) == {}

    server.behaviour = "good"
    assert_is_right(load_dataset("fashion_mnist"))


def test_wrong_bytes_are_refused_with_both_digests(server: Server, hosts: Hosts, cache: Path) -> None:
    hosts(server.host)
    server.behaviour = "wrong"
    right = official_files()[FIRST]
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(DataCorrupted) as caught:
        load_dataset("fashion_mnist")
    assert {hashlib.sha256(data).hexdigest() for data in (right, wrong)} <= set(DIGEST.findall(str(caught.value)))
    assert files_in(cache) == {}


def test_wrong_bytes_are_no_reason_to_fall_back_to_the_sample(server: Server, hosts: Hosts) -> None:
    hosts(server.host)
    server.behaviour = "wrong"
    with pytest.raises(DataCorrupted):
        load_dataset("mnist")


def test_a_server_that_falls_silent_is_given_up(
    server: Server, hosts: Hosts, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(server.host)
    server.behaviour = "stall"
    monkeypatch.setattr(dlutils.data, "TIMEOUT", (0.5, 0.5))
    began = time.monotonic()
    with pytest.raises(DataUnavailable, match=server.host):
        load_dataset("fashion_mnist")
    assert time.monotonic() - began < 20
    assert files_in(cache) == {}


@pytest.mark.parametrize("first", ["dead", "404", "500", "truncated", "wrong"])
def test_the_second_host_helps_out(first: str, server: Server, hosts: Hosts) -> None:
    with Server() as bad:
        bad.behaviour = first
        hosts(dead_host() if first == "dead" else bad.host, server.host)
        dataset = load_dataset("fashion_mnist")
        assert_is_right(dataset)
        assert server.host in dataset.source
        assert len(bad.asked) == (0 if first == "dead" else 4)


def test_every_address_gets_a_second_chance(
    server: Server, hosts: Hosts, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlutils.data, "ROUNDS", 2)
    server.behaviour = "flaky"
    hosts(server.host)
    assert_is_right(load_dataset("fashion_mnist"))
    assert server.asked == [name for name in CLOTHES for _ in range(2)]

    server.behaviour = "500"
    server.asked.clear()
    shutil.rmtree(cache)
    with pytest.raises(DataUnavailable) as caught:
        load_dataset("fashion_mnist")
    assert len(server.asked) == 2 and str(caught.value).count("HTTP 500") == 1, "a reason is given once"


# ---------------------------------------------------------------- killed, and two at once


def start(server: Server, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = (*before, sys.executable, "-B", http_server.__file__, server.host, "fashion_mnist")
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_download_that_was_killed_does_no_harm(server: Server, hosts: Hosts, cache: Path) -> None:
    server.behaviour = "stall"
    process = start(server)
    deadline = time.monotonic() + 60
    while not server.asked and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.asked == [FIRST] and process.poll() is None, "it must be in the middle of the download"
    process.kill()
    process.communicate()
    assert os.name != "posix" or process.returncode == -signal.SIGKILL
    assert FIRST not in files_in(cache), "half a file must not have the name of the whole one"

    hosts(server.host)
    server.behaviour = "404"
    with pytest.raises(DataUnavailable):  # nor may it be taken for data now
        load_dataset("fashion_mnist")
    server.behaviour = "good"
    assert_is_right(load_dataset("fashion_mnist"))


def test_a_process_that_was_killed_while_it_wrote_does_no_harm(server: Server, hosts: Hosts, cache: Path) -> None:
    arguments = [http_server.__file__, server.host, "fashion_mnist"]
    script = (
        "import os, runpy, shutil, sys\n"
        "shutil.move = lambda *_: os.kill(os.getpid(), 9)\n"  # written and verified, not yet renamed
        f"sys.argv = {arguments!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode != 0
    [left_over] = files_in(cache)
    assert left_over != FIRST

    hosts(server.host)
    server.behaviour = "404"
    with pytest.raises(DataUnavailable):
        load_dataset("fashion_mnist")
    server.behaviour = "good"
    assert_is_right(load_dataset("fashion_mnist"))
    assert sorted(files_in(cache)) == sorted([*CLOTHES, left_over])


def test_two_processes_at_once(server: Server, hosts: Hosts, cache: Path) -> None:
    server.behaviour = "meet"  # each has half of a file when the other asks for it
    processes = [start(server) for _ in range(2)]
    results = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    assert [server.asked.count(name) for name in CLOTHES] == [2, 2, 2, 2]

    hosts(server.host)
    dataset = load_dataset("fashion_mnist")
    assert_is_right(dataset)
    assert [out.strip() for out, _ in results] == [summary(dataset)] * 2
    assert sorted(files_in(cache)) == sorted(CLOTHES)


# ---------------------------------------------------------------- no network


@pytest.mark.parametrize(("name", "first_words"), [("mnist", "mnist could not"), ("cifar10", "cifar10 could not")])
def test_without_a_network_the_sample_steps_in_and_one_line_says_so(
    name: str, first_words: str, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hosts(dead_host(), dead_host())
    monkeypatch.setattr(dlutils.data, "ROUNDS", 2)
    monkeypatch.setattr(dlutils.data, "draw_shapes", lambda n, seed: draw_shapes(n // 20, seed))  # quicker
    began = time.monotonic()
    dataset = load_dataset(name)
    assert time.monotonic() - began < 30
    assert dataset.is_sample and len(dataset.train_images) >= 500
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and out.startswith(first_words) and repr(dataset) in out
    assert err == ""


def test_without_a_network_and_without_a_sample_the_error_says_what_to_do(hosts: Hosts, cache: Path) -> None:
    addresses = dead_host(), dead_host()
    hosts(*addresses)
    began = time.monotonic()
    with pytest.raises(DataUnavailable) as caught:
        load_dataset("fashion_mnist")
    assert time.monotonic() - began < 20
    message = str(caught.value)
    assert all(f"{addresses[1]}/{name}" in message for name in CLOTHES)
    assert f"put them into {cache / 'fashion-mnist'}" in message

    fill(cache, CLOTHES)  # a learner who does what it says is served
    assert_is_right(load_dataset("fashion_mnist"))


# ---------------------------------------------------------------- caches that can't be written


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("not a folder")
    return tmp_path / "file" / "cache"


def below_proc(_: Path) -> Path:
    if not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    return Path("/proc/dlutils")


def without_permission(tmp_path: Path) -> Path:
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("permission bits do not bind here (root, or not POSIX)")
    (tmp_path / "closed").mkdir(mode=0o500)
    return tmp_path / "closed" / "cache"


unwritable = pytest.mark.parametrize("make", [below_a_file, below_proc, without_permission])


@unwritable
def test_a_cache_that_cannot_be_written_costs_one_line(
    make: Callable[[Path], Path], server: Server, hosts: Hosts, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = make(tmp_path)
    monkeypatch.setenv("DLUTILS_DATA", str(folder))
    hosts(server.host)
    assert_is_right(load_dataset("fashion_mnist"))
    assert_is_right(load_dataset("fashion_mnist"))
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and str(folder) in out and "DLUTILS_DATA" in out
    assert len(server.asked) == 8 and not folder.exists()


@unwritable
def test_nothing_is_said_where_nothing_is_to_be_kept(
    make: Callable[[Path], Path], hosts: Hosts, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("DLUTILS_DATA", str(make(tmp_path)))
    monkeypatch.setenv("DLUTILS_MIRROR", str(fill(tmp_path / "mirror", CLOTHES)))
    hosts(dead_host())
    assert_is_right(load_dataset("fashion_mnist"))
    assert capfd.readouterr() == ("", "")


def in_a_small_world(mount_options: str, cache: Path, server: Server) -> tuple[int, str, str, list[str]]:
    """Load the clothes with a file system of its own mounted on the cache; return what came and what was left there."""
    cache.mkdir()
    if sys.platform != "linux" or not shutil.which("unshare"):
        pytest.skip("needs Linux and unshare")
    mount = f'mount -t tmpfs -o {mount_options} tmpfs "$0"'
    unshare = ("unshare", "--map-root-user", "--mount", "sh", "-c")
    if subprocess.run([*unshare, mount, str(cache)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    script = f'{mount}; "$@"; code=$?; find "$0" -type f | sed "s/^/LEFT /"; exit $code'
    process = start(server, (*unshare, script, str(cache)))
    out, err = process.communicate(timeout=90)
    return process.returncode, out, err, [line for line in out.splitlines() if line.startswith("LEFT ")]


def test_a_file_system_that_is_read_only_costs_one_line(server: Server, hosts: Hosts, cache: Path) -> None:
    code, out, err, left = in_a_small_world("ro", cache, server)
    assert code == 0, err
    assert left == []
    line, digest = out.splitlines()
    hosts(server.host)
    assert str(cache) in line and digest == summary(load_dataset("fashion_mnist"))


def test_a_full_disk_is_a_clear_error(server: Server, cache: Path) -> None:
    code, _, err, left = in_a_small_world("size=16k", cache, server)
    assert code == 1 and left == []
    assert f"OSError: {cache / FIRST} can't be written: " in err and "Free some space" in err
    assert server.asked == [FIRST], "another host has no larger disk"


@pytest.mark.skipif(os.name != "posix", reason="needs ulimit")
def test_a_limit_on_file_sizes_is_a_clear_error(server: Server, hosts: Hosts, cache: Path) -> None:
    process = start(server, ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh"))
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1
    assert f"OSError: {cache / FIRST} can't be written: " in err and "DLUTILS_DATA" in err
    assert files_in(cache) == {}

    hosts(server.host)
    assert_is_right(load_dataset("fashion_mnist"))


# ---------------------------------------------------------------- a cache that was damaged


def test_a_damaged_file_is_fetched_again(server: Server, hosts: Hosts, cache: Path) -> None:
    hosts(server.host)
    load_dataset("fashion_mnist")
    damage(cache / FIRST)
    assert_is_right(load_dataset("fashion_mnist"))
    assert server.asked.count(FIRST) == 2 and len(server.asked) == 5
    assert files_in(cache)[FIRST] == official_files()[FIRST]


def test_a_damaged_file_without_a_source_is_reported_and_not_deleted(hosts: Hosts, cache: Path) -> None:
    hosts(dead_host())
    damaged = damage(fill(cache, CLOTHES) / FIRST)
    with pytest.raises(DataCorrupted) as caught:
        load_dataset("fashion_mnist")
    digests = {hashlib.sha256(data).hexdigest() for data in (official_files()[FIRST], damaged)}
    assert digests == set(DIGEST.findall(str(caught.value)))
    assert str(cache / FIRST) in str(caught.value)
    assert files_in(cache)[FIRST] == damaged


# ---------------------------------------------------------------- mirrors


def test_a_folder_as_mirror_serves_without_a_copy(
    server: Server, hosts: Hosts, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(server.host)
    mirror = fill(tmp_path / "mirror", CLOTHES)
    monkeypatch.setenv("DLUTILS_MIRROR", str(mirror))
    dataset = load_dataset("fashion_mnist")
    assert_is_right(dataset)
    assert str(mirror) in dataset.source
    assert server.asked == [], "the mirror comes before the hosts"
    assert not cache.exists(), "nothing was downloaded, so there is nothing to prepare a cache for"


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_address_as_mirror(slash: str, server: Server, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as host:
        hosts(host.host)
        monkeypatch.setenv("DLUTILS_MIRROR", server.host + slash)
        dataset = load_dataset("fashion_mnist")
        assert_is_right(dataset)
        assert server.host in dataset.source
        assert host.asked == [] and server.asked == CLOTHES

        assert_is_right(load_dataset("fashion_mnist"))
        assert server.asked == CLOTHES, "the cache comes before the mirror"


def test_the_cache_comes_before_a_folder_as_mirror(
    hosts: Hosts, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts()
    fill(cache, CLOTHES)
    monkeypatch.setenv("DLUTILS_MIRROR", str(tmp_path / "there is no such mirror"))
    dataset = load_dataset("fashion_mnist")
    assert_is_right(dataset)
    assert str(cache) in dataset.source


def test_hosts_fill_the_gaps_of_a_mirror(
    server: Server, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(server.host)
    mirror = fill(tmp_path / "mirror", CLOTHES)
    (mirror / CLOTHES[3]).unlink()
    wrong = damage(mirror / CLOTHES[1])
    monkeypatch.setenv("DLUTILS_MIRROR", str(mirror))
    assert_is_right(load_dataset("fashion_mnist"))
    assert server.asked == [CLOTHES[1], CLOTHES[3]]
    assert files_in(mirror)[CLOTHES[1]] == wrong, "a mirror is read, never changed"


def test_a_wrong_mirror_without_hosts_is_an_error(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(dead_host())
    mirror = fill(tmp_path / "mirror", CLOTHES)
    damage(mirror / FIRST)
    monkeypatch.setenv("DLUTILS_MIRROR", str(mirror))
    with pytest.raises(DataCorrupted, match=r"expected [0-9a-f]{64}"):
        load_dataset("fashion_mnist")


@pytest.mark.parametrize("mirror", ["http://", "http://[", "a/file/that/is/not/there", __file__])
def test_a_mirror_that_is_no_mirror(mirror: str, server: Server, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_MIRROR", mirror)
    hosts(dead_host())
    with pytest.raises(DataUnavailable, match=re.escape(mirror)):
        load_dataset("fashion_mnist")
    hosts(server.host)
    assert_is_right(load_dataset("fashion_mnist"))


# ---------------------------------------------------------------- CIFAR-10

EXTRACTED = [name for name in official_files() if name.startswith("cifar-10-batches-py/")]


def assert_is_right_cifar10(dataset: Dataset) -> None:
    batches = [pickle.loads(official_files()[name]) for name in EXTRACTED]
    pixels = [torch.from_numpy(batch["data"]).reshape(4, 3, 32, 32) for batch in batches]
    assert torch.equal(dataset.train_images, torch.cat(pixels[:5])) and torch.equal(dataset.test_images, pixels[5])
    assert dataset.train_labels.tolist() == [y for batch in batches[:5] for y in batch["labels"]]
    assert dataset.test_labels.tolist() == batches[5]["labels"] and dataset.train_labels.dtype == torch.int64
    assert not dataset.is_sample and len(dataset.classes) == 10


def test_cifar10_from_its_archive(server: Server, hosts: Hosts, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts(server.host)
    assert_is_right_cifar10(load_dataset("cifar10"))
    assert server.asked == [ARCHIVE] and list(files_in(cache)) == [ARCHIVE]

    monkeypatch.setenv("DLUTILS_MIRROR", server.host)
    assert_is_right_cifar10(load_dataset("cifar10"))
    assert server.asked == [ARCHIVE], "an archive that is kept needs no request to a mirror"


@pytest.mark.parametrize("names", [EXTRACTED, [ARCHIVE]], ids=["extracted", "archive"])
@pytest.mark.parametrize("place", ["cache", "mirror"])
def test_cifar10_from_a_folder(
    names: list[str], place: str, hosts: Hosts, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(dead_host())
    monkeypatch.setenv("DLUTILS_MIRROR", str(tmp_path / "mirror"))
    folder = fill(tmp_path / place, names)
    dataset = load_dataset("cifar10")
    assert_is_right_cifar10(dataset)
    assert str(folder) in dataset.source
    assert cache.exists() == (place == "cache")


@pytest.mark.parametrize("names", [EXTRACTED, [ARCHIVE]], ids=["extracted", "archive"])
def test_cifar10_from_an_address_as_mirror(
    names: list[str], server: Server, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(dead_host())
    server.files = {name: official_files()[name] for name in names}
    monkeypatch.setenv("DLUTILS_MIRROR", server.host)
    assert_is_right_cifar10(load_dataset("cifar10"))


def test_cifar10_is_whole_if_either_form_is(
    server: Server, hosts: Hosts, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts(server.host)
    monkeypatch.setenv("DLUTILS_MIRROR", str(fill(tmp_path / "mirror", EXTRACTED)))
    damage(tmp_path / "mirror" / EXTRACTED[2])
    assert_is_right_cifar10(load_dataset("cifar10"))
    assert server.asked == [ARCHIVE]

    hosts(dead_host())
    damage(cache / ARCHIVE)
    with pytest.raises(DataCorrupted):
        load_dataset("cifar10")
    fill(tmp_path / "mirror", EXTRACTED)
    assert_is_right_cifar10(load_dataset("cifar10"))


class Trap:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_nothing_is_unpickled_before_it_is_verified(
    server: Server, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sprung = tmp_path / "the trap was sprung"
    trap = pickle.dumps(Trap(sprung))
    packed = http_server.tar_file({name: trap for name in EXTRACTED})

    hosts(server.host)
    server.files[ARCHIVE] = packed
    with pytest.raises(DataCorrupted):  # an archive with the wrong sum
        load_dataset("cifar10")

    right_sum = dlutils.data._File(ARCHIVE, hashlib.sha256(packed).hexdigest(), (f"{server.host}/{ARCHIVE}",))
    monkeypatch.setattr(dlutils.data, "CIFAR10_ARCHIVE", right_sum)
    with pytest.raises(DataCorrupted, match="data_batch_1"):  # the archive has the right sum, what is in it has not
        load_dataset("cifar10")

    hosts(dead_host())
    monkeypatch.setenv("DLUTILS_DATA", str(tmp_path / "another cache"))
    mirror = fill(tmp_path / "mirror", EXTRACTED)
    (mirror / EXTRACTED[0]).write_bytes(trap)
    monkeypatch.setenv("DLUTILS_MIRROR", str(mirror))
    with pytest.raises(DataCorrupted):  # an extracted file with the wrong sum
        load_dataset("cifar10")

    assert not sprung.exists()
    pickle.loads(trap)
    assert sprung.exists(), "a trap that does not work proves nothing"


# ---------------------------------------------------------------- the official files


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that points at a folder of the real mirror, or skips."""

    def folder(name: str) -> Path:
        if not (OFFICIAL / name).is_dir():
            pytest.skip(f"DLUTILS_MIRROR names no folder with {name}/ in it")
        monkeypatch.setenv("DLUTILS_MIRROR", str(OFFICIAL))
        return OFFICIAL / name

    return folder


def assert_agrees(dataset: Dataset, train: object, test: object) -> None:
    for theirs, images, labels in (
        (train, dataset.train_images, dataset.train_labels),
        (test, dataset.test_images, dataset.test_labels),
    ):
        data = torch.as_tensor(theirs.data)
        data = data[:, None] if data.ndim == 3 else data.permute(0, 3, 1, 2)
        assert torch.equal(images, data)
        assert torch.equal(labels, torch.as_tensor(theirs.targets))


@pytest.mark.parametrize(("name", "theirs"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_torchvision_reads_the_same_from_the_official_idx_files(
    name: str, theirs: str, official: Callable[[str], Path], tmp_path: Path, cache: Path
) -> None:
    files = official(name.replace("_", "-"))
    dataset = load_dataset(name)
    assert (len(dataset.train_images), len(dataset.test_images)) == (60_000, 10_000)
    assert not cache.exists()
    raw = tmp_path / theirs / "raw"
    raw.mkdir(parents=True)
    for file in files.glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    loader = getattr(vision().datasets, theirs)
    assert_agrees(dataset, loader(tmp_path, train=True), loader(tmp_path, train=False))
    if name == "fashion_mnist":
        assert list(dataset.classes) == loader.classes


def test_torchvision_reads_the_same_from_the_official_cifar10(official: Callable[[str], Path]) -> None:
    files = official("cifar-10-batches-py")
    dataset = load_dataset("cifar10")
    loader = vision().datasets.CIFAR10
    train, test = loader(files.parent, train=True), loader(files.parent, train=False)
    assert_agrees(dataset, train, test)
    assert list(dataset.classes) == train.classes
    assert torch.equal(dataset.train_labels.bincount(), torch.full((10,), 5000))


def vision() -> object:
    try:
        return import_torchvision()
    except ModuleNotFoundError as error:
        pytest.skip(str(error))


# ---------------------------------------------------------------- samples


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("a sample must not touch the network")


@pytest.mark.parametrize(
    ("name", "train", "test", "shape"),
    [
        ("mnist", 4000, 1000, (1, 28, 28)),
        ("digits", 1442, 355, (1, 8, 8)),
        ("cifar10", 10_000, 2000, (3, 32, 32)),
    ],
)
def test_samples(
    name: str, train: int, test: int, shape: tuple[int, ...], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.socket.connect", no_network)
    monkeypatch.setattr("socket.getaddrinfo", no_network)
    dataset = load_dataset(name, sample=True)
    assert dataset.is_sample and not cache.exists()
    assert dataset.licence and dataset.source in repr(dataset) and dataset.name in repr(dataset)
    for images, labels, n in (
        (dataset.train_images, dataset.train_labels, train),
        (dataset.test_images, dataset.test_labels, test),
    ):
        assert images.shape == (n, *shape) and images.dtype == torch.uint8
        assert labels.shape == (n,) and labels.dtype == torch.int64
        assert images.min() == 0 and images.max() == 255
        shares = labels.bincount(minlength=len(dataset.classes)) / n
        assert len(shares) == 10 and (shares - 0.1).abs().max() < 0.01, "each class has its share"
        assert labels.diff().count_nonzero() > 0.8 * n, "the classes come mixed"
    parts = [{image.numpy().tobytes() for image in part} for part in (dataset.train_images, dataset.test_images)]
    assert not parts[0] & parts[1], "no picture is both trained on and tested on"
    if name == "digits":  # MNIST's sample is split by the same lines; of generated pictures test_shapes.py says it
        assert summary(load_dataset(name, sample=True)) == summary(dataset), "a sample is the same every time"


def test_what_is_held_out_is_not_trained_on() -> None:
    images = np.arange(100, dtype=np.uint8)
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    train, train_labels, test, test_labels = dlutils.data._split(images, labels, test_every=5)
    assert sorted([*train, *test]) == list(range(100)), "every example is in one part, and in one only"
    assert np.bincount(test_labels).tolist() == [10, 6, 4]
    assert (labels[train] == train_labels).all() and (labels[test] == test_labels).all()


def test_a_data_set_without_a_sample_says_so() -> None:
    with pytest.raises(DataUnavailable, match=re.escape("load_dataset('fashion_mnist')")):
        load_dataset("fashion_mnist", sample=True)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'minst'; there are cifar10, digits, fashion_mnist, mnist"):
        load_dataset("minst")


def test_the_cache_is_the_users_unless_a_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_DATA", "~/here")
    assert dlutils.data.cache_folder() == Path.home() / "here"
    monkeypatch.setenv("DLUTILS_DATA", "")
    assert dlutils.data.cache_folder() == Path.home() / ".cache" / "dlutils"


# ---------------------------------------------------------------- minibatches


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n", "size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 5, [3]), (0, 5, [])])
def test_minibatches_cover_everything_once(shuffle: bool, n: int, size: int, sizes: list[int]) -> None:
    images, labels = torch.arange(3 * n).reshape(n, 3), torch.arange(n)
    batches = list(minibatches(images, labels, batch_size=size, shuffle=shuffle))
    assert [len(x) for x, _ in batches] == sizes
    seen = [y for _, y in batches]
    assert sorted(torch.cat(seen).tolist() if seen else []) == list(range(n))
    assert all(torch.equal(x, images[y]) for x, y in batches), "images and labels stay together"


def test_the_order_of_minibatches() -> None:
    def order(seed: int | None = None, shuffle: bool = True) -> list[int]:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return torch.cat(
            [*(x for (x,) in minibatches(data, batch_size=7, shuffle=shuffle, generator=generator))]
        ).tolist()

    data = torch.arange(100)
    assert order(shuffle=False) == list(range(100))
    assert order(seed=1) == order(seed=1) != order(seed=2)
    torch.manual_seed(3)
    first, second = order(), order()
    torch.manual_seed(3)
    assert first == order() and second == order(), "without a generator torch's own seed decides"
    assert first != second, "every epoch has an order of its own"


@pytest.mark.parametrize(
    ("tensors", "size"),
    [((), 4), ((torch.zeros(3), torch.zeros(4)), 2), ((torch.zeros(3),), 0), ((torch.zeros(3),), -1)],
)
def test_minibatches_refuse_nonsense(tensors: tuple[torch.Tensor, ...], size: int) -> None:
    with pytest.raises(ValueError, match="one length and a positive batch size"):
        list(minibatches(*tensors, batch_size=size))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_minibatches_stay_on_their_device() -> None:
    data = torch.arange(10, device="cuda")
    batches = [x for (x,) in minibatches(data, batch_size=4)]
    assert all(batch.is_cuda for batch in batches)
    assert sorted(torch.cat(batches).tolist()) == list(range(10))
