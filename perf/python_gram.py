#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One step of a natural gradient as a Python user writes it, timed: with numpy and scipy, or with jax.

With --beside a run of tessera-compare --parameters (--repetitions 1) follows each repetition; its contenders are put
into the same JSON.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time

from provenance import contender, provenance, versions, write


def with_numpy(n, p):
    import numpy
    import scipy.linalg

    random = numpy.random.default_rng(1)
    jacobian = random.random((n, p)) - 0.5
    b = random.random(n) - 0.5

    def solve():
        a = jacobian @ jacobian.T / p + numpy.eye(n)
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(a, lower=True), b)

    return solve, jacobian, b


def with_jax(n, p):
    import jax

    jax.config.update("jax_enable_x64", True)
    jacobian = jax.random.uniform(jax.random.PRNGKey(1), (n, p)) - 0.5
    b = jax.random.uniform(jax.random.PRNGKey(2), (n,)) - 0.5

    @jax.jit
    def step(jacobian, b):
        a = jacobian @ jacobian.T / p + jax.numpy.eye(n)
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(a, lower=True), b)

    def solve():
        return step(jacobian, b).block_until_ready()

    solve()  # compiles
    return solve, jacobian, b


def run_beside(command, into):
    """Adds the seconds of Tessera's steps in a run of `command` to `into`, by detail and step."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "run.json")
        subprocess.run([*shlex.split(command), "--json", out], stdout=subprocess.DEVNULL, check=True)
        with open(out, encoding="utf-8") as file:
            contenders = json.load(file)["contenders"]
    for one in contenders:
        if one["name"] == "Tessera":
            steps = into.setdefault(one["detail"], {})
            for step in one["steps"]:
                steps.setdefault(step["name"], []).extend(step["seconds"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=["numpy", "jax"])
    parser.add_argument("samples", type=int)
    parser.add_argument("parameters", type=int)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--beside", metavar="COMMAND")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()

    n, p = args.samples, args.parameters
    solve, jacobian, b = {"numpy": with_numpy, "jax": with_jax}[args.library](n, p)
    seconds, ours = [], {}
    for _ in range(args.repetitions):
        start = time.perf_counter()
        x = solve()
        seconds.append(time.perf_counter() - start)
        print(f"{seconds[-1]:.4f}", flush=True)
        if args.beside:
            run_beside(args.beside, ours)
    residual = b - jacobian @ (jacobian.T @ x) / p - x
    error = float((residual @ residual) ** 0.5 / (b @ b) ** 0.5)
    if not error < 1e-12:
        sys.exit(f"python_gram.py: wrong solution, error {error}")
    if args.json:
        name = {"numpy": "numpy and scipy", "jax": "jax"}[args.library]
        contenders = [contender(name, "", assemble_and_solve=seconds)]
        contenders += [contender("Tessera", detail, **steps) for detail, steps in ours.items()]
        write(args.json, {**provenance("python_gram.py", **versions("numpy", "scipy", "jax", "jaxlib")),
                          "scalar": "double", "ranks": 1, "n": n, "parameters": p, "repetitions": args.repetitions,
                          "contenders": contenders})


if __name__ == "__main__":
    main()
