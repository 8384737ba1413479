"""Arrays of numbers that are read from a binary at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Integers"]

Integers = npt.NDArray[np.int64]
