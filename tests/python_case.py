# SPDX-License-Identifier: BSD-3-Clause
"""Systems for python_test.py, and what each of its tests can expect; python_device_test.py shares the rows."""

import unittest

import numpy as np
from mpi4py import MPI

import tessera

COMM = MPI.COMM_WORLD
RANK, RANKS = COMM.rank, COMM.size


def bound(dtype):
    return 2000 * np.finfo(dtype).eps


def numbers(random, dtype, *shape):
    z = random.standard_normal(shape)
    return (z + 1j * random.standard_normal(shape) if np.dtype(dtype).kind == "c" else z).astype(dtype)


def system(n, dtype=np.float64, columns=3):
    """A positive definite A and b, the same on every rank."""
    random = np.random.default_rng(n)
    g = numbers(random, dtype, n, n)
    a = g @ g.conj().T / max(1, n) + 2 * np.eye(n)
    return ((a + a.conj().T) / 2).astype(dtype), numbers(random, dtype, n, columns)


def mine(array):
    """This rank's rows."""
    n = len(array)
    return array[n * RANK // RANKS : n * (RANK + 1) // RANKS]


class Case(unittest.TestCase):
    def expect_close(self, x, y):
        self.assertEqual(x.shape, y.shape)
        np.testing.assert_allclose(x, y, rtol=0, atol=bound(x.dtype))

    def expect_solves(self):
        a, b = system(7)
        x, _ = tessera.cholesky_distributed(mine(a), b)
        self.expect_close(a @ x, b)

    def expect_raised(self, error, text, call, *arguments, **options):
        with self.assertRaisesRegex(error, text) as raised:
            call(*arguments, **options)
        self.expect_solves()
        return raised.exception
