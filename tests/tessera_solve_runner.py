# SPDX-License-Identifier: BSD-3-Clause
"""Runs tessera-solve on HDF5 files: what its tests have in common.

A test is called with PROGRAM MPIRUN RANKS DIRECTORY, and works in that directory, which is empty before each case.
"""

import os
import shutil
import subprocess
import sys
import unittest

import h5py
import numpy as np

PROGRAM, MPIRUN, RANKS, DIRECTORY = sys.argv[1:5]
RANKS = int(RANKS)
MISUSE, NOT_POSITIVE_DEFINITE, NOT_FINITE = 2, 3, 4  # exit codes, as --help has them


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


def save(name, **datasets):
    with h5py.File(name, "w") as file:
        for path, value in datasets.items():
            file[path] = value


def solve(*arguments, limit="unlimited", stdout=None):
    """Runs tessera-solve, and adds the ranks' exit codes to what subprocess says of it.

    No file may have more blocks than `limit`; writing them is an error then, as on a full disk.
    """
    codes = DIRECTORY + ".codes"
    open(codes, "w").close()
    script = f'ulimit -f {limit}; "$@"; echo $? >> "{codes}"'
    environment = dict(os.environ)
    if limit != "unlimited":
        environment["OMPI_MCA_btl"] = "self,tcp"  # shared memory would be a file that is too large
    command = ["sh", "-c", script, "sh", PROGRAM, *arguments]
    if RANKS > 1:
        command = ["bash", MPIRUN, str(RANKS), *command]
    else:  # without a launcher, and Open MPI without a daemon, it starts in a third of the time
        environment["OMPI_MCA_ess_singleton_isolated"] = "1"
        environment.setdefault("OMPI_MCA_btl", "self")
    result = subprocess.run(command, stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=120, env=environment)
    with open(codes) as file:
        result.codes = [int(code) for code in file.read().split()]
    return result


def everything():
    """All that lies in the directory, and when it was last changed, but for the directories themselves."""
    found = {}
    for directory, _, files in os.walk("."):
        for name in files:
            path = os.path.join(directory, name)
            found[path] = os.lstat(path).st_mtime_ns, os.lstat(path).st_ino
    return found


class Case(unittest.TestCase):
    def setUp(self):
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        os.makedirs(DIRECTORY)
        os.chdir(DIRECTORY)

    def solved(self, *arguments, out="x.h5"):
        result = solve("--matrix", "a.h5:/A", "--rhs", "b.h5:/b", "--out", f"{out}:/x", *arguments)
        self.assertEqual(result.codes, RANKS * [0], result.stderr)
        self.assertNotIn("tessera-solve", result.stderr)
        self.assertEqual(result.stdout.count("written to"), 1)
        with h5py.File(out, "r") as file:
            return file["x"][()], dict(file["x"].attrs)

    def is_refused(self, result, code, message):
        """All ranks return the code, and the one line holds all of `message`."""
        self.assertEqual(result.codes, RANKS * [code], result.stderr)
        lines = [line for line in result.stderr.splitlines() if "tessera-solve" in line or "HDF5" in line]
        self.assertEqual(len(lines), 1, result.stderr)
        for part in ("tessera-solve: ", *message):
            self.assertIn(part, lines[0])


def main():
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
