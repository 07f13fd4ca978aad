# SPDX-License-Identifier: BSD-3-Clause
"""What tessera-solve refuses of HDF5 files: tessera_solve_refusals_test.py PROGRAM MPIRUN RANKS DIRECTORY

Whatever is wrong is said in one line that names it, ends all ranks, and changes no file. What each rank finds out for
itself, and all alike, is tried on one rank only.
"""

import os
import shutil
import unittest

import h5py
import numpy as np

from tessera_solve_runner import (Case, MISUSE, NOT_POSITIVE_DEFINITE, RANKS, everything, hermitian, main, save, solve)

ONE_RANK = unittest.skipIf(RANKS > 1, "alike on every rank")
NOT_ROOT = unittest.skipIf(os.geteuid() == 0, "root may do all")


class Refusals(Case):
    def setUp(self):
        super().setUp()
        self.calls = 0
        self.a, self.b = hermitian(37, "f8")
        save("a.h5", A=self.a)
        save("b.h5", b=self.b)

    def fails(self, *message, code=1, arguments=(), out="x.h5:/x", matrix="a.h5:/A", rhs="b.h5:/b", limit="unlimited"):
        """A file that was there stays, and none comes where none was: every other call has an older one."""
        self.calls += 1
        if self.calls % 2 == RANKS % 2:
            with open("x.h5", "wb") as file:
                file.write(b"older")
        elif os.path.exists("x.h5"):
            os.remove("x.h5")
        before = everything()
        result = solve("--matrix", matrix, "--rhs", rhs, "--out", out, *arguments, limit=limit)
        self.is_refused(result, code, message)
        self.assertEqual(result.stdout, "")
        self.assertEqual(everything(), before)

    def test_one_rank_may_find_it(self):
        a, b = self.a, self.b
        with h5py.File("packed.h5", "w") as file:
            file.create_dataset("A", data=a, chunks=(2, 37), compression="gzip")
            offset = file["A"].id.get_chunk_info(9).byte_offset
        with open("packed.h5", "r+b") as file:  # found out by the rank that reads it
            file.seek(offset)
            file.write(bytes(100))
        self.fails("packed.h5:/A", matrix="packed.h5:/A")
        spoilt = a.copy()
        spoilt[30, 20] = spoilt[36, 0] = np.nan
        save("spoilt.h5", A=spoilt)
        self.fails("spoilt.h5:/A", "row 30, column 20 ", matrix="spoilt.h5:/A")
        a[10, 10] = -1
        save("spoilt.h5", A=a)
        self.fails("spoilt.h5:/A", "leading minor of order 11 ", matrix="spoilt.h5:/A", code=NOT_POSITIVE_DEFINITE)
        self.fails("cannot write x.h5", "File too large", limit=8)
        self.fails("--json", "--matrix", "./a.h5", code=MISUSE, arguments=("--json", "./a.h5"))
        with h5py.File("b.h5", "w") as file:
            file.create_dataset("b", (37, 2**45), "f8", chunks=(1, 1024))
        self.fails("b.h5:/b: out of memory", "37 x 35184372088832")
        with h5py.File("a.h5", "w") as file:
            file.create_dataset("A", (2**40, 2**40), "f8", chunks=(64, 64))
        self.fails("a.h5:/A", "more numbers", "1099511627776 x 1099511627776")

    @ONE_RANK
    def test_types_and_shapes(self):
        a, b = self.a, self.b
        integers = [("r", "i4"), ("i", "i4")]
        save("a.h5", wide=a[:36], line=a[0], cube=np.zeros((2, 2, 2)), integers=a.astype(int), half=a.astype("f2"),
             long=a.astype("g"), words=np.array([b"a", b"b"]), pairs=np.zeros((37, 37), [("x", "f8"), ("y", "f8")]),
             whole=np.zeros((37, 37), integers), mixed=np.zeros((37, 37), [("r", "f8"), ("i", "f4")]), empty=a[:0, :0],
             none=h5py.Empty("f8"), one=1.0, A=a, **{"group/a": 1.0}, outside=h5py.ExternalLink("c.h5", "A"),
             circle=h5py.SoftLink("/circle"))
        self.fails("a.h5:/wide", "36 x 37", matrix="a.h5:/wide")
        self.fails("a.h5:/line", "37", matrix="a.h5:/line")
        self.fails("a.h5:/cube", "1 or 2 dimensions, got 3", matrix="a.h5:/cube")
        self.fails("a.h5:/one", "1 or 2 dimensions, got 0", matrix="a.h5:/one")
        self.fails("a.h5:/none", "1 or 2 dimensions", matrix="a.h5:/none")
        self.fails("a.h5:/empty", "0 x 0", matrix="a.h5:/empty")
        self.fails("a.h5:/integers", "integers of 8 bytes", matrix="a.h5:/integers")
        self.fails("a.h5:/half", "2 bytes", matrix="a.h5:/half")
        self.fails("a.h5:/long", "16 bytes", matrix="a.h5:/long")
        self.fails("a.h5:/words", "strings", matrix="a.h5:/words")
        for compound in ("pairs", "whole", "mixed"):
            self.fails(f"a.h5:/{compound}", "compound other than {r, i} of float", matrix=f"a.h5:/{compound}")
        self.fails("a.h5:/B", "'B'", matrix="a.h5:/B")
        self.fails("a.h5:/group", "not a dataset", matrix="a.h5:/group")
        self.fails("a.h5:/outside", "c.h5", matrix="a.h5:/outside")
        self.fails("a.h5:/circle", "link", matrix="a.h5:/circle")
        save("b.h5", b=b, short=b[:36], single=b.astype("f4"), none=b[:, :0])
        self.fails("b.h5:/short", "37", "36 x 3", rhs="b.h5:/short")
        self.fails("b.h5:/none", "37 x 0", rhs="b.h5:/none")
        self.fails("a.h5:/A", "double", "b.h5:/single", "float", rhs="b.h5:/single")
        self.fails("--scalar", "a.h5:/A", "double", "float", arguments=("--scalar", "float"))
        with h5py.File("b.h5", "w") as file:
            file.create_dataset("b", (1024, 2**51), "f8", chunks=(1, 1024))
        self.fails("b.h5:/b", "more numbers", "1024 x 2251799813685248")

    @ONE_RANK
    def test_numbers(self):
        for row, column, value in ((36, 36, np.inf), (5, 0, -np.inf)):
            spoilt = self.a.copy()
            spoilt[row, column] = value
            save("spoilt.h5", A=spoilt)
            self.fails("spoilt.h5:/A", f"row {row}, column {column} ", matrix="spoilt.h5:/A")
        for value in (np.nan, np.inf):
            self.b[5, 2] = value
            save("b.h5", b=self.b)
            self.fails("b.h5:/b", "row 5, column 2 ")

    @ONE_RANK
    def test_files(self):
        self.fails("c.h5", "No such file or directory", matrix="c.h5:/A")
        shutil.copy("a.h5", "cut.h5")
        os.truncate("cut.h5", 5000)
        self.fails("cut.h5", "truncated", matrix="cut.h5:/A")
        with open("text.h5", "w") as file:
            file.write("no HDF5\n" * 1000)
        self.fails("text.h5", "signature", matrix="text.h5:/A")
        os.mkfifo("pipe")
        self.fails("cannot read pipe", "not a regular file", matrix="pipe:/A")
        os.mkdir("directory")
        self.fails("cannot read directory", "not a regular file", rhs="directory:/b")

    @ONE_RANK
    def test_outputs_that_are_other_files(self):
        os.link("a.h5", "hard.h5")
        os.symlink("a.h5", "soft.h5")
        os.symlink("y.h5", "dangling.h5")
        os.mkdir("deep")
        os.symlink("..", "deep/up")
        for name in ("./a.h5", "hard.h5", "soft.h5", "deep/up/a.h5"):
            self.fails("--out", "--matrix", name, code=MISUSE, out=f"{name}:/x")
        self.fails("--out", "--rhs", code=MISUSE, out="b.h5:/x")
        self.fails("--json", "--rhs", code=MISUSE, arguments=("--json", "deep/../b.h5"))
        for name in ("y.h5", "./y.h5", "deep/up/y.h5", "dangling.h5"):
            self.fails("--json", "--out", code=MISUSE, out="y.h5:/x", arguments=("--json", name))
        save("c.h5", A=h5py.ExternalLink("a.h5", "A"))
        self.fails("--out", "c.h5:/A", "a.h5", code=MISUSE, matrix="c.h5:/A", out="a.h5:/x")
        with open("report.txt", "w") as file:
            result = solve("--n", "9", "--json", "report.txt", stdout=file)
        self.is_refused(result, MISUSE, ("--json", "standard output", "report.txt"))

    @ONE_RANK
    def test_outputs_that_cannot_be(self):
        for out in ("none/x.h5", "a.h5/x.h5"):
            self.fails(f"cannot write {out}", "o", out=f"{out}:/x")
        self.fails("cannot write .", "not a regular file", out=".:/x")
        self.fails("cannot write /dev/full", "not a regular file", out="/dev/full:/x")
        self.fails("cannot write /dev/full", "not a regular file", arguments=("--json", "/dev/full"))
        os.mkfifo("pipe")
        self.fails("cannot write pipe", "not a regular file", arguments=("--json", "pipe"))
        os.symlink("circle", "circle")
        self.fails("cannot write circle", "symbolic links", arguments=("--json", "circle"))
        os.symlink("other.h5", "link.h5")
        self.fails("cannot write link.h5", "File too large", out="link.h5:/x", limit=8)
        for path in ("/.", "/a/."):
            self.fails("--out", code=MISUSE, out=f"x.h5:{path}")
        # a report that is larger than x, as it has six characters for each of this one
        deep = "/".join(14 * [250 * "\x01"])
        os.makedirs(deep)
        for name in ("a.h5", "b.h5"):
            os.rename(name, f"{deep}/{name}")
        self.fails("cannot write x.json", "File too large", matrix=f"{deep}/a.h5:/A", rhs=f"{deep}/b.h5:/b", limit=64,
                   arguments=("--json", "x.json"))

    @ONE_RANK
    @NOT_ROOT
    def test_permissions(self):
        os.chmod("a.h5", 0)
        self.fails("cannot read a.h5", "Permission denied")
        os.chmod("a.h5", 0o600)
        os.mkdir("locked", 0o500)
        self.fails("cannot write locked/x.h5", "Permission denied", out="locked/x.h5:/x")
        save("kept.h5", b=1.0)
        os.chmod("kept.h5", 0o400)
        self.fails("cannot write kept.h5", "Permission denied", out="kept.h5:/x")

    @ONE_RANK
    def test_usage(self):
        self.fails("--matrix", "--kernel", code=MISUSE, arguments=("--kernel", "rbf"))
        self.fails("--rhs", "3", code=MISUSE, rhs="3")
        self.fails("--matrix", "a.h5", code=MISUSE, matrix="a.h5")
        self.fails("--matrix", ":/A", code=MISUSE, matrix=":/A")
        self.fails("--triangle", "both", code=MISUSE, arguments=("--triangle", "both"))
        self.fails("--shift", "nan", code=MISUSE, arguments=("--shift", "nan"))
        self.fails("grid", "7 x 1", code=MISUSE, arguments=("--grid", "7x1"))
        for arguments, option in ((("--out", "x.h5:/x"), "--matrix"),
                                  (("--matrix", "a.h5:/A", "--rhs", "b.h5:/b"), "--out"),
                                  (("--rhs", "b.h5:/b"), "--rhs"), (("--rhs", "0"), "--rhs")):
            self.is_refused(solve(*arguments), MISUSE, (option,))


if __name__ == "__main__":
    main()
