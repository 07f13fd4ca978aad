# SPDX-License-Identifier: BSD-3-Clause
"""The JSON files of perf/results, and what the pages take from them."""

import json


def fastest(run, names, step):
    """The median seconds, the contender and the step of the fastest of these names, or None."""
    found = [(s["median_seconds"], c, s) for c in run["contenders"] if c["name"] in names
             for s in c["steps"] if s["name"] == step]
    return min(found, key=lambda one: one[0], default=None)


OTHERS = ("LAPACK", "ScaLAPACK", "cuSOLVER", "cuBLAS", "jaxmg", "numpy and scipy", "jax")
OURS = ("Tessera", "cholesky_distributed")


class Run:
    """What one program measured of one n: the JSON of a file, or of one size in it."""

    def __init__(self, name, data, size=None):
        self.file = name
        self.data = {**data, **(size or {})}

    def __getitem__(self, field):
        return self.data[field]

    def seconds(self, names, step):
        found = fastest(self.data, names, step)
        return found and found[0]

    def ratio(self, step, others=OTHERS):
        """The best other's time over the best of Tessera's, or None."""
        ours, theirs = self.seconds(OURS, step), self.seconds(others, step)
        return theirs / ours if ours and theirs else None

    def other(self, step):
        """Who is the fastest of the others."""
        return fastest(self.data, OTHERS, step)[1]["name"]

    def error(self, names):
        """The worst backward error of the contenders of these names, or None."""
        return max((s["worst_backward_error"] for c in self["contenders"] if c["name"] in names for s in c["steps"]
                    if "worst_backward_error" in s), default=None)

    def steps(self):
        """The names of what can be compared."""
        names = dict.fromkeys(s["name"] for c in self["contenders"] if c["name"] in OURS for s in c["steps"])
        return [name for name in names if self.ratio(name)]

    def of_gemm(self, step, names=OURS):
        """A step's rate over gemm's, or None."""
        ours, gemm = fastest(self.data, names, step), fastest(self.data, ("gemm",), "gemm")
        return ours[2]["gflops"] / gemm[2]["gflops"] if ours and gemm else None

    def call_over_pieces(self):
        """What a user of cholesky_distributed waits, over factorize and solve alone."""
        call = self.seconds(("cholesky_distributed",), "one call")
        pieces = [self.seconds(("Tessera",), step) for step in ("factorize", "solve 1")]
        return call / sum(pieces)


class Results:
    FIELDS = ("program", "date", "commit", "command", "machine")

    def __init__(self, directory):
        self.files = {path.stem: json.loads(path.read_text(encoding="utf-8"))
                      for path in sorted(directory.glob("*.json"))}

    def without_provenance(self):
        return [f"perf/results/{name}.json does not say: {field}" for name, data in self.files.items()
                for field in self.FIELDS if not data.get(field)]

    def named(self, beginning):
        """The names that begin so, whichever sizes were measured."""
        return [name for name in self.files if name.startswith(beginning)]

    def get(self, *names):
        """Those of these files that are there."""
        return [self.files[name] for name in names if name in self.files]

    def runs(self, *names):
        """All that these files have measured, one Run for each n."""
        found = []
        for name in names:
            data = self.files.get(name, {})
            found += [Run(name, data, size) for size in data.get("sizes", [])]
            if "contenders" in data:
                found.append(Run(name, data))
        return found

    def compared(self, card=None):
        """Every run on a card, or on hosts, in which Tessera has somebody beside it, but for those of integers, in which
        native products are only there to be compared with."""
        return [run for name, data in self.files.items() for run in self.runs(name)
                if (name.startswith(f"{card}-") if card else "card" not in data["machine"])
                and "-integers" not in name and run.steps()]
