# SPDX-License-Identifier: BSD-3-Clause
"""Tessera from Python, beside numpy.linalg: run on any number of ranks, each of which reports its own failures."""

import faulthandler
import io
import sys
import unittest
import unittest.mock

import numpy as np
from mpi4py import MPI

import tessera
from python_arrays import Device, DlpackDevice, Unready
from python_case import COMM, RANK, RANKS, Case, bound, mine, system
from tessera._arrays import interface_of
from tessera._library import library

faulthandler.dump_traceback_later(240, exit=True)  # most likely a deadlock

DTYPES = (np.float32, np.float64, np.complex64, np.complex128)
SIZES = (0, 1, 5, 13)
CULPRITS = {0, RANKS - 1, RANKS}  # the first rank, the last one, and all of them, where a test asks who is wrong


def out_of_range():
    """What a call and a plan say of options that C would have cut, or not told apart, and the options."""
    for option, value in (
        ("tile", 2**64 + 7),
        ("tile", -(2**63) - 1),
        ("moduli", 2**32 + 6),
        ("bytes_free", 2**63),
        ("bytes_free", 2**64 - 1),
        ("bytes_free", 2**64),
    ):
        yield f"{option}: must be from .*, got {value}$", {option: value}
    yield "grid: must be from -2147483648 to 2147483647, got 4294967297$", {"grid": (2**32 + 1, RANKS)}
    yield "grid: must be an integer, got 2.7$", {"grid": (2.7, 1.2)}
    yield "grid: must be an integer, got '1'$", {"grid": "1x"}
    yield r"grid: must be \(rows, cols\), got 7$", {"grid": 7}
    yield r"grid: must be \(rows, cols\), got \(1, 2, 3\)$", {"grid": (1, 2, 3)}


class Results(Case):
    def test_sizes_and_scalars(self):
        for dtype in DTYPES:
            for n in SIZES:
                for tile in (0, 7):
                    with self.subTest(dtype=dtype, n=n, tile=tile):
                        a, b = system(n, dtype)
                        before = b.copy()
                        x, info = tessera.cholesky_distributed(mine(a), b, tile=tile)
                        self.assertEqual((x.dtype, info.leading_minor, info.arithmetic), (dtype, 0, "native"))
                        self.expect_close(x, np.linalg.solve(a, b))
                        self.assertTrue(np.array_equal(b, before))
                        self.assertAlmostEqual(info.log_determinant, np.linalg.slogdet(a)[1], delta=n * bound(dtype))
                        rows, _ = tessera.cholesky_distributed(mine(a), mine(b), tile=tile, by_rows=True)
                        self.assertTrue(np.array_equal(rows, mine(x)))
                        column, _ = tessera.cholesky_distributed(mine(a), b[:, 0], tile=tile)
                        self.expect_close(column, x[:, 0])

    def test_arrays(self):
        n = 13
        a, b = system(n, np.complex128)
        x = np.linalg.solve(a, b)
        rows = mine(a)
        wide = np.zeros((2 * len(rows), 3 * n), a.dtype)
        wide[::2, ::3] = rows
        odd = np.frombuffer(b"x" + rows.tobytes(), np.uint8)[1:].view(a.dtype).reshape(rows.shape)
        packed = np.zeros(rows.shape, [("byte", "u1"), ("z", a.dtype)])
        packed["z"] = rows
        for name, array in {
            "by columns": np.asfortranarray(rows),
            "transposed": rows.T.copy().T,
            "strided": wide[::2, ::3],
            "backwards": np.ascontiguousarray(rows[::-1, ::-1])[::-1, ::-1],
            "unaligned": odd,
            "packed": packed["z"],
            "big-endian": rows.astype(a.dtype.newbyteorder(">")),
            "a list": rows.tolist() if len(rows) else rows,
        }.items():
            with self.subTest(array=name):
                self.expect_close(tessera.cholesky_distributed(array, b)[0], x)
        for name, array in {"by columns": np.asfortranarray(b), "backwards": b[::-1].copy()[::-1]}.items():
            with self.subTest(b=name):
                self.expect_close(tessera.cholesky_distributed(rows, array)[0], x)
        same = np.broadcast_to(b[:, :1], b.shape)
        self.expect_close(tessera.cholesky_distributed(rows, same)[0], np.linalg.solve(a, same))

    def test_promotion(self):
        a, b = system(5)
        for of_a, of_b, of_x in (
            ("f4", "f8", "f8"),
            ("f8", "c8", "c16"),
            ("c8", "f4", "c8"),
            ("i8", "i4", "f8"),
            ("f2", "f2", "f4"),
            ("f4", "i1", "f4"),
        ):
            with self.subTest(a=of_a, b=of_b):
                cast_a, cast_b = (8 * a).astype(of_a), (8 * b).astype(of_b)
                x, _ = tessera.cholesky_distributed(mine(cast_a), cast_b, diag_shift=9)
                self.assertEqual(x.dtype, of_x)
                shifted = cast_a.astype(of_x) + 9 * np.eye(5, dtype=of_x)
                self.expect_close(x, np.linalg.solve(shifted, cast_b.astype(of_x)))
        self.expect_raised(ValueError, "^a_rows, b: must be float32", tessera.cholesky_distributed,
                           mine(a).astype(np.longdouble), b)

    def test_rows_anywhere(self):
        a, b = system(9)
        for holder in range(RANKS):
            rows = a if RANK == holder else a[:0]
            their_b = b if RANK == (holder + 1) % RANKS else b[:0]
            self.expect_close(tessera.cholesky_distributed(rows, b)[0], np.linalg.solve(a, b))
            x, _ = tessera.cholesky_distributed(rows, their_b, by_rows=True)
            self.expect_close(x, np.linalg.solve(a, b)[: len(their_b)])

    def test_no_right_hand_sides(self):
        a, b = system(6)
        self.assertEqual(tessera.cholesky_distributed(mine(a), b[:, :0])[0].shape, (6, 0))
        self.assertEqual(tessera.factorize(mine(a)).solve(b[:, :0]).shape, (6, 0))

    def test_callable(self):
        for n in SIZES:
            a, b = system(n, np.complex64)
            asked = []

            def rows(first, last):
                asked.extend(range(first, last))
                return a[first:last]

            x, _ = tessera.cholesky_distributed(rows, b)
            self.expect_close(x, np.linalg.solve(a, b))
            self.assertEqual(asked, list(range(n * RANK // RANKS, n * (RANK + 1) // RANKS)))
            x, _ = tessera.cholesky_distributed(rows, mine(b), by_rows=True)
            self.expect_close(x, mine(np.linalg.solve(a, b)))
            factor = tessera.factorize(rows, n=n, dtype=">c16")
            self.assertEqual(factor.dtype, np.complex128)
            np.testing.assert_allclose(factor.solve(b), np.linalg.solve(a, b), atol=bound(np.float32))

    def test_options(self):
        a, b = system(20)
        half = np.triu(a)
        half[np.tril_indices(20, -1)] = np.nan
        done = []
        x, info = tessera.cholesky_distributed(
            mine(half), b, triangle="upper", diag_shift=0.5, tile=4, grid=(1, RANKS), arithmetic="integer", moduli=14,
            bytes_free=10**9, mpi_buffers="staged", space="host", progress=lambda *columns: done.append(columns))
        self.expect_close(x, np.linalg.solve(a + 0.5 * np.eye(20), b))
        self.assertEqual((info.grid, info.tile_size, info.diag_shift), ((1, RANKS), 4, 0.5))
        self.assertEqual((info.arithmetic, info.moduli, info.integer_columns), ("integer", 14, 20))
        _, info = tessera.cholesky_distributed(mine(a), b, arithmetic="integer", bytes_free=0)
        self.assertEqual((info.arithmetic, info.integer_columns), ("native", 0))
        self.assertEqual(done[-1], (20, 20))
        self.assertGreater(info.seconds.factorize, 0)

    def test_communicators(self):
        a, b = system(8)
        self.expect_close(tessera.cholesky_distributed(a, b, comm=MPI.COMM_SELF)[0], np.linalg.solve(a, b))
        part = COMM.Split(RANK % 2)
        n, r, size = 8, part.rank, part.size
        factor = tessera.factorize(a[n * r // size : n * (r + 1) // size], comm=part)
        part.Free()
        self.expect_close(factor.solve(b), np.linalg.solve(a, b))


class Factors(Case):
    def test_operations(self):
        for dtype in DTYPES:
            for n in (0, 1, 5, 13):
                with self.subTest(dtype=dtype, n=n):
                    a, b = system(n, dtype)
                    before = b.copy()
                    l = np.linalg.cholesky(a)
                    with tessera.factorize(mine(a), tile=4) as factor:
                        self.assertEqual((factor.n, factor.dtype), (n, dtype))
                        self.assertAlmostEqual(factor.log_determinant, np.linalg.slogdet(a)[1], delta=n * bound(dtype))
                        self.expect_close(factor.inverse_diagonal(), np.linalg.inv(a).diagonal().real)
                        for operation, result in {
                            "solve": np.linalg.solve(a, b),
                            "solve_lower": np.linalg.solve(l, b),
                            "solve_upper": np.linalg.solve(l.conj().T, b),
                            "multiply_lower": l @ b,
                            "multiply_upper": l.conj().T @ b,
                        }.items():
                            apply = getattr(factor, operation)
                            self.expect_close(apply(b), result)
                            self.expect_close(apply(b[:, 1]), result[:, 1])
                            self.expect_close(apply(mine(b), by_rows=True), mine(result))
                    self.assertTrue(np.array_equal(b, before))
                    self.assertRaisesRegex(ValueError, "^factor: is freed", factor.solve, b)
                    factor.free()

    def test_right_hand_sides_that_do_not_fit(self):
        a, b = system(6, np.float32)
        factor = tessera.factorize(mine(a))
        self.assertEqual(factor.solve(b.astype(float)).dtype, np.float32)
        self.expect_raised(ValueError, "^b: complex128 cannot be cast", factor.solve, b.astype(complex))
        for culprit in range(RANKS):
            wrong = np.zeros((6, 3, 1)) if RANK == culprit else b
            self.expect_raised(ValueError, "^b: must have one or two", factor.solve, wrong)
            self.expect_raised(ValueError, "^b", factor.multiply_lower, b[:5] if RANK == culprit else b)
        self.expect_close(factor.solve(b), np.linalg.solve(a, b))

    def test_arrays_that_fail_where_they_are_waited_for(self):
        a, b = system(6)
        factor = tessera.factorize(mine(a))
        for culprit in range(RANKS):
            here = RANK == culprit
            self.expect_raised(RuntimeError if here else ValueError, "lost its power", factor.solve,
                               Unready(b) if here else b)

    def test_factors_that_have_no_end(self):
        a, b = system(6)
        factors = [tessera.factorize(mine(a)) for _ in range(3)]
        del factors[1]
        self.expect_close(factors[1].solve(b), np.linalg.solve(a, b))


class Failures(Case):
    def test_not_positive_definite(self):
        for dtype in DTYPES:
            a, b = system(13, dtype)
            a[8, 8] = -1
            for call, *arguments in ((tessera.cholesky_distributed, mine(a), b), (tessera.factorize, mine(a))):
                error = self.expect_raised(tessera.NotPositiveDefinite, "order 9", call, *arguments)
                self.assertEqual(error.leading_minor, 9)
            x, info = tessera.cholesky_distributed(mine(a), b, on_failure="fill_nan")
            self.assertTrue(np.isnan(x).all() and np.isnan(info.log_determinant))
            self.assertEqual(info.leading_minor, 9)
            ladder = {"tries": 5, "first_shift": 1e-3, "shift_factor": 100}
            x, info = tessera.cholesky_distributed(mine(a), b, **ladder)
            self.assertEqual([attempt.leading_minor for attempt in info.tries], [9, 9, 9, 0])
            self.assertEqual([attempt.diag_shift for attempt in info.tries][1:], [1e-3, 1e-3 * 100, 1e-3 * 1e4])
            self.assertEqual(tessera.factorize(mine(a), **ladder).info.tries, info.tries)

    def test_misuse_on_all_ranks_and_on_one(self):
        a, b = system(6)
        rows = mine(a)
        without_a_device = (
            ("^a.memory: is of a device", Device(rows.copy()), b, {}),
            ("^a.memory: is of a device", DlpackDevice(rows.copy()), b, {}),
            ("^b.memory: is of a device", rows, Device(b.copy()), {}),
            ("^b.memory: is of a device", rows, DlpackDevice(b.copy()), {}),
        )
        if library().tessera_has_device():
            without_a_device = ()
        for text, wrong_rows, wrong_b, options in (
            ("^a_rows: must have two", rows[:, 0], b, {}),
            ("^b: must have one or two", rows, b[None], {}),
            ("^a", a[:, :5], b, {}),
            ("^triangle: .*'left'", rows, b, {"triangle": "left"}),
            ("^local_tile_size.*-1", rows, b, {"tile": -1}),
            ("^tile: must be an integer, got 2.5", rows, b, {"tile": 2.5}),
            ("^bytes_free: must not be negative, got -5", rows, b, {"bytes_free": -5}),
            ("^grid", rows, b, {"grid": (RANKS + 1, 1)}),
            ("^diag_shift", rows, b, {"diag_shift": np.inf}),
            ("^moduli|^arithmetic", rows, b, {"arithmetic": "integer", "moduli": 99}),
            ("^shifts.tries", rows, b, {"tries": 0}),
            ("^tries: must be at most 1000000, got 2147483647", rows, b, {"tries": 2**31 - 1}),
            *((f"^{text}", rows, b, option) for text, option in out_of_range()),
            ("^first_shift: must be a real number, got None", rows, b, {"first_shift": None}),
            ("^shift_factor: must be a real number, got 1j", rows, b, {"shift_factor": 1j}),
            ("^diag_shift: must be a real number, got 'x'", rows, b, {"diag_shift": "x"}),
            ("^diag_shift: must be a real number", rows, b, {"diag_shift": np.complex128(1 + 2j)}),
            ("^diag_shift: must be a real number", rows, b, {"diag_shift": 10**400}),
            ("^by_rows: must be True or False, got 'no'", rows, b, {"by_rows": "no"}),
            ("^by_rows: must be True or False, got 4294967297", rows, b, {"by_rows": 2**32 + 1}),
            ("^b: is float32 in device memory", rows, Device(b.astype("f4")), {}),
            *without_a_device,
        ):
            for culprit in CULPRITS:
                with self.subTest(text=text, culprit=culprit):
                    wrong = culprit in (RANK, RANKS)
                    self.expect_raised(ValueError, text, tessera.cholesky_distributed, wrong_rows if wrong else rows,
                                       wrong_b if wrong else b, **(options if wrong else {}))

    def test_misuse_of_factorize(self):
        a, _ = system(6)
        self.expect_raised(ValueError, "^n: must be given", tessera.factorize, lambda first, last: a[first:last])
        self.expect_raised(ValueError, "^dtype: must be float32", tessera.factorize, mine(a), dtype=int)
        self.expect_raised(ValueError, "^dtype: must be .*, got real$", tessera.factorize, mine(a), dtype="real")
        self.expect_raised(ValueError, "^n: .*, got 18446744073709551622$", tessera.factorize, mine(a), n=2**64 + 6)
        self.expect_raised(ValueError, "^on_failure: factorize always", tessera.factorize, mine(a), on_failure="raise")
        self.expect_raised(TypeError, "til", tessera.factorize, mine(a), til=4)
        for culprit in range(RANKS):
            self.expect_raised(ValueError, "^n: ", tessera.factorize, mine(a), n=-1 if RANK == culprit else 6)
        if RANKS > 1:
            self.expect_raised(ValueError, "the ranks disagree", tessera.factorize, mine(a), tile=4 + RANK % 2)

    def test_other_ranks_are_told_of_the_exception(self):
        a, _ = system(6)
        for culprit in range(RANKS):
            here = RANK == culprit
            self.expect_raised(TypeError if here else ValueError, "til" if here else "^TypeError: .*til",
                               tessera.factorize, mine(a), **({"til": 4} if here else {}))
            with unittest.mock.patch("tessera._calls._require_matrix", side_effect=MemoryError if here else None):
                with self.assertRaisesRegex(MemoryError if here else ValueError, "" if here else "^MemoryError: $"):
                    tessera.factorize(mine(a))
            self.expect_solves()

    def test_callbacks_that_fail(self):
        a, b = system(4 * RANKS)
        for culprit in range(RANKS):
            here = RANK == culprit

            def fail(error):
                if here:
                    raise error

            def call(result, progress=lambda done, all: None):
                return tessera.cholesky_distributed(lambda first, last: result(a[first:last]), b, progress=progress)

            self.expect_raised(KeyError if here else RuntimeError, "gone", call,
                               lambda rows: fail(KeyError("gone \udc00")) or rows)
            self.expect_raised(MemoryError, "", call, lambda rows: fail(MemoryError()) or rows)
            self.expect_raised(KeyboardInterrupt if here else RuntimeError, "", call,
                               lambda rows: fail(KeyboardInterrupt()) or rows)
            shape = "^a_rows: must return" if here else "^ValueError: a_rows: must return"
            self.expect_raised(ValueError if here else RuntimeError, shape, call,
                               lambda rows: rows[:, :3] if here else rows)
            self.expect_raised(ValueError if here else RuntimeError, "complex128", call,
                               lambda rows: rows * 1j if here else rows)
            self.expect_raised(OSError if here else RuntimeError, "no terminal", call, lambda rows: rows,
                               lambda done, all: fail(OSError("no terminal")))

    def test_local_misuse(self):
        self.assertRaisesRegex(ValueError, "^device: must be from .*, got 4294967296$", tessera.initialize, 2**32)
        self.assertRaisesRegex(ValueError, "^comm: is MPI_COMM_NULL", tessera.cholesky_distributed, np.eye(3),
                               np.ones(3), comm=MPI.COMM_NULL)


class DeviceArrays(unittest.TestCase):
    """How they are seen; nothing here has a device that could work on them."""

    def test_dlpack(self):
        for dtype in DTYPES:
            for array in (np.zeros((3, 4), dtype), np.zeros((6, 8), dtype)[::2, ::2].T, np.zeros(0, dtype)):
                seen, expected = interface_of(DlpackDevice(array)), array.__array_interface__
                self.assertEqual(seen["shape"], array.shape)
                self.assertEqual(seen["typestr"], expected["typestr"])
                self.assertEqual(seen["data"][0], array.ctypes.data)
                if array.size:
                    self.assertIn(seen["strides"], (array.strides, None))
        with unittest.mock.patch.dict("tessera._dlpack.KINDS", clear=True):
            self.assertRaisesRegex(ValueError, "not known: 2 in DLPack", interface_of, DlpackDevice(np.zeros(3)))
        self.assertIsNone(interface_of(np.zeros(3)))


class Plans(unittest.TestCase):
    def test_what_a_plan_says(self):
        plan = tessera.memory_plan(1000, 6, "complex64", nrhs=10, tile=50)
        self.assertEqual((plan.grid, plan.tile_size, plan.fits, len(plan.ranks)), ((3, 2), 50, True, 6))
        self.assertEqual(plan.peak, max(rank.peak for rank in plan.ranks))
        self.assertEqual(plan.total, sum(rank.peak for rank in plan.ranks))
        self.assertTrue(all(rank.right_hand_sides == 1000 * 10 * 8 for rank in plan.ranks))
        self.assertGreater(plan.ranks[0].bytes_sent, 0)
        by_rows = tessera.memory_plan(1000, 6, "complex64", nrhs=10, tile=50, by_rows=True)
        self.assertLess(by_rows.peak, plan.peak)
        self.assertEqual(tessera.memory_plan(1000, 6, grid=(6, 1)).grid, (6, 1))
        self.assertFalse(tessera.memory_plan(1000, 1, bytes_free=1000).fits)
        self.assertEqual((plan.moduli, plan.integer_columns), (0, 0))
        integers = tessera.memory_plan(1000, 6, tile=50, arithmetic="integer", moduli=7)
        self.assertEqual((integers.moduli, integers.integer_columns), (7, 1000))
        rank = integers.ranks[0]
        too_few = rank.matrix + rank.inverses + rank.right_hand_sides + rank.factorize - 1
        fewer = tessera.memory_plan(1000, 6, tile=50, arithmetic="integer", moduli=7, bytes_free=too_few)
        self.assertTrue(0 < fewer.integer_columns < 1000)

    def test_misuse(self):
        self.assertRaisesRegex(ValueError, "^n: .*-1", tessera.memory_plan, -1, 2)
        self.assertRaisesRegex(ValueError, "^ranks", tessera.memory_plan, 10, 0)
        self.assertRaisesRegex(ValueError, "^grid", tessera.memory_plan, 10, 2, grid=(3, 1))
        self.assertRaisesRegex(ValueError, "^dtype", tessera.memory_plan, 10, 2, int)
        self.assertRaisesRegex(ValueError, "^source", tessera.memory_plan, 10, 2, source="gram")
        self.assertRaisesRegex(ValueError, "^bytes_free: .*-5", tessera.memory_plan, 10, 2, bytes_free=-5)
        self.assertRaisesRegex(ValueError, "^n: .*18446744073709551716$", tessera.memory_plan, 2**64 + 100, 2)
        self.assertRaisesRegex(ValueError, "^ranks: .*4294967298$", tessera.memory_plan, 10, 2**32 + 2)
        for text, option in (
            *out_of_range(),
            ("nrhs: must be from .*, got 18446744073709551617$", {"nrhs": 2**64 + 1}),
            ("by_rows: must be True or False, got 'no'$", {"by_rows": "no"}),
            ("inverse: must be True or False, got 2$", {"inverse": 2}),
        ):
            self.assertRaisesRegex(ValueError, f"^{text}", tessera.memory_plan, 100, RANKS, **option)


if __name__ == "__main__":
    report = io.StringIO()
    runner = unittest.TextTestRunner(sys.stderr if RANK == 0 else report)
    passed = unittest.main(testRunner=runner, exit=False).result.wasSuccessful()
    if RANK > 0 and not passed:
        print(f"rank {RANK}:\n{report.getvalue()}", file=sys.stderr)
    sys.exit(0 if COMM.allreduce(passed, MPI.LAND) else 1)
