"""The interval of a mean: SciPy's numbers, and as often right as it says."""

import numpy as np
import pytest
import torch
from scipy import stats

from dlutils import interval


def test_it_is_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=7)
    low, high = stats.t.interval(0.95, 6, loc=values.mean(), scale=stats.sem(values))
    mean, half = interval(values)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_it_covers_the_truth_in_19_of_20_cases() -> None:
    mean, half = interval(np.random.default_rng(0).normal(3.0, 2.0, size=(20_000, 4)))
    assert abs((abs(mean - 3) < half).mean() - 0.95) < 0.006  # four standard errors; with 1.96 for t it is 0.86


def test_any_axis_and_kind() -> None:
    values = torch.arange(24.0, dtype=torch.bfloat16).view(2, 3, 4).requires_grad_()
    for axis in (0, 1, 2):
        mean, half = interval(values, axis=axis)
        np.testing.assert_allclose(mean, values.detach().double().mean(axis))
        assert mean.shape == half.shape and mean.dtype == half.dtype == np.float64
    assert f"{interval([1, 2, 3])[0]:.1f} {interval([torch.tensor(1.0), torch.tensor(1.0)])[1]:.1f}" == "2.0 0.0"


@pytest.mark.parametrize("values", [[], [1.0], 1.0, np.zeros((5, 1))])
def test_too_few_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match="two repeats or more"):
        interval(values)
