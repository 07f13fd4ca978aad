#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""jax's cho_factor and cho_solve beside Tessera's whole call, on one GPU: seconds from A to x.

Needs a jax with CUDA and, for Tessera's side, a build of the preset cuda. jax's function is compiled before. Then
tessera-compare-device --alone measures the same sizes.
"""

import argparse
import sys
import time

from measure_jaxmg import measure_tessera
from provenance import contender, provenance, versions, write


def measure_jax(sizes, repetitions):
    """The seconds by n."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from jax import numpy as jnp
    from jax.scipy.linalg import cho_factor, cho_solve

    @jax.jit
    def solve(a, b):
        return cho_solve(cho_factor(a, lower=True), b)

    result = {}
    for n in sizes:
        i = jnp.arange(n, dtype=jnp.float64)
        a = 1 / (1 + jnp.abs(i[:, None] - i[None, :])) + 2 * n**0.5 * jnp.eye(n)  # the diagonal outweighs the rest
        b = jnp.cos(i)
        x = solve(a, b).block_until_ready()
        error = float(jnp.linalg.norm(b - a @ x) / jnp.linalg.norm(b))
        if not error < 1e-10:
            sys.exit(f"measure_jax.py: wrong solution at n = {n}, residual {error}")
        result[n] = []
        for _ in range(repetitions):
            start = time.perf_counter()
            solve(a, b).block_until_ready()
            result[n].append(time.perf_counter() - start)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--program", default="build/cuda/perf/tessera-compare-device")
    parser.add_argument("--json", metavar="FILE", required=True)
    args = parser.parse_args()
    args.gpus = 1
    tessera = measure_tessera(args)
    jax = measure_jax(args.n, args.repetitions)
    sizes = [{"n": n, "contenders": [contender("jax", "cho_factor, cho_solve", one_call=jax[n]), *tessera[n]]}
             for n in args.n]
    write(args.json, {**provenance("measure_jax.py", **versions("jax", "jaxlib")), "scalar": "double", "ranks": 1,
                      "repetitions": args.repetitions, "sizes": sizes})


if __name__ == "__main__":
    main()
