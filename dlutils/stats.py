"""How sure a mean over seeds is."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import stats


def interval(values: ArrayLike | torch.Tensor, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the half-width of its 95 % t-interval, over independent repeats such as seeds.

    The half-width is t · s / √n, with the standard deviation s of the n repeats (n − 1 in its denominator) and the
    97.5 % quantile t of Student's distribution of n − 1 degrees of freedom (Student 1908). For a comparison on the same
    seeds give the differences: the interval is then that of a paired test.

    Args:
        values: an array or a tensor on any device; axis `axis` runs over the repeats.
        axis: the axis to average over, the last one unless said.

    Returns:
        Two float64 arrays of the shape of `values` without that axis: numbers, where only that axis was given.

    Raises:
        ValueError: fewer than two repeats, which say nothing about how far a third would be off.
    """
    array = values.detach().cpu().double() if isinstance(values, torch.Tensor) else values
    array = np.asarray(array, dtype=np.float64)
    n = array.shape[axis] if array.ndim else 1
    if n < 2:
        raise ValueError(f"an interval needs two repeats or more along axis {axis}, not values of shape {array.shape}")
    return array.mean(axis), stats.t.ppf(0.975, n - 1) * array.std(axis, ddof=1) / np.sqrt(n)
