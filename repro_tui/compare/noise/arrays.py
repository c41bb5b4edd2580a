"""The array types of this room."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
States: TypeAlias = npt.NDArray[np.int8]  # what each value is: finite, null, NaN or an infinity
Ranks: TypeAlias = npt.NDArray[np.int16]
AnyNumbers: TypeAlias = npt.NDArray[Any]  # of the type that the file stores
