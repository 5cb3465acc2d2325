"""The plumbing under the notebooks: device and seeds, data sets, figures, intervals, exercise checks.

Models, losses and training loops are not here: they stand in the notebooks, in front of the reader.
"""

from dlutils.coco import Photo, load_photos, load_yolov8n
from dlutils.compat import import_torchvision
from dlutils.data import DataCorrupted, Dataset, DataUnavailable, load_dataset, minibatches
from dlutils.device import autocast, full_scale, get_device, seed_everything
from dlutils.exercises import exercise, expect
from dlutils.plots import COLORS, image_grid, learning_curve, show, use_style
from dlutils.scenes import digit_scenes
from dlutils.scorer import augmentation_gain, digit_distance, digit_features, digit_probabilities
from dlutils.stats import interval
from dlutils.text import Text, load_text

__all__ = [
    "COLORS",
    "DataCorrupted",
    "DataUnavailable",
    "Dataset",
    "Photo",
    "Text",
    "augmentation_gain",
    "autocast",
    "digit_distance",
    "digit_features",
    "digit_probabilities",
    "digit_scenes",
    "exercise",
    "expect",
    "full_scale",
    "get_device",
    "image_grid",
    "import_torchvision",
    "interval",
    "learning_curve",
    "load_dataset",
    "load_photos",
    "load_text",
    "load_yolov8n",
    "minibatches",
    "seed_everything",
    "show",
    "use_style",
]
