# SPDX-License-Identifier: BSD-3-Clause
"""pages.figures would fail: perf/figures.py --check, on a copy of the pages and their JSON, after each change of one,
and with each file more."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ("README.md", "perf/README.md", "core/tessera/README.md")

# What is changed: the file, a text in it, what it becomes, and what is said then.
CHANGES = (
    ("README.md", "| factorise | ", "| factorise | 9", "overview is not what"),
    ("perf/README.md", "In double the factorisation runs at", "In double it runs at", "host-rates is not what"),
    ("perf/README.md", "## jaxmg\n", "## jaxmg\n\nIt is 3.14 times as fast.\n", "a number that no JSON gives: It is 3.14"),
    ("perf/README.md", "figures: jaxmg -->", "figures: no-such -->", "makes no-such"),
    ("perf/results/double-1.json", '"median_seconds": ', '"median_seconds": 9', "overview is not what"),
    ("perf/results/moduli.json", '"default": 14', '"default": 12', "moduli-numbers is not what"),
    ("perf/results/moduli.json", '"default": 14', '"default": 15', "moduli is not what"),
    ("perf/results/moduli.json", '"error": 7.28179', '"error": null', "moduli is not what"),
    ("perf/results/double-1.json", '"commit"', '"comment"', "double-1.json does not say: commit"),
)

# What is measured anew: the file it looks like, its name, and what is said then.
ADDED = (
    ("perf/results/h200-integers.json", "perf/results/h200-integers-98304.json", "device-integers is not what"),
    ("perf/results/h200-integers.json", "perf/results/h100-integers-gpus-64.json", "device-integers is not what"),
    ("perf/results/h100-plan-65536.json", "perf/results/h200-integers-plan-98304.json", "device-integers is not what"),
)


def copy(into):
    shutil.copytree(ROOT / "perf", into / "perf", ignore=shutil.ignore_patterns("__pycache__", "*.png"))
    for page in PAGES:
        (into / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, into / page)


def check(directory):
    return subprocess.run([sys.executable, directory / "perf/figures.py", "--check"], capture_output=True, text=True,
                          check=False)


def main():
    failed = []
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        copy(directory)
        good = check(directory)
        if good.returncode != 0:
            sys.exit("the pages as they are: " + good.stderr)
        for file, old, new, said in CHANGES:
            path = directory / file
            before = path.read_text(encoding="utf-8")
            if old not in before:
                sys.exit(f"figures_test.py: {file} has no {old!r}")
            path.write_text(before.replace(old, new), encoding="utf-8")
            result = check(directory)
            if result.returncode == 0 or said not in result.stderr:
                failed.append(f"{file}: {old!r} -> {new!r} gives {result.returncode}: {result.stderr}")
            path.write_text(before, encoding="utf-8")
        for file, new, said in ADDED:
            shutil.copy(directory / file, directory / new)
            result = check(directory)
            if result.returncode == 0 or said not in result.stderr:
                failed.append(f"{new} gives {result.returncode}: {result.stderr}")
            (directory / new).unlink()
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
