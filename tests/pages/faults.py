# SPDX-License-Identifier: BSD-3-Clause
"""Checks the tables of tests/faults.md: faults.py SOURCE CTEST BUILD

Each cell says what happens and names a test that is there and has the label, or says "-" and why.
"""

import pathlib
import re
import subprocess
import sys

TESTS = pathlib.Path(sys.argv[1]) / "tests"
CTEST, BUILD = sys.argv[2:4]
OPTIONAL = ("tessera_solve", "output_file", "c_test", "python")  # not registered without perf, HDF5, C or mpi4py


def registered(*arguments):
    """The programs that ctest would run, without the number of ranks and what else stands behind a dot."""
    lines = subprocess.run([CTEST, "--test-dir", BUILD, "-N", *arguments], check=True, capture_output=True, text=True)
    return set(re.findall(r"Test +#\d+: ([^.\s]+)", lines.stdout))


def program_of(name):
    """The test program that has this case, or None."""
    suite, _, case = name.partition(".")
    if not case:
        return name
    if case == "cmake":
        return suite.removesuffix("_test") if (TESTS / name).exists() else None
    googletest = re.compile(rf"^(TYPED_)?TEST(_F|_P)?\({suite}, {case}\)", re.MULTILINE)
    for path in TESTS.glob("*_test.cpp"):
        if googletest.search(path.read_text()):
            return path.stem
    for path in TESTS.glob("*_test.py"):
        text = path.read_text()
        if re.search(rf"^class {suite}\(", text, re.MULTILINE) and f"    def {case}(self" in text:
            return path.stem.removesuffix("_test")
    return None


def fault_in(cell):
    """What is wrong with a cell, or None."""
    if not cell:
        return "is blank"
    if cell.startswith("-"):
        return None if len(cell) > 2 else "does not say why"
    names = re.findall(r"`([^`]+)`", cell)
    if not names:
        return "names no test"
    for name in names:
        program = program_of(name)
        if program is None:
            return f"names {name}, which is not there"
        if program in everything - labelled or program not in everything and not program.startswith(OPTIONAL):
            return f"names {name} of {program}, which has no label"
    return None


everything, labelled = registered(), registered("-L", "^faults$")
wrong = []
rows = 0
header = []
for line in (TESTS / "faults.md").read_text().splitlines():
    if not line.startswith("|"):
        header = []
        continue
    cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
    if not header:
        header = cells
    elif len(cells) != len(header):
        wrong.append(f"{cells[0]}: {len(cells)} cells in a table of {len(header)}")
    elif set(line) - set("|- "):
        rows += 1
        for column, cell in zip(header[1:], cells[1:]):
            fault = fault_in(cell)
            if fault:
                wrong.append(f"{cells[0]}, {column}: {fault}")
if rows == 0:
    wrong.append("there is no table")
sys.exit("\n".join(wrong) or None)
