# SPDX-License-Identifier: BSD-3-Clause
"""A Python function as a custom call of XLA, which gives it pointers to the operands and results where they are.

JAX's own callbacks hand over copies, from a device through the host. XLA's FFI does not, and is plain C, so that ctypes
suffices for it: the structures below are those of the same names in xla/ffi/api/c_api.h (`jax.ffi.include_dir()`). Each
begins with its size and XLA appends to them only, within the major version that `_describe` promises.
"""

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p

import jax
import numpy as np

_MAJOR_VERSION = 0
_METADATA = 1  # XLA_FFI_Extension_Metadata
_SCALAR, _STRING = 3, 4  # XLA_FFI_AttrType
_INVALID_ARGUMENT, _INTERNAL = 3, 13  # XLA_FFI_Error_Code
_DTYPES = {4: np.int32, 5: np.int64, 11: np.float32, 12: np.float64, 15: np.complex64, 18: np.complex128}


def _structure(name, *fields):
    header = [("struct_size", c_size_t), ("extension_start", c_void_p)]
    return type(name, (ctypes.Structure,), {"_fields_": header + list(fields)})


class _Extension(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("type", c_int), ("next", c_void_p)]


class _Span(ctypes.Structure):
    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]

    def text(self):
        return ctypes.string_at(self.ptr, self.len).decode()


class _Scalar(ctypes.Structure):
    _fields_ = [("dtype", c_int), ("value", c_void_p)]


_Buffer = _structure("_Buffer", ("dtype", c_int), ("data", c_void_p), ("rank", c_int64), ("dims", POINTER(c_int64)))
_Buffers = _structure("_Buffers", ("size", c_int64), ("types", POINTER(c_int)), ("buffers", POINTER(POINTER(_Buffer))))
_Attributes = _structure("_Attributes", ("size", c_int64), ("types", POINTER(c_int)),
                         ("names", POINTER(POINTER(_Span))), ("values", POINTER(c_void_p)))
_Version = _structure("_Version", ("major", c_int), ("minor", c_int))
_ErrorArguments = _structure("_ErrorArguments", ("message", c_char_p), ("code", c_int))
_Api = _structure("_Api", ("version", _Version), ("internal", c_void_p),
                  ("create_error", ctypes.CFUNCTYPE(c_void_p, POINTER(_ErrorArguments))))
_Frame = _structure("_Frame", ("api", POINTER(_Api)), ("context", c_void_p), ("stage", c_int), ("operands", _Buffers),
                    ("results", _Buffers), ("attributes", _Attributes))


class _Metadata(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("version", _Version), ("traits", c_uint32)]


class _MetadataExtension(ctypes.Structure):
    _fields_ = [("base", _Extension), ("metadata", POINTER(_Metadata))]


_Handler = ctypes.CFUNCTYPE(c_void_p, POINTER(_Frame))


class DeviceArray:
    """An operand or a result in the memory of a CUDA device, in C order."""

    def __init__(self, pointer, shape, dtype):
        self.pointer, self.shape, self.dtype = pointer, shape, dtype

    @property
    def __cuda_array_interface__(self):
        return {"version": 3, "data": (self.pointer, False), "shape": self.shape, "typestr": self.dtype.str}

    def __getitem__(self, rows):
        """Its first rows, array[:k]."""
        return DeviceArray(self.pointer, (rows.stop, *self.shape[1:]), self.dtype)

    def view(self, dtype):
        """The same bytes as numbers of another type, of the same size."""
        return DeviceArray(self.pointer, self.shape, np.dtype(dtype))


def _host_array(pointer, shape, dtype):
    size = int(np.prod(shape)) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer((ctypes.c_char * size).from_address(pointer), dtype).reshape(shape)


def _arrays(buffers, array):
    for buffer in (buffers.buffers[i].contents for i in range(buffers.size)):
        yield array(buffer.data or 0, tuple(buffer.dims[:buffer.rank]), np.dtype(_DTYPES[buffer.dtype]))


def _attributes(attributes):
    def value(kind, pointer):
        if kind == _STRING:
            return ctypes.cast(pointer, POINTER(_Span)).contents.text()
        if kind == _SCALAR:
            scalar = ctypes.cast(pointer, POINTER(_Scalar)).contents
            if _DTYPES.get(scalar.dtype) is np.int64:
                return ctypes.cast(scalar.value, POINTER(c_int64)).contents.value
        raise TypeError("an attribute that is neither a 64-bit integer nor a string")

    return {attributes.names[i].contents.text(): value(attributes.types[i], attributes.values[i])
            for i in range(attributes.size)}


def _describe(frame):
    """Answers the question that XLA asks when the call is registered: which version of the interface this is."""
    if not frame.extension_start:
        return False
    extension = ctypes.cast(frame.extension_start, POINTER(_MetadataExtension)).contents
    if extension.base.type != _METADATA:
        return False
    metadata = extension.metadata.contents
    metadata.version.major, metadata.version.minor = _MAJOR_VERSION, frame.api.contents.version.minor
    metadata.traits = 0
    return True


def register(name, platform, function):
    """Calls `function(operands, results, attributes)` where a program calls `name` on the platform, "cpu" or "CUDA".

    Operands and results are arrays of NumPy or DeviceArrays, valid while the call lasts. On CUDA the device may not yet
    have written the operands. Attributes are 64-bit integers and strings, by name. What the function raises becomes an
    error of the program.
    """
    array = _host_array if platform == "cpu" else DeviceArray

    @_Handler
    def handler(frame):
        frame = frame.contents
        try:
            if not _describe(frame):
                function(list(_arrays(frame.operands, array)), list(_arrays(frame.results, array)),
                         _attributes(frame.attributes))
            return None
        except BaseException as error:  # nothing may pass through XLA's frames
            code = _INVALID_ARGUMENT if isinstance(error, ValueError) else _INTERNAL
            message = f"{type(error).__name__}: {error}".encode()
            return frame.api.contents.create_error(_ErrorArguments(ctypes.sizeof(_ErrorArguments), None, message, code))

    _handlers.append(handler)
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(ctypes.cast(handler, c_void_p)), platform=platform)


_handlers = []  # XLA keeps their addresses alone
