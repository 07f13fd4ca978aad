# SPDX-License-Identifier: BSD-3-Clause
"""How much memory a system takes."""

import ctypes
import dataclasses

from . import _arrays, _library
from ._options import bytes_free_of, enumerator, flag_of, grid_of, int_of


@dataclasses.dataclass(frozen=True)
class RankPlan:
    """Bytes that one rank allocates, and what it sends during the factorisation."""

    matrix: int
    inverses: int
    right_hand_sides: int
    redistribute: int
    factorize: int
    solve: int
    inverse: int
    peak: int
    messages_sent: int
    bytes_sent: int


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """What a system needs, and with which sizes; peak is that of the rank that needs the most, total of all."""

    grid: tuple
    tile_size: int
    slab: int
    moduli: int
    integer_columns: int
    fits: bool
    peak: int
    total: int
    ranks: tuple


def memory_plan(
    n,
    ranks,
    dtype="float64",
    *,
    nrhs=1,
    by_rows=False,
    tile=0,
    grid=None,
    source="rows",
    triangle="lower",
    bytes_free=None,
    arithmetic="native",
    moduli=0,
    inverse=False,
    space="default",
):
    """The bytes that Tessera allocates for n unknowns on so many ranks; the caller's a_rows, b and x are not counted.

    Local; needs no MPI.
    source: "rows" in memory that the space can access, or "buffered_rows": in other memory, or of a callable.
    bytes_free: of each rank; a tile that fits is chosen, if there is one.
    inverse: whether the peak counts inverse_diagonal, and the inverse that C++ has.
    The others as for cholesky_distributed.
    """
    library = _library.library()
    options, plan = _library.PlanOptions(), _library.Plan()
    library.tessera_plan_options_init(options, ctypes.sizeof(options))
    ranks = int_of("ranks", ranks, 32)
    options.nrhs = int_of("nrhs", nrhs)
    options.by_rows = flag_of("by_rows", by_rows)
    options.tile_size = int_of("tile", tile)
    options.grid_rows, options.grid_cols = grid_of("grid", grid)
    options.source = enumerator("source", source)
    options.triangle = enumerator("triangle", triangle)
    options.arithmetic = enumerator("arithmetic", arithmetic)
    options.moduli = int_of("moduli", moduli, 32)
    options.inverse = flag_of("inverse", inverse)
    options.space = enumerator("space", space)
    options.bytes_free = bytes_free_of(bytes_free)
    each = (_library.RankPlan * max(1, ranks))()
    scalar = _library.SCALARS[_arrays.require_scalar(dtype, "dtype").name]
    _library.check(library.tessera_memory_plan(scalar, int_of("n", n), ranks, options, plan, each))
    return MemoryPlan(
        (plan.grid_rows, plan.grid_cols),
        plan.tile_size,
        plan.slab,
        plan.moduli,
        plan.integer_columns,
        bool(plan.fits),
        plan.peak,
        plan.total,
        tuple(RankPlan(*(getattr(rank, name) for name in _library.RankPlan.names)) for rank in each),
    )
