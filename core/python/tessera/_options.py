# SPDX-License-Identifier: BSD-3-Clause
"""Options by name, as structures of the C interface."""

from . import _library


def enumerator(option, value):
    names = _library.NAMES[option]
    if value not in names:
        raise ValueError(f"{option}: must be one of {', '.join(names)}, got {value!r}")
    return names.index(value)


def grid_of(grid):
    if grid is None:
        return 0, 0
    rows, cols = grid
    return int(rows), int(cols)


def int_of(name, value):
    """The int that `value` is, as other numbers must not be cut."""
    try:
        return value.__index__()
    except AttributeError:
        raise ValueError(f"{name}: must be an integer, got {value!r}") from None


def bytes_free_of(value):
    """The int that C takes for it, to which -1 is None."""
    if value is None:
        return -1
    number = int_of("bytes_free", value)
    if number < 0:
        raise ValueError(f"bytes_free: must not be negative, got {number}")
    return number
