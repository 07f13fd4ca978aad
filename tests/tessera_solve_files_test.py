# SPDX-License-Identifier: BSD-3-Clause
"""What tessera-solve makes of systems in HDF5 files: tessera_solve_files_test.py PROGRAM MPIRUN RANKS DIRECTORY

x solves the system in every scalar and shape, whatever the other triangle holds.
"""

import json
import os
import stat

import h5py
import numpy as np

from tessera_solve_runner import Case, NOT_FINITE, RANKS, hermitian, main, save, solve


def one_triangle(a, triangle):
    """The other one is NaNs, and so is what a diagonal has of imaginary parts."""
    keep = np.tri(len(a), dtype=bool)
    a = np.where(keep if triangle == "lower" else keep.T, a, np.nan).astype(a.dtype)
    if np.iscomplexobj(a):
        np.fill_diagonal(a.imag, np.nan)
    return a


class Files(Case):
    def check(self, a, b, triangle, *arguments, shift=0.0):
        precision = np.finfo(a.dtype).eps
        save("b.h5", b=b)
        x, about = self.solved("--triangle", triangle, *arguments)
        self.assertEqual(x.dtype, b.dtype.newbyteorder("="))
        self.assertEqual(x.shape, b.shape)
        wide = np.result_type(a.dtype, np.float64)
        r = b.astype(wide) - (a.astype(wide) + shift * np.eye(len(a))) @ x.astype(wide)
        norm = np.linalg.norm
        backward = norm(r) / (norm(a.astype(wide) + shift * np.eye(len(a))) * norm(x) + norm(b))
        self.assertLess(backward, 2 * precision)
        self.assertLess(about["backward_error"], 2 * precision)
        self.assertLess(abs(about["residual"] - norm(r)), 0.1 * norm(r) + 1e-14 * norm(b))
        return about

    def test_scalars_shapes_and_triangles(self):
        for dtype, n, triangle in (("f4", 37, "lower"), ("f8", 150, "upper"),
                                   ("c8", 37, "upper"), ("c16", 150, "lower")):
            with self.subTest(dtype=dtype):
                a, b = hermitian(n, dtype)
                save("a.h5", A=one_triangle(a, triangle))
                about = self.check(a, b if n == 37 else b[:, 0], triangle, "--tile", "16")
                self.assertEqual(about["tile_size"], 16)
                self.assertEqual(about["triangle"], triangle)

    def test_full_matrix_shift_and_attributes(self):
        a, b = hermitian(150, "f8")
        save("a.h5", A=a)
        about = self.check(a, b, "lower", "--shift", "0.5", "--grid", f"{RANKS}x1", "--scalar", "double",
                           "--json", "x.json", "--arithmetic", "integer", "--moduli", "15", shift=0.5)
        self.assertEqual((about["arithmetic"], about["moduli"]), ("integer", 15))
        self.assertEqual(about["integer_columns"], about["n"])
        self.assertEqual(about["diag_shift"], 0.5)
        self.assertEqual(list(about["grid"]), [RANKS, 1])
        self.assertEqual(about["ranks"], RANKS)
        self.assertEqual(about["scalar"], "double")
        self.assertEqual(about["matrix"], "a.h5:/A")
        self.assertEqual(about["rhs"], "b.h5:/b")
        self.assertEqual(about["leading_minor"], 0)
        self.assertEqual(about["on_failure"], "raise")
        self.assertEqual(about["not_finite"], "")
        self.assertTrue(about["program"].startswith("tessera-solve "))
        for phase in ("redistribute", "factorize", "solve"):
            self.assertGreater(about["seconds_" + phase], 0)
        self.assertTrue(os.path.exists("x.json"))

    def test_how_the_file_has_it(self):
        """Bytes the other way round, chunks, compression, groups, fewer rows than ranks, an older file, links."""
        a, b = hermitian(2, ">f8")
        with h5py.File("a.h5", "w") as file:
            file.create_dataset("A", data=a, chunks=(1, 2), compression="gzip")
        with open("older.h5", "wb") as file:
            file.write(b"older")
        os.chmod("older.h5", 0o604)
        os.symlink("older.h5", "x.h5")
        self.check(a, b, "upper")
        self.assertTrue(os.path.islink("x.h5"))
        self.assertEqual(stat.S_IMODE(os.stat("older.h5").st_mode), 0o604)
        self.assertEqual(sorted(os.listdir()), ["a.h5", "b.h5", "older.h5", "x.h5"])
        a, b = hermitian(37, ">c16")
        save("ab.h5", **{"deep/A": a, "deep/b": b, "link": h5py.ExternalLink("ab.h5", "deep/A")})
        result = solve("--matrix", "ab.h5:/link", "--rhs", "ab.h5:/deep/b", "--out", "y.h5:/far/off/x")
        self.assertEqual(result.codes, RANKS * [0], result.stderr)
        with h5py.File("y.h5", "r") as file:
            self.assertLess(np.linalg.norm(a @ file["far/off/x"][()] - b), 1e-12 * np.linalg.norm(b))

    def test_several_chunks(self):
        n = 1500
        a, b = hermitian(n, "f8")
        a = a + 1e-3 * np.eye(n)
        save("a.h5", A=one_triangle(a, "lower"))
        self.check(a, np.hstack([b, b, b, 2 * b]), "lower")

    def test_how_large_the_numbers_are(self):
        """Their squares would over- or underflow; an x that does so itself is not written."""
        a, b = hermitian(37, "f8")
        for scale in (1e-200, 1e200):
            with self.subTest(scale=scale):
                save("a.h5", A=scale * a)
                save("b.h5", b=scale * b)
                about = self.solved()[1]
                self.assertLess(about["backward_error"], 2e-16)
                self.assertGreater(about["backward_error"], 1e-18)
                self.assertGreater(about["residual"], 0)
        save("a.h5", A=1e-300 * a)
        save("b.h5", b=1e100 * b)
        with open("x.h5", "wb") as file:
            file.write(b"older")
        result = solve("--matrix", "a.h5:/A", "--rhs", "b.h5:/b", "--out", "x.h5:/x", "--json", "x.json")
        self.is_refused(result, NOT_FINITE, ("a.h5:/A", "x is not finite"))
        self.assertIn("not finite         x\n", result.stdout)
        with open("x.json") as file:
            report = json.load(file)
        self.assertEqual((report["not_finite"], report["backward_error"]), ("x", None))
        with open("x.h5", "rb") as file:
            self.assertEqual(file.read(), b"older")
        self.assertEqual(sorted(os.listdir()), ["a.h5", "b.h5", "x.h5", "x.json"])

    def test_nans_that_are_asked_for(self):
        a, b = hermitian(37, "f8")
        a[10, 10] = -1
        save("a.h5", A=a)
        save("b.h5", b=b[:, 0])
        x, about = self.solved("--on-failure", "fill_nan")
        self.assertEqual(about["leading_minor"], 11)
        self.assertTrue(np.isnan(x).all() and x.shape == (37,))
        self.assertTrue(np.isnan(about["backward_error"]))


if __name__ == "__main__":
    main()
