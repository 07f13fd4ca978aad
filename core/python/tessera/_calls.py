# SPDX-License-Identifier: BSD-3-Clause
"""The one call, and factors."""

import ctypes
import dataclasses

import numpy as np

from . import _arrays, _library
from ._options import NAMES, bytes_free_of, enumerator, grid_of, int_of, real_of

_MOST_TRIES = 10**6  # each rank has room for that many of CholeskyInfo's


@dataclasses.dataclass(frozen=True)
class PhaseSeconds:
    """Wall-clock seconds of this rank: in the three phases of a call, and in the kinds of work of a factorisation."""

    redistribute: float
    factorize: float
    solve: float
    update: float
    panel: float
    exchange: float
    waiting: float


@dataclasses.dataclass(frozen=True)
class ShiftTry:
    """One factorisation of A + diag_shift I; leading_minor is 0 if it succeeded."""

    diag_shift: float
    leading_minor: int


@dataclasses.dataclass(frozen=True)
class CholeskyInfo:
    """What a call did; all but the seconds is the same on every rank."""

    leading_minor: int
    tile_size: int
    grid: tuple
    diag_shift: float
    seconds: PhaseSeconds
    tries: tuple
    arithmetic: str
    moduli: int
    integer_columns: int
    log_determinant: float


class _Call:
    """One call's A, options and info for C, which keeps what they point to."""

    def __init__(
        self,
        *,
        diag_shift=0.0,
        triangle="lower",
        tile=0,
        grid=None,
        arithmetic="native",
        moduli=0,
        bytes_free=None,
        on_failure="raise",
        tries=1,
        first_shift=0.0,
        shift_factor=10.0,
        mpi_buffers="automatic",
        space="default",
        progress=None,
    ):
        self.callbacks = []
        self.options = options = _library.Options()
        _library.library().tessera_options_init(options, ctypes.sizeof(options))
        options.diag_shift = real_of("diag_shift", diag_shift)
        options.triangle = enumerator("triangle", triangle)
        options.local_tile_size = int_of("tile", tile)
        options.grid_rows, options.grid_cols = grid_of("grid", grid)
        options.arithmetic = enumerator("arithmetic", arithmetic)
        options.moduli = int_of("moduli", moduli, 32)
        options.bytes_free = bytes_free_of(bytes_free)
        options.on_failure = enumerator("on_failure", on_failure)
        options.tries = int_of("tries", tries, 32)
        if options.tries > _MOST_TRIES:
            raise ValueError(f"tries: must be at most {_MOST_TRIES}, got {options.tries}")
        options.first_shift = real_of("first_shift", first_shift)
        options.shift_factor = real_of("shift_factor", shift_factor)
        options.mpi_buffers = enumerator("mpi_buffers", mpi_buffers)
        options.space = enumerator("space", space)
        if progress is not None:
            options.progress = self.callback(_library.Progress, progress)
        self.shifts = (_library.ShiftTry * max(1, options.tries))()
        self.info = _library.Info()
        _library.library().tessera_info_init(self.info, ctypes.sizeof(self.info))
        self.info.shifts = self.shifts

    def callback(self, prototype, function):
        self.callbacks.append(_library.Callback(prototype, function))
        return self.callbacks[-1].c

    def matrix(self, a_rows, dtype):
        """A for C, and the end of the name of the function that takes it."""
        if callable(a_rows):

            def to_dense(first, block):
                block = block.contents
                _arrays.write_rows(a_rows(first, first + block.rows), block, dtype)

            function = self.callback(_library.ToDense, to_dense)
            return _library.Operator(function, None, _library.SCALARS[dtype.name]), "_operator"
        self.a_rows = _arrays.readable("a_rows", a_rows, dtype)
        return _arrays.describe(self.a_rows), ""

    def check(self, status):
        for callback in self.callbacks:
            callback.check()
        _library.check(status, self.info.leading_minor)

    def result(self):
        info = self.info
        return CholeskyInfo(
            info.leading_minor,
            info.tile_size,
            (info.grid_rows, info.grid_cols),
            info.diag_shift,
            PhaseSeconds(*(getattr(info.seconds, name) for name in _library.Seconds.names)),
            tuple(ShiftTry(s.diag_shift, s.leading_minor) for s in self.shifts[: info.tries]),
            NAMES["arithmetic"][info.arithmetic],
            info.moduli,
            info.integer_columns,
            info.log_determinant,
        )


def _require_matrix(a_rows):
    if not callable(a_rows) and len(_arrays.shape_of(a_rows)) != 2:
        raise ValueError(f"a_rows: must have two dimensions, got shape {_arrays.shape_of(a_rows)}")


def _require_right_hand_sides(b):
    if len(_arrays.shape_of(b)) not in (1, 2):
        raise ValueError(f"b: must have one or two dimensions, got shape {_arrays.shape_of(b)}")


def cholesky_distributed(a_rows, b, *, comm=None, by_rows=False, **options):
    """Solves A x = b for a Hermitian positive definite A whose rows are distributed over the ranks of `comm`.

    Collective. Returns x, of the shape of b and of the type that NumPy promotes a_rows and b to, and a CholeskyInfo.

    a_rows: this rank's rows, a 2-D array (rows, n) with any strides. Those of a rank follow those of the one before;
        ranks may have different numbers of rows, or none. Or a callable (first, last) that returns rows first to
        last - 1 of A in the type of b: rank r of R is asked for rows n r // R to n (r + 1) // R, in chunks. It must not
        communicate. Not changed.
    b: (n,) or (n, k), the same on all ranks; with by_rows=True this rank's rows of it. Not changed.
    comm: an mpi4py communicator; None: COMM_WORLD.

    Both arrays may be in host memory, or in that of a CUDA device where Tessera is built for one: those of CuPy, JAX,
    PyTorch and others with __cuda_array_interface__. They are then read where they are, and x is of the type of b.

    options, the same on all ranks but for progress:
    diag_shift: added to the diagonal of A.
    triangle: "lower" or "upper", the triangle of A that is read.
    tile: rows and columns of a tile; 0: chosen.
    grid: (rows, cols) of the process grid; None: nearly square.
    arithmetic, moduli: "native", "integer" or "fastest", and how many moduli; 0: as many as keep native accuracy.
    bytes_free: of each rank, for the call, as memory_plan has it: where residues do not fit, fewer columns keep them.
    on_failure: "raise", or "fill_nan": x is NaN, and info.leading_minor says where A is not positive definite.
    tries, first_shift, shift_factor: where A + diag_shift I is not positive definite, there are tries - 1 more with the
        shifts diag_shift + first_shift * shift_factor ** t, t = 0, 1, ...; at most 1000000 tries.
    mpi_buffers: "automatic", "direct" or "staged".
    space: "default", Kokkos's default execution space, or "host".
    progress: called as progress(done, all) with the columns that are factored.
    """
    handle = _library.communicator(comm)
    with _library.refusing("refuse", handle):
        _library.initialize()
        _require_matrix(a_rows)
        _require_right_hand_sides(b)
        arrays = {"b": b} if callable(a_rows) else {"a_rows": a_rows, "b": b}
        dtype = _arrays.common_dtype(**arrays)
        call = _Call(**options)
        a, kind = call.matrix(a_rows, dtype)
        x = _arrays.writable_copy("b", b, dtype)
        right_hand_sides = _arrays.describe(x, by_rows)
    solve = getattr(_library.library(), f"tessera_cholesky_distributed{kind}")
    call.check(solve(handle, a, right_hand_sides, call.options, call.info))
    return x, call.result()


def factorize(a_rows, *, n=None, dtype=None, comm=None, **options):
    """The Cholesky factor of a matrix, as a Factor; it raises NotPositiveDefinite if there is none.

    Collective. a_rows, comm and options as in cholesky_distributed, but for on_failure.
    n: rows and columns of A, if a_rows is a callable.
    dtype: the type of the factor; None: that of a_rows, or float64 for a callable.
    """
    handle = _library.communicator(comm)
    factor = ctypes.c_void_p()
    with _library.refusing("refuse", handle):
        _library.initialize()
        _require_matrix(a_rows)
        if "on_failure" in options:
            raise ValueError(f"on_failure: factorize always raises, got {options['on_failure']!r}")
        if callable(a_rows):
            if n is None:
                raise ValueError("n: must be given, as a_rows is a callable")
            dtype = np.float64 if dtype is None else dtype
        else:
            n = _arrays.shape_of(a_rows)[1] if n is None else n
            dtype = _arrays.common_dtype(a_rows=a_rows) if dtype is None else dtype
        dtype = _arrays.require_scalar(dtype, "dtype")
        n = int_of("n", n)
        call = _Call(**options)
        a, kind = call.matrix(a_rows, dtype)
    make = getattr(_library.library(), f"tessera_factorize{kind}")
    call.check(make(handle, n, a, call.options, call.info, ctypes.byref(factor)))
    return Factor(factor, dtype, call.result())


class Factor:
    """A Cholesky factor, A = L L^H, that factorize has made.

    Its methods are collective over the ranks that made it. It ends with free, with a `with`, or when Python has no more
    use for it.
    """

    def __init__(self, handle, dtype, info):
        self._handle = handle
        self.dtype = dtype  #: of L
        self.info = info  #: what factorize did, a CholeskyInfo
        self.n = _library.library().tessera_n(handle)  #: rows and columns of A
        self.log_determinant = info.log_determinant  #: log det A
        _library.factors.add(self)

    def free(self):
        """Frees its memory. To be called on all ranks; then only free may be called."""
        if self._handle is not None:
            _library.library().tessera_factor_free(self._handle)
        self._handle = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()

    def __del__(self):
        self.free()

    def solve(self, b, *, by_rows=False):
        """A^-1 b, of the shape of b and the type of L."""
        return self._apply("solve", b, by_rows)

    def solve_lower(self, b, *, by_rows=False):
        """L^-1 b."""
        return self._apply("solve_lower", b, by_rows)

    def solve_upper(self, b, *, by_rows=False):
        """L^-H b."""
        return self._apply("solve_upper", b, by_rows)

    def multiply_lower(self, b, *, by_rows=False):
        """L b."""
        return self._apply("multiply_lower", b, by_rows)

    def multiply_upper(self, b, *, by_rows=False):
        """L^H b."""
        return self._apply("multiply_upper", b, by_rows)

    def inverse_diagonal(self):
        """The diagonal of A^-1, real numbers in host memory."""
        handle = self._alive()
        with _library.refusing("factor_refuse", handle):
            d = np.empty(self.n, dtype=np.empty(0, self.dtype).real.dtype)
            array = _arrays.describe(d)
        _library.check(_library.library().tessera_inverse_diagonal(handle, array))
        return d

    def _alive(self):
        if self._handle is None:
            raise ValueError("factor: is freed")
        return self._handle

    def _apply(self, operation, b, by_rows):
        handle = self._alive()
        with _library.refusing("factor_refuse", handle):
            _require_right_hand_sides(b)
            _arrays.require_castable("b", b, self.dtype)
            x = _arrays.writable_copy("b", b, self.dtype)
            array = _arrays.describe(x, by_rows)
        _library.check(getattr(_library.library(), f"tessera_{operation}")(handle, array))
        return x
