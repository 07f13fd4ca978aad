# SPDX-License-Identifier: BSD-3-Clause
"""How programs in Python that use Tessera end: python_exit_test.py MPIRUN. Each is run on 1 rank and on 2."""

import os
import subprocess
import sys
import unittest

MPIRUN = sys.argv.pop(1)
FACTOR = """
import numpy as np
from mpi4py import MPI
import tessera
factor = tessera.factorize(np.eye(4) if MPI.COMM_WORLD.rank == 0 else np.empty((0, 4)))
"""


def run(ranks, program, **environment):
    command = [sys.executable, "-c", program]
    if ranks > 1:
        command = ["bash", MPIRUN, str(ranks), *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | environment)


class Ends(unittest.TestCase):
    def expect(self, program, code=0, says=""):
        """Without a word but what the program says on each rank, where the ranks' lines may mix."""
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                result = run(ranks, program)
                self.assertEqual(result.returncode, code, result.stderr)
                if code == 0:
                    self.assertEqual(result.stderr, "")
                for word in ("terminate called", "Kokkos", "signal", "Aborted", "was called after", "Exception ignored"):
                    self.assertNotIn(word, result.stderr)
                self.assertEqual("".join(result.stdout.split()), "".join(says.split()) * ranks)

    def test_with_factors_that_are_there(self):
        self.expect(FACTOR)

    def test_with_factors_in_a_cycle(self):
        self.expect(FACTOR + "factor.itself = factor\ndel factor\n")

    def test_after_an_exception(self):
        self.expect(FACTOR + "raise ValueError('the end')\n", code=1)

    def test_after_an_exception_of_a_call(self):
        self.expect(FACTOR + "tessera.factorize(-np.eye(4)[:: MPI.COMM_WORLD.size])\n", code=1)

    def test_with_an_exit_code(self):
        self.expect(FACTOR + "import sys; sys.exit(3)\n", code=3)

    def test_after_mpi(self):
        self.expect(FACTOR + "MPI.Finalize()\n")

    def test_without_a_call(self):
        self.expect("import tessera\ntessera.__version__\n")

    def test_factors_are_freed_when_kokkos_ends(self):
        late = """
import atexit
@atexit.register
def late():
    try:
        factor.solve(np.ones(4))
    except ValueError as e:
        print(e)
"""
        self.expect(late + FACTOR, says="factor: is freed")


class Beginnings(unittest.TestCase):
    def test_before_mpi(self):
        result = run(1, "import mpi4py; mpi4py.rc.initialize = False\n"
                        "import numpy, tessera; tessera.factorize(numpy.eye(4))\n")
        self.assertIn("ValueError: comm: MPI is not initialised", result.stderr)

    def test_without_the_library(self):
        result = run(1, FACTOR, TESSERA_LIBRARY="/nowhere/libtessera_c.so")
        self.assertIn("ImportError: cannot load Tessera, which TESSERA_LIBRARY may name: /nowhere", result.stderr)


if __name__ == "__main__":
    unittest.main()
