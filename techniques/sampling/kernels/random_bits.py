"""Random bits of a counter: kernels draw from them without waiting for the draw before."""

from __future__ import annotations

import numpy as np

from techniques.sampling.kernels.machine_code import kernel

WEYL = np.uint64(0x9E3779B97F4A7C15)  # the step of splitmix64's counter


@kernel
def mix(state: np.uint64) -> np.uint64:
    """32 random bits of a counter: splitmix64 (Steele, Lea and Flood, 2014, OOPSLA), whose draws never wait for each
    other."""
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) >> np.uint64(32)
