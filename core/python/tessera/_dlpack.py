# SPDX-License-Identifier: BSD-3-Clause
"""Arrays on a CUDA device that show themselves by DLPack, as those that have __cuda_array_interface__."""

import ctypes

CUDA, CUDA_MANAGED = 2, 13  # kDLCUDA, kDLCUDAManaged
KINDS = {0: "i", 1: "u", 2: "f", 5: "c"}  # kDLInt, kDLUInt, kDLFloat, kDLComplex


class _Tensor(ctypes.Structure):  # DLTensor, with which a DLManagedTensor begins
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def is_on_device(array):
    device = getattr(array, "__dlpack_device__", None)
    return device is not None and int(device()[0]) in (CUDA, CUDA_MANAGED)


def interface_of(array):
    """A __cuda_array_interface__, valid as long as the array is."""
    capsule = array.__dlpack__()  # which frees what it points to when nobody takes that over
    tensor = _Tensor.from_address(_pointer(capsule, b"dltensor"))
    if tensor.kind not in KINDS or tensor.lanes != 1:
        raise ValueError(f"the numbers are of a kind that is not known: {tensor.kind} in DLPack, {tensor.lanes} lanes")
    size = tensor.bits // 8
    extents = range(tensor.ndim)
    return {
        "shape": tuple(tensor.shape[k] for k in extents),
        "typestr": f"<{KINDS[tensor.kind]}{size}",
        "data": ((tensor.data or 0) + tensor.byte_offset, True),
        "strides": tuple(tensor.strides[k] * size for k in extents) if tensor.strides else None,
    }
