# SPDX-License-Identifier: BSD-3-Clause
"""Arguments as the C interface has them. What it has no room for is refused: ctypes would cut it."""

import ctypes
import operator

import numpy as np

# The values of each option that has names, in the order of the enumerations.
NAMES = {
    "on_failure": ("raise", "fill_nan"),
    "triangle": ("lower", "upper"),
    "mpi_buffers": ("automatic", "direct", "staged"),
    "arithmetic": ("native", "integer", "fastest"),
    "space": ("default", "host"),
    "source": ("rows", "buffered_rows"),
}


def enumerator(option, value):
    names = NAMES[option]
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{option}: must be one of {', '.join(names)}, got {value!r}")
    return names.index(value)


def int_of(name, value, bits=64):
    """The int that `value` is, as other numbers must not be cut."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: must be an integer, got {value!r}") from None
    end = 1 << (bits - 1)
    if not -end <= number < end:
        raise ValueError(f"{name}: must be from {-end} to {end - 1}, got {number}")
    return number


def real_of(name, value):
    try:
        if np.iscomplexobj(value):  # NumPy would drop the imaginary part
            raise TypeError
        return ctypes.c_double(value).value
    except (TypeError, OverflowError):
        raise ValueError(f"{name}: must be a real number, got {value!r}") from None


def flag_of(name, value):
    if not isinstance(value, (int, np.integer, np.bool_)) or value not in (0, 1):
        raise ValueError(f"{name}: must be True or False, got {value!r}")
    return int(value)


def grid_of(name, grid):
    """Its rows and columns, to which 0, 0 is None."""
    if grid is None:
        return 0, 0
    try:
        rows, cols = grid
    except (TypeError, ValueError):
        raise ValueError(f"{name}: must be (rows, cols), got {grid!r}") from None
    return int_of(name, rows, 32), int_of(name, cols, 32)


def bytes_free_of(value):
    """The int that C takes for it, to which -1 is None."""
    if value is None:
        return -1
    number = int_of("bytes_free", value)
    if number < 0:
        raise ValueError(f"bytes_free: must not be negative, got {number}")
    return number
