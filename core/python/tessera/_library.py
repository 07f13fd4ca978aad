# SPDX-License-Identifier: BSD-3-Clause
"""The C interface by ctypes: tessera/tessera.h says what each function and member means."""

import atexit
import contextlib
import ctypes
import functools
import os
import pathlib
import weakref
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p

from ._options import int_of

OK, INVALID_ARGUMENT, NOT_POSITIVE_DEFINITE, OUT_OF_MEMORY, MPI_ERROR, ERROR = range(6)
SCALARS = {"float64": 0, "float32": 1, "complex128": 2, "complex64": 3}
HOST_MEMORY, DEVICE_MEMORY = range(2)


class NotPositiveDefinite(RuntimeError):
    """A is not positive definite; leading_minor is the order, from 1, of its first leading minor that is not."""

    def __init__(self, text, leading_minor):
        super().__init__(text)
        self.leading_minor = leading_minor


class MpiError(RuntimeError):
    """An MPI call failed on this rank."""


class Array(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("row_stride", c_int64),
        ("column_stride", c_int64),
        ("scalar", c_int),
        ("memory", c_int),
        ("by_rows", c_int),
    ]


ToDense = CFUNCTYPE(c_int, c_void_p, c_int64, POINTER(Array))
Progress = CFUNCTYPE(c_int, c_void_p, c_int64, c_int64)


class Operator(ctypes.Structure):
    _fields_ = [("to_dense", ToDense), ("context", c_void_p), ("scalar", c_int)]


class Options(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("local_tile_size", c_int64),
        ("grid_rows", c_int),
        ("grid_cols", c_int),
        ("diag_shift", c_double),
        ("on_failure", c_int),
        ("triangle", c_int),
        ("tries", c_int),
        ("mpi_buffers", c_int),
        ("first_shift", c_double),
        ("shift_factor", c_double),
        ("arithmetic", c_int),
        ("moduli", c_int),
        ("space", c_int),
        ("reserved", c_int),
        ("progress", Progress),
        ("progress_context", c_void_p),
        ("bytes_free", c_int64),
    ]


class Seconds(ctypes.Structure):
    names = ("redistribute", "factorize", "solve", "update", "panel", "exchange", "waiting")
    _fields_ = [(name, c_double) for name in names]


class ShiftTry(ctypes.Structure):
    _fields_ = [("diag_shift", c_double), ("leading_minor", c_int64)]


class Info(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("shifts", POINTER(ShiftTry)),
        ("leading_minor", c_int64),
        ("tile_size", c_int64),
        ("grid_rows", c_int),
        ("grid_cols", c_int),
        ("diag_shift", c_double),
        ("log_determinant", c_double),
        ("tries", c_int),
        ("arithmetic", c_int),
        ("moduli", c_int),
        ("reserved", c_int),
        ("seconds", Seconds),
        ("integer_columns", c_int64),
    ]


class PlanOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("nrhs", c_int64),
        ("tile_size", c_int64),
        ("bytes_free", c_int64),
        ("grid_rows", c_int),
        ("grid_cols", c_int),
        ("by_rows", c_int),
        ("source", c_int),
        ("triangle", c_int),
        ("arithmetic", c_int),
        ("moduli", c_int),
        ("inverse", c_int),
        ("space", c_int),
        ("reserved", c_int),
    ]


class RankPlan(ctypes.Structure):
    names = (
        "matrix",
        "inverses",
        "right_hand_sides",
        "redistribute",
        "factorize",
        "solve",
        "inverse",
        "peak",
        "messages_sent",
        "bytes_sent",
    )
    _fields_ = [(name, c_int64) for name in names]


class Plan(ctypes.Structure):
    _fields_ = [
        ("peak", c_int64),
        ("total", c_int64),
        ("tile_size", c_int64),
        ("slab", c_int64),
        ("grid_rows", c_int),
        ("grid_cols", c_int),
        ("moduli", c_int),
        ("fits", c_int),
        ("integer_columns", c_int64),
    ]


OPERATIONS = ("solve", "solve_lower", "solve_upper", "multiply_lower", "multiply_upper", "inverse_diagonal")
_array, _options, _info, _factor = POINTER(Array), POINTER(Options), POINTER(Info), c_void_p
_SIGNATURES = {
    "options_init": (None, [_options, c_size_t]),
    "info_init": (None, [_info, c_size_t]),
    "version": (c_char_p, []),
    "mpi_library": (c_char_p, []),
    "has_device": (c_int, []),
    "initialize": (c_int, [c_int]),
    "finalize": (c_int, []),
    "last_error": (c_char_p, []),
    "set_error": (None, [c_char_p]),
    "copy": (c_int, [_array, _array]),
    "cholesky_distributed": (c_int, [c_int, _array, _array, _options, _info]),
    "cholesky_distributed_operator": (c_int, [c_int, POINTER(Operator), _array, _options, _info]),
    "refuse": (c_int, [c_int, c_char_p]),
    "factorize": (c_int, [c_int, c_int64, _array, _options, _info, POINTER(_factor)]),
    "factorize_operator": (c_int, [c_int, c_int64, POINTER(Operator), _options, _info, POINTER(_factor)]),
    "factor_free": (None, [_factor]),
    "factor_refuse": (c_int, [_factor, c_char_p]),
    "log_determinant": (c_double, [_factor]),
    "n": (c_int64, [_factor]),
    "plan_options_init": (None, [POINTER(PlanOptions), c_size_t]),
    "memory_plan": (c_int, [c_int, c_int64, c_int, POINTER(PlanOptions), POINTER(Plan), POINTER(RankPlan)]),
} | {name: (c_int, [_factor, _array]) for name in OPERATIONS}


@functools.cache
def library():
    """The shared library: TESSERA_LIBRARY in the environment, or what is installed beside this module."""
    path = os.environ.get("TESSERA_LIBRARY") or str(pathlib.Path(__file__).with_name("libtessera_c.so"))
    try:
        loaded = ctypes.CDLL(path)
    except OSError as e:
        raise ImportError(f"cannot load Tessera, which TESSERA_LIBRARY may name: {e}") from e
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, f"tessera_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded


def check(status, leading_minor=0):
    """Raises what a status stands for."""
    if status == OK:
        return
    text = library().tessera_last_error().decode(errors="replace")
    if status == NOT_POSITIVE_DEFINITE:
        raise NotPositiveDefinite(text, leading_minor)
    errors = {INVALID_ARGUMENT: ValueError, OUT_OF_MEMORY: MemoryError, MPI_ERROR: MpiError}
    raise errors.get(status, RuntimeError)(text)


factors = weakref.WeakSet()  # those that are to be freed before Kokkos ends


def initialize(device=None):
    """Starts Kokkos, unless it is running; every call that needs it does so. It ends when the program exits.

    device: the number of the CUDA device to use; None: as Kokkos chooses, by the local rank.
    """
    _begin_once(-1 if device is None else int_of("device", device, 32))


@functools.cache
def _begin_once(device):
    check(library().tessera_initialize(device))
    _at_exit()


@functools.cache
def _at_exit():
    # mpi4py finalises MPI later: Python has ended by then, and all functions that are registered here have run.
    atexit.register(_finalize)


def _finalize():
    for factor in list(factors):
        factor.free()
    library().tessera_finalize()


def communicator(comm):
    """The handle of an mpi4py communicator; None: COMM_WORLD."""
    from mpi4py import MPI  # here, as memory_plan needs none

    mine = library().tessera_mpi_library().decode().rstrip("\0 \n")
    theirs = MPI.Get_library_version().rstrip("\0 \n")
    if mine != theirs:
        raise ImportError(f"Tessera is built with another MPI than mpi4py: {mine}, and {theirs}")
    if not MPI.Is_initialized() or MPI.Is_finalized():  # py2f would end the program
        raise ValueError("comm: MPI is not initialised, or is finalised already")
    return (MPI.COMM_WORLD if comm is None else comm).py2f()


def as_text(what):
    return str(what).encode(errors="replace")


@contextlib.contextmanager
def refusing(refuse, *target):
    """What is raised within ends the call on the other ranks, too."""
    try:
        yield
    except Exception as e:
        # As a wrong argument is a ValueError there, too.
        text = str(e) if isinstance(e, ValueError) else f"{type(e).__name__}: {e}"
        getattr(library(), f"tessera_{refuse}")(*target, as_text(text))
        raise


class Callback:
    """A function of the caller's as one of C. What it raises is raised when the call ends."""

    def __init__(self, prototype, function):
        self.exception = None

        def call(context, *arguments):
            try:
                function(*arguments)
                return OK
            except BaseException as e:
                self.exception = e
                library().tessera_set_error(as_text(f"{type(e).__name__}: {e}"))
                return OUT_OF_MEMORY if isinstance(e, MemoryError) else ERROR

        self.c = prototype(call)

    def check(self):
        if self.exception is not None:
            raise self.exception
