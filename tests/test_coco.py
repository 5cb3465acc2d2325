"""Photos and weights of COCO: found, verified, the boxes COCO's own, the tensors the ones that were saved."""

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from http_server import Server, dead_host, tar_file
from PIL import Image
from torch import nn

import dlutils.coco
import dlutils.data
from dlutils import DataCorrupted, DataUnavailable, Photo, load_photos, load_yolov8n

pytestmark = pytest.mark.usefixtures("alone")
OFFICIAL = Path(os.environ.get("DLUTILS_MIRROR") or "no mirror is set").expanduser()  # before any test changes it
NAMES = [file.name for file in dlutils.coco.PHOTOS]
WEIGHTS = dlutils.coco.YOLOV8N.name
COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
needs_photos = pytest.mark.skipif(
    not (OFFICIAL / dlutils.coco.ARCHIVE.name).is_file(), reason="needs a mirror with the photos of COCO"
)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def jpeg(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def checkpoint() -> tuple[bytes, dict[str, torch.Tensor]]:
    """Save a small network of "ultralytics", which is gone when this returns; return the file and the tensors."""
    module = ModuleType("ultralytics.nn.tasks")

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = nn.Sequential(Brick(), Brick())
            self.note = Note()

    class Brick(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(2, 2, 3, bias=False), nn.BatchNorm2d(2)

    class Note:
        def __init__(self) -> None:
            self.text = "not a network"

    for kind in (Model, Brick, Note):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    names = ("ultralytics", "ultralytics.nn", module.__name__)
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(sys.modules, name, module)
        model, buffer = Model().half(), io.BytesIO()
        torch.save({"epoch": -1, "model": model, "ema": None}, buffer)
    return buffer.getvalue(), model.float().state_dict()


def believe_in(monkeypatch: pytest.MonkeyPatch, host: str, files: dict[str, bytes]) -> None:
    """Make dlutils believe that these are photos, archive and weights; `host` serves all but the archive."""

    def file(name: str, *urls: str) -> dlutils.data._File:
        return dlutils.data._File(name, hashlib.sha256(files[name]).hexdigest(), urls)

    if NAMES[0] in files:
        monkeypatch.setattr(dlutils.coco, "PHOTOS", tuple(file(name, f"{host}/{name}") for name in NAMES))
    for constant, urls in (("ARCHIVE", ()), ("YOLOV8N", (f"{host}/{WEIGHTS}",))):
        name = getattr(dlutils.coco, constant).name
        if name in files:
            monkeypatch.setattr(dlutils.coco, constant, file(name, *urls))


@pytest.fixture
def photos(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Serve three plain pictures in the place of the photos; return them with an archive of them."""
    files = {name: jpeg(colour) for name, colour in zip(NAMES, COLOURS)}
    inside = {f"coco-mini/images/{name.removeprefix('coco/')}": data for name, data in files.items()}
    server.files = dict(files)
    files[dlutils.coco.ARCHIVE.name] = tar_file(inside)
    believe_in(monkeypatch, server.host, files)
    return files


def assert_are_right(photos: list[Photo]) -> None:
    assert len(photos) == 3 and all(isinstance(photo, Photo) for photo in photos)
    for photo, colour in zip(photos, COLOURS):
        assert photo.image.shape == (3, 30, 40) and photo.image.dtype == torch.uint8
        assert (photo.image.float().mean((1, 2)) - torch.tensor(colour)).abs().max() < 4, "JPEG is lossy, not that much"
        assert photo.boxes.dtype == torch.float32 and photo.categories.dtype == torch.int64
        assert photo.boxes.shape == (len(photo.categories), 4)
        assert "CC BY 2.0" in photo.credit and "staticflickr.com" in photo.credit


# The photos


def test_photos_come_from_the_web_one_by_one_and_are_kept(server: Server, photos: dict[str, bytes]) -> None:
    assert_are_right(load_photos())
    assert server.asked == NAMES
    assert_are_right(load_photos())
    assert server.asked == NAMES, "the second load must not ask the server again"


@pytest.mark.parametrize("way", ["official names", "archive"])
def test_a_mirror_serves_them_without_the_web(
    way: str, server: Server, photos: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES if way == "official names" else [dlutils.coco.ARCHIVE.name]:
        (tmp_path / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / name).write_bytes(photos[name])
    monkeypatch.setenv("DLUTILS_MIRROR", str(tmp_path / "mirror"))
    assert_are_right(load_photos())
    assert server.asked == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("behaviour", ["404", "truncated", "dead"])
def test_photos_out_of_reach_are_an_error_that_says_what_to_do(
    behaviour: str, server: Server, photos: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = behaviour
    if behaviour == "dead":
        believe_in(monkeypatch, dead_host(), photos)
    with pytest.raises(DataUnavailable) as caught:
        load_photos()
    assert f"put them into {tmp_path / 'cache' / 'coco' / 'train2017'}" in str(caught.value)
    assert all(file.urls[0] in str(caught.value) for file in dlutils.coco.PHOTOS)


def test_wrong_photos_are_refused(
    server: Server, photos: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = "wrong"
    with pytest.raises(DataCorrupted, match=dlutils.coco.PHOTOS[0].sha256):
        load_photos()
    swapped = tar_file({f"coco-mini/images/{name.removeprefix('coco/')}": jpeg((9, 9, 9)) for name in NAMES})
    archive = tmp_path / "mirror" / dlutils.coco.ARCHIVE.name
    archive.parent.mkdir(parents=True)
    archive.write_bytes(swapped)
    monkeypatch.setenv("DLUTILS_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(DataCorrupted):  # an archive with the wrong sum
        load_photos()
    believe_in(monkeypatch, server.host, photos | {dlutils.coco.ARCHIVE.name: swapped})
    with pytest.raises(DataCorrupted, match="coco-mini/images"):  # the right sum, and other photos in it
        load_photos()


@needs_photos
def test_the_official_photos_and_boxes_are_cocos_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLUTILS_MIRROR", str(OFFICIAL))
    photos = load_photos()
    with tarfile.open(OFFICIAL / dlutils.coco.ARCHIVE.name) as tar:
        records = json.load(tar.extractfile("coco-mini/annotations/instances_train2017.json"))
        assert tuple(kind["name"] for kind in records["categories"]) == dlutils.coco.CLASSES
        for name, photo in zip(NAMES, photos):
            [image] = [row for row in records["images"] if row["file_name"] == name.rsplit("/", 1)[1]]
            assert image["license"] == 4 and image["flickr_url"] in photo.credit, "4 is CC BY 2.0"
            assert image["coco_url"] == next(file.urls[0] for file in dlutils.coco.PHOTOS if file.name == name)
            assert photo.image.shape == (3, image["height"], image["width"])
            rows = [row for row in records["annotations"] if row["image_id"] == image["id"]]
            assert not any(row["iscrowd"] for row in rows)
            assert photo.categories.tolist() == [row["category_id"] for row in rows]
            xywh = torch.cat([photo.boxes[:, :2], photo.boxes[:, 2:] - photo.boxes[:, :2]], dim=1)
            assert np.allclose(xywh, [row["bbox"] for row in rows], atol=1e-3)


# The weights


def test_weights_come_from_the_web_without_the_library_that_made_them(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, tensors = checkpoint()
    server.files = {WEIGHTS: data}
    believe_in(monkeypatch, server.host, server.files)
    monkeypatch.setitem(sys.modules, "ultralytics", None)  # an import would fail
    for _ in range(2):
        loaded = load_yolov8n()
        assert list(loaded) == list(tensors), "the same names in the same order"
        assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)
        assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in loaded.values())
    assert server.asked == [WEIGHTS], "the second load must not ask the server again"


@pytest.mark.parametrize(("behaviour", "kind"), [("404", DataUnavailable), ("wrong", DataCorrupted)])
def test_bad_weights_are_never_unpickled(
    behaviour: str, kind: type[Exception], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files = {WEIGHTS: checkpoint()[0]}
    believe_in(monkeypatch, server.host, server.files)
    server.behaviour = behaviour
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(kind) as caught:
        load_yolov8n()
    assert dlutils.coco.YOLOV8N.urls[0] in str(caught.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_the_constants_name_single_files_on_the_web() -> None:
    for file in (*dlutils.coco.PHOTOS, dlutils.coco.YOLOV8N):
        assert len(file.sha256) == 64 and len(file.urls) == 1
        assert file.urls[0].rsplit("/", 1)[1] == file.name.rsplit("/", 1)[1]
    assert len(set(dlutils.coco.CLASSES)) == 80
