"""Solves systems in HDF5 files: tessera_solve_files_test.py PROGRAM MPIRUN RANKS DIRECTORY

x solves the system in every scalar and shape, whatever the other triangle holds; whatever is wrong is said in one line
that names it, ends all ranks, and leaves nothing where x would be.
"""

import glob
import os
import shutil
import subprocess
import sys
import unittest

import h5py
import numpy as np

PROGRAM, MPIRUN, RANKS, DIRECTORY = sys.argv[1:5]
RANKS = int(RANKS)
HAS_OLDER = RANKS % 2 == 0  # whether what fails finds a file where x would be


def hermitian(n, dtype, seed=0):
    """A positive definite A, b of three columns, and the x that A x = b has."""
    random = np.random.default_rng(seed)

    def numbers(*shape):
        z = random.standard_normal(shape)
        return z + 1j * random.standard_normal(shape) if np.dtype(dtype).kind == "c" else z

    g = numbers(n, n)
    a = (g @ g.conj().T / n + np.eye(n)).astype(dtype)
    b = numbers(n, 3).astype(dtype)
    return a, b


def one_triangle(a, triangle):
    """The other one is NaNs, and so is what a diagonal has of imaginary parts."""
    keep = np.tri(len(a), dtype=bool)
    a = np.where(keep if triangle == "lower" else keep.T, a, np.nan).astype(a.dtype)
    if np.iscomplexobj(a):
        np.fill_diagonal(a.imag, np.nan)
    return a


def save(name, **datasets):
    with h5py.File(name, "w") as file:
        for path, value in datasets.items():
            file[path] = value


def solve(*arguments, limit="unlimited"):
    """Runs tessera-solve, and adds the ranks' exit codes to what subprocess says of it.

    No file may have more blocks than `limit`; writing them is an error then, as on a full disk.
    """
    codes = DIRECTORY + ".codes"
    open(codes, "w").close()
    script = f'trap "" XFSZ; ulimit -f {limit}; "$@"; echo $? >> "{codes}"'
    environment = dict(os.environ)
    if limit != "unlimited":
        environment["OMPI_MCA_btl"] = "self,tcp"  # shared memory would be a file that is too large
    result = subprocess.run(["bash", MPIRUN, str(RANKS), "sh", "-c", script, "sh", PROGRAM, *arguments],
                            capture_output=True, text=True, timeout=120, env=environment)
    with open(codes) as file:
        result.codes = file.read().split()
    return result


class Files(unittest.TestCase):
    def setUp(self):
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        os.makedirs(DIRECTORY)
        os.chdir(DIRECTORY)

    def solved(self, *arguments, out="x.h5"):
        result = solve("--matrix", "a.h5:/A", "--rhs", "b.h5:/b", "--out", f"{out}:/x", *arguments)
        self.assertEqual(result.codes, RANKS * ["0"], result.stderr)
        self.assertNotIn("tessera-solve", result.stderr)
        self.assertEqual(result.stdout.count("written to"), 1)
        with h5py.File(out, "r") as file:
            return file["x"][()], dict(file["x"].attrs)

    def fails(self, *message, arguments=(), out="x.h5", matrix="a.h5:/A", rhs="b.h5:/b", limit="unlimited"):
        """The one line holds all of `message`; a file that was there stays, and none comes where none was."""
        if HAS_OLDER:
            with open("x.h5", "wb") as file:
                file.write(b"older")
        before = set(glob.glob("**", recursive=True))
        result = solve("--matrix", matrix, "--rhs", rhs, "--out", f"{out}:/x", *arguments, limit=limit)
        self.assertEqual(result.codes, RANKS * ["1"])
        lines = [line for line in result.stderr.splitlines() if "tessera-solve" in line or "HDF5" in line]
        self.assertEqual(len(lines), 1, result.stderr)
        for part in ("tessera-solve: ", *message):
            self.assertIn(part, lines[0])
        self.assertEqual(result.stdout, "")
        self.assertEqual(set(glob.glob("**", recursive=True)), before)
        if HAS_OLDER:
            with open("x.h5", "rb") as file:
                self.assertEqual(file.read(), b"older")

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
                           "--json", "x.json", shift=0.5)
        self.assertEqual(about["diag_shift"], 0.5)
        self.assertEqual(list(about["grid"]), [RANKS, 1])
        self.assertEqual(about["ranks"], RANKS)
        self.assertEqual(about["scalar"], "double")
        self.assertEqual(about["matrix"], "a.h5:/A")
        self.assertEqual(about["rhs"], "b.h5:/b")
        self.assertEqual(about["leading_minor"], 0)
        self.assertEqual(about["on_failure"], "raise")
        self.assertTrue(about["program"].startswith("tessera-solve "))
        for phase in ("redistribute", "factorize", "solve"):
            self.assertGreater(about["seconds_" + phase], 0)
        self.assertTrue(os.path.exists("x.json"))

    def test_how_the_file_has_it(self):
        """Bytes the other way round, chunks, compression, groups, fewer rows than ranks, an older file, a link."""
        a, b = hermitian(2, ">f8")
        with h5py.File("a.h5", "w") as file:
            file.create_dataset("A", data=a, chunks=(1, 2), compression="gzip")
        with open("older.h5", "wb") as file:
            file.write(b"older")
        os.symlink("older.h5", "x.h5")
        self.check(a, b, "upper")
        self.assertTrue(os.path.islink("x.h5"))
        a, b = hermitian(37, ">c16")
        save("ab.h5", **{"deep/A": a, "deep/b": b})
        result = solve("--matrix", "ab.h5:/deep/A", "--rhs", "ab.h5:/deep/b", "--out", "y.h5:/far/off/x")
        self.assertEqual(result.codes, RANKS * ["0"], result.stderr)
        with h5py.File("y.h5", "r") as file:
            self.assertLess(np.linalg.norm(a @ file["far/off/x"][()] - b), 1e-12 * np.linalg.norm(b))

    def test_several_chunks(self):
        n = 1500
        a, b = hermitian(n, "f8")
        a = a + 1e-3 * np.eye(n)
        save("a.h5", A=one_triangle(a, "lower"))
        self.check(a, np.hstack([b, b, b, 2 * b]), "lower")

    def test_datasets_that_do_not_fit(self):
        a, b = hermitian(37, "f8")
        save("a.h5", A=a, wide=a[:36], line=a[0], cube=np.zeros((2, 2, 2)), integers=a.astype(int), half=a.astype("f2"),
             long=a.astype("g"), words=np.array([b"a", b"b"]), pairs=np.zeros((37, 37), [("x", "f8"), ("y", "f8")]),
             empty=a[:0, :0], none=h5py.Empty("f8"))
        save("b.h5", b=b, short=b[:36], single=b.astype("f4"), none=b[:, :0])
        self.fails("a.h5:/B", "'B'", matrix="a.h5:/B")
        self.fails("c.h5", "No such file or directory", matrix="c.h5:/A")
        self.fails("a.h5:/wide", "36 x 37", matrix="a.h5:/wide")
        self.fails("b.h5:/short", "37", "36 x 3", rhs="b.h5:/short")
        self.fails("a.h5:/A", "double", "b.h5:/single", "float", rhs="b.h5:/single")
        self.fails("a.h5:/integers", "integers of 8 bytes", matrix="a.h5:/integers")
        self.fails("--scalar", "a.h5:/A", "double", "float", arguments=("--scalar", "float"))
        if RANKS > 1:
            return  # every rank looks for itself, and alike
        self.fails("a.h5:/line", "37", matrix="a.h5:/line")
        self.fails("a.h5:/cube", "3", matrix="a.h5:/cube")
        self.fails("a.h5:/half", "2 bytes", matrix="a.h5:/half")
        self.fails("a.h5:/long", "16 bytes", matrix="a.h5:/long")
        self.fails("a.h5:/words", "strings", matrix="a.h5:/words")
        self.fails("a.h5:/pairs", "compound", matrix="a.h5:/pairs")
        self.fails("a.h5:/empty", "0 x 0", matrix="a.h5:/empty")
        self.fails("a.h5:/none", "dimensions", matrix="a.h5:/none")
        self.fails("b.h5:/none", "37 x 0", rhs="b.h5:/none")

    def test_files_that_are_no_good(self):
        a, b = hermitian(150, "f8")
        save("a.h5", A=a)
        save("b.h5", b=b)
        shutil.copy("a.h5", "cut.h5")
        os.truncate("cut.h5", 100000)
        self.fails("cut.h5", "truncated", matrix="cut.h5:/A")
        with open("text.h5", "w") as file:
            file.write("no HDF5\n" * 1000)
        self.fails("text.h5", "signature", matrix="text.h5:/A")
        # that of which the middle is missing is found out while it is read
        with h5py.File("packed.h5", "w") as file:
            file.create_dataset("A", data=a, chunks=(10, 150), compression="gzip")
            offset = file["A"].id.get_chunk_info(14).byte_offset
        with open("packed.h5", "r+b") as file:
            file.seek(offset)
            file.write(bytes(500))
        self.fails("packed.h5:/A", matrix="packed.h5:/A")

    def test_numbers_that_are_no_good(self):
        a, b = hermitian(37, "f8")
        save("b.h5", b=b)
        for (row, column), value in (((30, 20), np.nan), ((36, 36), np.inf)):
            spoilt = a.copy()
            spoilt[row, column] = spoilt[36, 0] = value
            save("a.h5", A=spoilt)
            first = (row, column) if row < 36 else (36, 0)
            self.fails("a.h5:/A", "row %d, column %d " % first)
        save("a.h5", A=a)
        b[5, 2] = np.nan
        save("b.h5", b=b)
        self.fails("b.h5:/b", "row 5, column 2 ")
        save("b.h5", b=b[:, 0])
        a[10, 10] = -1
        save("a.h5", A=a)
        self.fails("a.h5:/A", "leading minor of order 11 ")
        x, about = self.solved("--on-failure", "fill_nan")
        self.assertEqual(about["leading_minor"], 11)
        self.assertTrue(np.isnan(x).all() and x.shape == (37,))

    def test_places_that_are_no_good(self):
        a, b = hermitian(150, "f8")
        save("a.h5", A=a)
        save("b.h5", b=np.hstack(20 * [b]))
        self.fails("cannot write x.h5", "File too large", limit=8)
        self.fails("cannot write /dev/full", "No space left on device", out="/dev/full")
        os.symlink("other.h5", "link.h5")
        self.fails("cannot write link.h5", "File too large", out="link.h5", limit=8)
        self.fails("cannot write none/x.h5", "No such file or directory", out="none/x.h5")
        self.fails("--out", "a.h5:/A", out="./a.h5")
        with h5py.File("a.h5", "r") as file:
            self.assertTrue((file["A"][()] == a).all())

    def test_usage(self):
        a, b = hermitian(37, "f8")
        save("a.h5", A=a)
        save("b.h5", b=b)
        self.fails("--matrix", "--kernel", arguments=("--kernel", "rbf"))
        self.fails("--rhs", "3", rhs="3")
        if RANKS > 1:
            return
        self.fails("--matrix", "a.h5", matrix="a.h5")
        self.fails("--matrix", ":/A", matrix=":/A")
        self.fails("--triangle", "both", arguments=("--triangle", "both"))
        self.fails("--out", "--json", arguments=("--json", "x.h5"))
        self.fails("grid", "7 x 1", arguments=("--grid", "7x1"))
        for arguments, option in ((("--out", "x.h5:/x"), "--matrix"),
                                  (("--matrix", "a.h5:/A", "--rhs", "b.h5:/b"), "--out"),
                                  (("--rhs", "b.h5:/b"), "--rhs"), (("--rhs", "0"), "--rhs")):
            result = solve(*arguments)
            self.assertEqual(result.codes, RANKS * ["1"])
            self.assertIn(option, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
