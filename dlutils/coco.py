"""Three photographs of COCO with their boxes, and weights trained on COCO: fetched one by one, verified always."""

import io
import pickle
import tarfile
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import nn

from dlutils.data import DataUnavailable, _check, _fetch, _fetch_all, _File, _files

PHOTOS = _files(
    "coco/train2017",
    ("http://images.cocodataset.org/train2017/",),
    {
        "000000000471.jpg": "4b9fc9c084bb0fa7cfe5e094aa6ee74e0722512e3429bf6c867c743e9e3f1eca",
        "000000000599.jpg": "dad1d6d7d413e6e1db7fd6db52f82cf16bd64ba6b4d9001b754a62c4555344ad",
        "000000000072.jpg": "34985f0e3d9e71652c47bce8813b6a1925f431c0925a094b37208a97df670a7b",
    },
)
# For each photo where it is on Flickr, and its objects as COCO records them: category id, x, y, width, height.
RECORDS = (
    (
        "farm1.staticflickr.com/48/124140140_1fcfaec779_z.jpg",
        ((6, 120.9, 112.27, 459.63, 212.06), (1, 211.03, 155.14, 16.21, 44.98)),
    ),
    (
        "farm9.staticflickr.com/8206/8250132140_678aee3cd0_z.jpg",
        (
            (64, 528.37, 5.48, 111.33, 237.26), (17, 0.92, 37.13, 412.5, 365.75), (63, 0.0, 1.83, 619.65, 400.9),
            (75, 439.01, 198.19, 179.26, 87.8), (75, 389.58, 167.29, 198.0, 60.5),
        ),
    ),
    (
        "farm9.staticflickr.com/8077/8352611405_b9f717ba48_z.jpg",
        ((25, 136.63, 129.44, 289.08, 499.05), (25, 50.45, 72.07, 233.51, 567.93)),
    ),
)  # fmt: skip
# 39 photos of COCO with the same bytes, packed by nobody official: looked for in the cache and the mirror only.
ARCHIVE = _File("detection/coco-mini.tar.gz", "bafccefb30bbcbe516cf746765557b80b2e09cf310c13859e17b7c76a072397f")
# One file at one commit of its makers' own repository, so its bytes can't change.
YOLOV8N = _File(
    "weights/yolov8n.pt",
    "31e20dde3def09e2cf938c7be6fe23d9150bbbe503982af13345706515f2ef95",
    ("https://huggingface.co/Ultralytics/YOLOv8/resolve/8a9e1a55f987a77f9966c2ac3f80aa8aa37b3c1a/yolov8n.pt",),
)
# The 80 classes of detection, in the order of COCO's category ids, which have gaps.
CLASSES = tuple(
    (
        "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,"
        "parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,"
        "suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,"
        "tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,"
        "hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,"
        "cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush"
    ).split(",")
)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph and what is on it.

    Attributes:
        image: uint8, (3, H, W), values 0 to 255.
        boxes: float32, (M, 4), as x1, y1, x2, y2 in pixels from the upper left corner.
        categories: int64, (M,), COCO's category ids: 80 of the numbers from 1 to 90.
        credit: whose the photo is and under which licence, to be printed where it is shown.
        source: where the bytes came from.
    """

    image: torch.Tensor
    boxes: torch.Tensor
    categories: torch.Tensor
    credit: str
    source: str


def _from_archive() -> tuple[list[bytes], str] | None:
    try:
        archive, source = _fetch(ARCHIVE)
    except DataUnavailable:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = [f"coco-mini/images/{file.name.removeprefix('coco/')}" for file in PHOTOS]
        return [_check(tar.extractfile(name).read(), file, name) for name, file in zip(names, PHOTOS)], source


def load_photos() -> list[Photo]:
    """Load three photographs of COCO's training part of 2017, 0.6 MB: a school bus, a cat on a couch, two giraffes.

    They are found as `load_dataset` finds its files, each under its official name, or in the archive of 39 photos where
    the cache or the mirror holds that. The photos are under CC BY 2.0, so print `credit` where you show one. The boxes
    are COCO's (Lin et al. 2014, https://cocodataset.org, CC BY 4.0).

    Raises:
        DataUnavailable: they can't be reached; the message says what to put where.
        DataCorrupted: a source gave bytes that are not the official ones; the message has both digests.
        OSError: the bytes can't be kept, for example on a full disk.
    """
    fetched, source = _from_archive() or _fetch_all(PHOTOS)
    photos = []
    for file, data, (address, objects) in zip(PHOTOS, fetched, RECORDS):
        pixels = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
        numbers = torch.tensor(objects)
        boxes = torch.cat([numbers[:, 1:3], numbers[:, 1:3] + numbers[:, 3:]], dim=1)
        number = int(file.name.rsplit("/", 1)[1].removesuffix(".jpg"))
        credit = f"photo: a Flickr user, CC BY 2.0, http://{address} (COCO train2017 no. {number})"
        image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        photos.append(Photo(image, boxes, numbers[:, 0].long(), credit, source))
    return photos


class _StandIns(pickle.Unpickler):
    """Reads a pickled network of a library that is not installed: each of its classes becomes an empty module."""

    def find_class(self, module: str, name: str) -> type:
        if module.split(".")[0] == "ultralytics":
            return type(name, (nn.Module,), {})
        return super().find_class(module, name)


def load_yolov8n() -> dict[str, torch.Tensor]:
    """Load the weights of YOLOv8n trained on COCO (G. Jocher, A. Chaurasia, J. Qiu 2023), 6.5 MB, in the file's order.

    The file is under **AGPL-3.0**. It is found as `load_dataset` finds its files, and unpickled only after its SHA-256
    was seen to be right. The library that made it need not be installed.

    Returns:
        Name to tensor, on the CPU, float32 but for the counters of the batch normalisations.

    Raises:
        DataUnavailable: it can't be reached; the message says what to put where.
        DataCorrupted: a source gave bytes that are not the official ones; the message has both digests.
        OSError: the bytes can't be kept, for example on a full disk.
    """
    fetched, _ = _fetch_all((YOLOV8N,))
    reader = ModuleType("reader")
    reader.Unpickler = _StandIns
    saved = torch.load(io.BytesIO(fetched[0]), map_location="cpu", pickle_module=reader, weights_only=False)
    return saved["model"].float().state_dict()
