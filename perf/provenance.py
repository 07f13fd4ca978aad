# SPDX-License-Identifier: BSD-3-Clause
"""How a figure came about, for the JSON files that Python writes: the same fields as perf/provenance.hpp."""

import datetime
import importlib.metadata
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")


def cards():
    """Names and driver of the GPUs, where there are any."""
    if not shutil.which("nvidia-smi"):
        return {}
    lines = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
                           capture_output=True, text=True, check=False).stdout.splitlines()
    if not lines:
        return {}
    name, driver = lines[0].rsplit(", ", 1)
    return {"card": name, "driver": driver}


def versions(*packages):
    """Of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def provenance(program, command=None, **machine):
    settings = "".join(f"{name}={os.environ[name]} " for name in ("TESSERA_MPI_BUFFERS", "OPENBLAS_CORETYPE")
                       if name in os.environ)
    return {
        "program": program,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": os.environ.get("TESSERA_COMMIT", "unknown"),
        "command": settings + shlex.join(command or ["python3", *sys.argv]),
        "machine": {"cpu": cpu(), "cores": len(os.sched_getaffinity(0)), **cards(), **machine},
    }


def contender(name, detail, **seconds):
    """As the programs write it: the seconds of each step, by name (with _ for blanks)."""
    return {"name": name, "detail": detail,
            "steps": [{"name": step.replace("_", " "), "median_seconds": statistics.median(s), "seconds": s}
                      for step, s in seconds.items()]}


def write(path, data):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=2)
        file.write("\n")


def main():
    """Usage: provenance.py OUT.json COMMAND...: keeps those lines of what a command prints that are JSON."""
    out, *command = sys.argv[1:]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    if not lines:
        sys.exit(f"provenance.py: {shlex.join(command)} has printed no JSON")
    program = [word for word in command if not word.startswith("-")][-1]
    write(out, {**provenance(os.path.basename(program), command), "lines": lines})


if __name__ == "__main__":
    main()
