"""The arrays that the comparison passes around, by what they hold, and the types of numbers in Arrow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]  # 0-based positions, such as those of rows in a batch
Hashes = npt.NDArray[np.uint64]


def is_exact_type(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are whole numbers or decimals."""
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def is_number_type(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are numbers; Booleans are not."""
    return is_exact_type(kind) or bool(pa.types.is_floating(kind))
