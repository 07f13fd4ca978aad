#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes data/scikit_learn.json: what scikit-learn's GaussianProcessRegressor computes from some data with some
parameters, for `gaussian_process --check`.

    apt-get install python3-sklearn     # 1.2.1 wrote what is committed
    python3 scikit_learn.py data/co2.csv data/scikit_learn.json
    OPENBLAS_NUM_THREADS=1 python3 scikit_learn.py --times 500,1000 times.json    # as gaussian_process --times

What is left out in turn, to predict it from the rest, is left out: the process is fitted again for each.
"""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF, ConstantKernel, ExpSineSquared, RationalQuadratic, WhiteKernel)

EPOCH, EVERY = 1980, 8  # as in data.hpp; one record of so many


def co2_kernel():
    """With the values at which training begins (Co2Kernel)."""
    return (ConstantKernel(50.0**2) * RBF(50.0)
            + ConstantKernel(2.0**2) * RBF(100.0) * ExpSineSquared(1.0, 1.0, periodicity_bounds="fixed")
            + ConstantKernel(0.5**2) * RationalQuadratic(length_scale=1.0, alpha=1.0)
            + ConstantKernel(0.1**2) * RBF(0.1) + WhiteKernel(0.1**2))


def co2():
    record = np.loadtxt(sys.argv[1], delimiter=",")[::EVERY]
    x, y = record[:, :1] - EPOCH, record[:, 1] - record[:, 1].mean()
    at = np.linspace(1957, 2007, 41)[:, None] - EPOCH
    return case("co2", co2_kernel(), x, y, at)


def ard():
    rng = np.random.default_rng(1)
    x, at = rng.normal(size=(211, 4)), rng.normal(size=(37, 4))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.1 * rng.normal(size=len(x))
    kernel = ConstantKernel(1.7) * RBF([0.9, 1.3, 1.6, 5.0]) + WhiteKernel(0.03)
    return case("ard", kernel, x, y, at)


def fitted(kernel, x, y):
    return GaussianProcessRegressor(kernel, alpha=0, optimizer=None).fit(x, y)


def left_out(kernel, x, y):
    errors, densities = [], []
    for i in range(len(x)):
        mean, deviation = fitted(kernel, np.delete(x, i, 0), np.delete(y, i)).predict(x[i:i + 1], return_std=True)
        error, variance = y[i] - mean[0], deviation[0]**2
        errors.append(error)
        densities.append(-0.5 * (np.log(2 * np.pi * variance) + error**2 / variance))
    return {"error": np.sqrt(np.mean(np.square(errors))), "log_density": np.mean(densities)}


def case(name, kernel, x, y, at):
    process = fitted(kernel, x, y)
    log_likelihood, gradient = process.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    mean, covariance = process.predict(at, return_cov=True)
    normal = np.random.default_rng(2).normal(size=(3, len(at)))
    return {
        "kernel": name, "x": x.tolist(), "y": y.tolist(), "parameters": kernel.theta.tolist(),
        "log_likelihood": log_likelihood, "gradient": gradient.tolist(), "leave_one_out": left_out(kernel, x, y),
        "at": at.tolist(), "mean": mean.tolist(), "variance": np.diag(covariance).tolist(),
        "normal": normal.ravel().tolist(),
        "samples": (mean + normal @ np.linalg.cholesky(covariance).T).ravel().tolist(),
    }


def seconds_of(n):
    """Of the log-likelihood with its gradient: the least of three."""
    rng = np.random.default_rng(1)
    kernel = ConstantKernel(2.0) * RBF([0.7, 1.0, 2.0, 8.0]) + WhiteKernel(0.02)
    process = fitted(kernel, rng.normal(size=(n, 4)), rng.normal(size=n))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        process.log_marginal_likelihood(kernel.theta, eval_gradient=True)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def main():
    result = {"program": "scikit-learn", "version": sklearn.__version__}
    if sys.argv[1] == "--times":
        result["times"] = [{"n": n, "both": seconds_of(n)} for n in map(int, sys.argv[2].split(","))]
    else:
        result["cases"] = [co2(), ard()]
    with open(sys.argv[-1], "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
