"""The largest batch that a few epochs are expected to meet."""

from __future__ import annotations

import numpy as np
import pytest

from techniques.sampling.hop_model import HIGH, HopSizes, largest_share


@pytest.mark.parametrize("batches", [4, 10, 30])
def test_the_largest_of_few_batches_lies_as_far_out_as_that_of_normal_values(batches: int) -> None:
    drawn = np.random.default_rng(0).normal(size=(20_000, batches)).max(1).mean()
    assert largest_share(batches) == pytest.approx(drawn / HIGH, rel=0.03)


def test_one_batch_is_the_mean_and_many_reach_the_99th_percentile() -> None:
    sizes = HopSizes([10.0], [30.0], [14.0], [50.0])
    assert sizes.towards_high(largest_share(1)) == ([10.0], [30.0])
    assert sizes.towards_high(largest_share(1000)) == ([14.0], [50.0])
