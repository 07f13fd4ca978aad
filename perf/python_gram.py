"""One step of a natural gradient as a Python user writes it, timed: with numpy and scipy, or with jax.

Usage: python_gram.py numpy|jax SAMPLES PARAMETERS [REPETITIONS]

Prints the seconds of each repetition, compilation not counted.
"""

import sys
import time


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

    solve()
    return solve, jacobian, b


def main():
    prepare = {"numpy": with_numpy, "jax": with_jax}[sys.argv[1]]
    n, p = int(sys.argv[2]), int(sys.argv[3])
    repetitions = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    solve, jacobian, b = prepare(n, p)
    for _ in range(repetitions):
        start = time.perf_counter()
        x = solve()
        print(f"{time.perf_counter() - start:.4f}", flush=True)
    residual = b - jacobian @ (jacobian.T @ x) / p - x
    error = float((residual @ residual) ** 0.5 / (b @ b) ** 0.5)
    if not error < 1e-12:
        sys.exit(f"python_gram.py: wrong solution, error {error}")


if __name__ == "__main__":
    main()
