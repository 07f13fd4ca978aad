# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of NumPy, and of libraries for CUDA, as those of the C interface."""

import numpy as np

from . import _dlpack, _library
from ._options import flag_of


def interface_of(array):
    """What an array on a CUDA device shows of itself; None of any other."""
    interface = getattr(array, "__cuda_array_interface__", None)
    if interface is None and _dlpack.is_on_device(array):
        interface = _dlpack.interface_of(array)
    return interface


def shape_of(array):
    interface = interface_of(array)
    return np.shape(array) if interface is None else tuple(interface["shape"])


def dtype_of(array):
    interface = interface_of(array)
    return np.asarray(array).dtype if interface is None else np.dtype(interface["typestr"])


def common_dtype(**arrays):
    """The scalar that NumPy promotes all of them to, of the four that there are."""
    dtype = np.result_type(*(dtype_of(array) for array in arrays.values()))
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    elif dtype == np.float16:
        dtype = np.dtype(np.float32)
    return require_scalar(dtype, ", ".join(arrays))


def require_scalar(dtype, name):
    try:
        scalar = np.dtype(dtype).newbyteorder("=")
        if scalar.name in _library.SCALARS:
            return scalar
    except TypeError:
        pass
    raise ValueError(f"{name}: must be float32, float64, complex64 or complex128, got {dtype}")


def require_castable(name, array, dtype):
    if not np.can_cast(dtype_of(array), dtype, "same_kind"):
        raise ValueError(f"{name}: {dtype_of(array)} cannot be cast to the factor's {dtype}")


def readable(name, array, dtype):
    """The array itself if it can be read in place as `dtype`, else a copy that can."""
    if interface_of(array) is not None:
        return _require_dtype(name, array, dtype)
    array = np.asarray(array, dtype=dtype)
    steps = [s for s, extent in zip(array.strides, array.shape) if extent > 1]
    in_place = array.flags.aligned and all(s > 0 and s % array.itemsize == 0 for s in steps)
    return array if in_place else array.copy()


def writable_copy(name, array, dtype):
    """A copy as `dtype`, by the library that the array is of."""
    if interface_of(array) is None:
        return np.array(array, dtype=dtype, order="C")
    _require_dtype(name, array, dtype)
    return array.copy() if hasattr(array, "copy") else array.clone()  # JAX has a clone, too, of the same memory


def _require_dtype(name, array, dtype):
    if dtype_of(array) != dtype:
        raise ValueError(f"{name}: is {dtype_of(array)} in device memory, where nothing is cast: must be {dtype}")
    return array


def describe(array, by_rows=False):
    """An array of one or two dimensions for C, which must not outlive it. One has a single column."""
    if hasattr(array, "block_until_ready"):
        array.block_until_ready()  # what JAX is to do may not even be enqueued on the device
    interface = interface_of(array)
    memory = _library.DEVICE_MEMORY
    if interface is None:
        interface, memory = array.__array_interface__, _library.HOST_MEMORY
    data, shape, strides = interface["data"][0], tuple(interface["shape"]), interface.get("strides")
    dtype = np.dtype(interface["typestr"])
    if strides is None:
        strides = (dtype.itemsize * (shape[1] if len(shape) == 2 else 1), dtype.itemsize)[: len(shape)]
    strides = [s // dtype.itemsize for s in strides] + [1]
    rows, columns = (*shape, 1)[:2]
    return _library.Array(
        data, rows, columns, strides[0], strides[1], _library.SCALARS[dtype.name], memory, flag_of("by_rows", by_rows)
    )


class _HostBlock:
    """Memory of C's for NumPy."""

    def __init__(self, block, dtype):
        self.__array_interface__ = {
            "version": 3,
            "data": (block.data, False),
            "shape": (block.rows, block.columns),
            "strides": (block.row_stride * dtype.itemsize, block.column_stride * dtype.itemsize),
            "typestr": dtype.str,
        }


def write_rows(rows, block, dtype):
    """Writes what a callable returned into a block of C's."""
    if shape_of(rows) != (block.rows, block.columns):
        raise ValueError(f"a_rows: must return {block.rows} rows of {block.columns} numbers, got {shape_of(rows)}")
    require_castable("a_rows", rows, dtype)
    if block.memory == _library.HOST_MEMORY and interface_of(rows) is None:
        np.asarray(_HostBlock(block, dtype))[:] = rows
    else:
        rows = readable("a_rows", rows, dtype)
        _library.check(_library.library().tessera_copy(describe(rows), block))
