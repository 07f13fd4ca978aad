"""One step of a natural gradient as a Python user writes it, with numpy and scipy, timed.

Usage: numpy_gram.py SAMPLES PARAMETERS [REPETITIONS]

Prints the seconds of each repetition, then those of the assembly alone.
"""

import sys
import time

import numpy
import scipy.linalg


def main():
    n, p = int(sys.argv[1]), int(sys.argv[2])
    repetitions = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    random = numpy.random.default_rng(1)
    jacobian = random.random((n, p)) - 0.5
    b = random.random(n) - 0.5
    for _ in range(repetitions):
        start = time.perf_counter()
        a = jacobian @ jacobian.T / p + numpy.eye(n)
        assembled = time.perf_counter()
        x = scipy.linalg.cho_solve(scipy.linalg.cho_factor(a, lower=True), b)
        end = time.perf_counter()
        residual = b - jacobian @ (jacobian.T @ x) / p - x
        error = numpy.linalg.norm(residual) / numpy.linalg.norm(b)
        if not error < 1e-12:
            sys.exit(f"numpy_gram.py: wrong solution, error {error}")
        print(f"{end - start:.4f} {assembled - start:.4f}")


if __name__ == "__main__":
    main()
