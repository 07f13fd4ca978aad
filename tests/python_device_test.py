# SPDX-License-Identifier: BSD-3-Clause
"""Tessera from Python on arrays of a CUDA device: those of CuPy, PyTorch and JAX, as far as they are there.

Run on any number of ranks, beside numpy.linalg.
"""

import importlib
import os
import sys
import unittest

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the device's memory is for others, too

import numpy as np
from mpi4py import MPI

import tessera
from python_case import COMM, mine
from tessera._arrays import interface_of

tessera.initialize(0)  # where the arrays are; Kokkos would choose by the local rank
DTYPES = (np.float32, np.float64, np.complex64, np.complex128)


def system(n, dtype, columns):
    """A positive definite A and b, the same on every rank."""
    random = np.random.default_rng(n)
    g = random.standard_normal((2, n, n))
    g = (g[0] + 1j * g[1] if np.dtype(dtype).kind == "c" else g[0]) / np.sqrt(max(1, n))
    return (g @ g.conj().T + np.eye(n)).astype(dtype), random.standard_normal((n, columns)).astype(dtype)


class OfALibrary:
    """What is expected of the arrays of every library."""

    def setUp(self):
        reason = None
        try:
            self.library = importlib.import_module(self.name)
            self.to_device(np.zeros(1))
        except Exception as error:
            reason = f"{self.name}: {error}"
        if not COMM.allreduce(reason is None, MPI.LAND):
            self.skipTest(reason or f"{self.name}: another rank has none")

    def expect_solution(self, a, x, b):
        error = np.abs(a @ self.to_host(x) - b).max(initial=0)
        self.assertLessEqual(error, 200 * max(1, len(a)) * np.finfo(b.dtype).eps)

    def test_the_one_call(self):
        for dtype in DTYPES:
            for n in (0, 1, 7, 100, 1000):
                for shape in ((n,), (n, 1), (n, 3)):
                    with self.subTest(dtype=dtype, n=n, shape=shape):
                        a, b = system(n, dtype, 3)
                        b = b[:, : int(np.prod(shape[1:]))].reshape(shape)
                        rows, on_device = self.to_device(mine(a)), self.to_device(b)
                        x, _ = tessera.cholesky_distributed(rows, on_device)
                        self.assertIs(type(x), type(on_device))
                        self.expect_solution(a, x, b)
                        self.assertTrue(np.array_equal(self.to_host(on_device), b))
                        self.assertTrue(np.array_equal(self.to_host(rows), mine(a)))
                        by_rows, _ = tessera.cholesky_distributed(rows, self.to_device(mine(b)), by_rows=True)
                        self.assertTrue(np.array_equal(self.to_host(by_rows), mine(self.to_host(x))))

    def test_one_of_the_two_on_the_host(self):
        a, b = system(201, np.float64, 2)
        x, _ = tessera.cholesky_distributed(self.to_device(mine(a)), b)
        self.assertIs(type(x), np.ndarray)
        self.expect_solution(a, self.to_device(x), b)
        x, _ = tessera.cholesky_distributed(mine(a), self.to_device(b))
        self.expect_solution(a, x, b)

    def test_what_the_library_has_enqueued_comes_first(self):
        a, b = system(1500, np.float64, 1)
        for _ in range(20):
            rows = self.to_device(mine(a) / 2.0**30)
            for _ in range(30):
                rows = rows * 2
            x, _ = tessera.cholesky_distributed(rows, self.to_device(b))
            self.expect_solution(a, x * 1, b)

    def test_a_factor(self):
        a, b = system(150, np.complex128, 4)
        l = np.linalg.cholesky(a)
        with tessera.factorize(self.to_device(mine(a))) as factor:
            on_device = self.to_device(b)
            self.expect_solution(a, factor.solve(on_device), b)
            self.expect_solution(l, factor.solve_lower(on_device), b)
            self.expect_solution(l.conj().T, factor.solve_upper(on_device), b)
            np.testing.assert_allclose(self.to_host(factor.multiply_lower(on_device)), l @ b, atol=1e-12)

    def test_a_callable(self):
        a, b = system(333, np.float32, 1)
        x, _ = tessera.cholesky_distributed(lambda first, last: self.to_device(a[first:last]), self.to_device(b))
        self.expect_solution(a, x, b)

    def test_refusals(self):
        a, b = system(9, np.float64, 1)
        with self.assertRaisesRegex(ValueError, "^b: is float32 in device memory"):
            tessera.cholesky_distributed(self.to_device(mine(a)), self.to_device(b.astype(np.float32)))
        a[5, 5] = -1
        with self.assertRaises(tessera.NotPositiveDefinite) as raised:
            tessera.cholesky_distributed(self.to_device(mine(a)), self.to_device(b))
        self.assertEqual(raised.exception.leading_minor, 6)


class Strided:
    """Of libraries whose arrays may be views."""

    def test_views(self):
        a, b = system(77, np.complex64, 2)
        rows = mine(a)
        wide = np.zeros((2 * len(rows), 3 * len(a)), a.dtype)
        wide[::2, ::3] = rows
        for name, view in {
            "strided": self.to_device(wide)[::2, ::3],
            "transposed": self.to_device(np.ascontiguousarray(rows.T)).T,
        }.items():
            with self.subTest(name):
                x, _ = tessera.cholesky_distributed(view, self.to_device(np.ascontiguousarray(b.T)).T)
                self.expect_solution(a, x, b)


class CuPy(OfALibrary, Strided, unittest.TestCase):
    name = "cupy"

    def to_device(self, array):
        return self.library.asarray(array)

    def to_host(self, array):
        return self.library.asnumpy(array)


class PyTorch(OfALibrary, Strided, unittest.TestCase):
    name = "torch"

    def to_device(self, array):
        return self.library.from_numpy(np.array(array)).cuda()

    def to_host(self, array):
        return array.cpu().numpy()


class Jax(OfALibrary, unittest.TestCase):
    name = "jax"

    def to_device(self, array):
        self.library.config.update("jax_enable_x64", True)
        return self.library.device_put(array, self.library.devices("gpu")[0])

    def to_host(self, array):
        return np.asarray(array)

    def test_dlpack_alone(self):
        """The same array where it shows itself by DLPack only."""

        class Array:
            def __init__(self, array):
                self.array = array

            def __dlpack__(self):
                return self.array.__dlpack__()

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        array = self.to_device(np.arange(12.0).reshape(3, 4))
        seen, shown = interface_of(Array(array)), interface_of(array)
        for key in ("shape", "typestr"):
            self.assertEqual(seen[key], shown[key])
        self.assertEqual(seen["data"][0], shown["data"][0])


if __name__ == "__main__":
    passed = unittest.main(exit=False).result.wasSuccessful()
    sys.exit(0 if COMM.allreduce(passed, MPI.LAND) else 1)
