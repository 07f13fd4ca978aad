# SPDX-License-Identifier: BSD-3-Clause
"""Distributed dense Cholesky: Tessera from Python, by NumPy and mpi4py.

>>> x, info = tessera.cholesky_distributed(a_rows, b)

on all ranks of COMM_WORLD, where `a_rows` are this rank's rows of a Hermitian positive definite matrix, and `b` is the
same on all ranks. All functions but memory_plan and initialize are collective, and raise on every rank if they raise on
one: NotPositiveDefinite, ValueError where C++ throws std::invalid_argument, MemoryError, MpiError, and RuntimeError for
what failed on another rank. What fails while a rank looks at its arguments is a ValueError on the others, which names
the exception.
"""

from . import _library
from ._calls import CholeskyInfo, Factor, PhaseSeconds, ShiftTry, cholesky_distributed, factorize
from ._library import MpiError, NotPositiveDefinite, initialize
from ._plan import MemoryPlan, RankPlan, memory_plan

__all__ = [
    "CholeskyInfo",
    "Factor",
    "MemoryPlan",
    "MpiError",
    "NotPositiveDefinite",
    "PhaseSeconds",
    "RankPlan",
    "ShiftTry",
    "cholesky_distributed",
    "factorize",
    "initialize",
    "memory_plan",
]


def __getattr__(name):
    if name == "__version__":
        return _library.library().tessera_version().decode()
    raise AttributeError(f"module {__name__} has no attribute {name}")
