#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Trains NetKet's VMC_SR with Tessera's solver and with NetKet's own, from the same seed, and compares each step.

Fails if an update or an energy of a step differs by more than 1e-8, relative, or if its samples differ at all.
Under mpirun each process has its share of the samples, and of the rows of the matrix.
"""

import argparse
import sys

import jax
from mpi4py import MPI

processes = MPI.COMM_WORLD.size
if processes > 1:
    jax.distributed.initialize()
jax.config.update("jax_enable_x64", True)

import netket as nk  # noqa: E402: after JAX has been told of the other processes
import numpy as np  # noqa: E402
import optax  # noqa: E402
import tessera.netket  # noqa: E402

SITES = 20
BAR = 1e-8
EXACT = -25.4909896863648  # -2 / sin(pi / 40)

# name: parameters, what VMC_SR is told, steps for each that is asked for
CASES = {
    "NTK, real": (float, dict(use_ntk=True, on_the_fly=False), 1.0),
    "NTK on the fly, real": (float, dict(use_ntk=True, on_the_fly=True), 0.2),
    "QGT, real": (float, dict(use_ntk=False, on_the_fly=False), 0.2),
    "NTK, complex": (complex, dict(use_ntk=True, on_the_fly=False), 0.2),
    "QGT, complex": (complex, dict(use_ntk=False, on_the_fly=False), 0.2),
}


class Record(nk.callbacks.AbstractCallback):
    """Of each step this process's samples, the energy, the update, and what the solver said."""

    steps: list = nk.utils.struct.field(pytree_node=False)

    def __init__(self):
        self.steps = []

    def before_parameter_update(self, step, log_data, driver):
        samples = [np.array(shard.data) for shard in driver.state.samples.addressable_shards]
        update, _ = jax.flatten_util.ravel_pytree(driver._dp)
        self.steps.append((samples, complex(driver._loss_stats.mean), np.array(update), driver.info))


def train(solver, scalar, options, steps):
    hilbert = nk.hilbert.Spin(s=1 / 2, N=SITES)
    hamiltonian = nk.operator.Ising(hilbert, nk.graph.Chain(SITES, pbc=True), h=1.0, J=1.0)
    sampler = nk.sampler.MetropolisLocal(hilbert, n_chains=16, sweep_size=SITES)
    state = nk.vqs.MCState(sampler, nk.models.RBM(alpha=1, param_dtype=scalar), n_samples=1008, n_discard_per_chain=5,
                           seed=0, sampler_seed=100)
    driver = nk.driver.VMC_SR(hamiltonian, optax.sgd(0.02), variational_state=state, diag_shift=1e-3,
                              linear_solver=solver, **options)
    record = Record()
    driver.run(steps, out=nk.logging.RuntimeLog(), callback=record, show_progress=False)
    return record.steps


def difference(x, expected):
    return np.linalg.norm(x - expected) / np.linalg.norm(expected)


def compare(name, steps):
    scalar, options, share = CASES[name]
    steps = max(1, round(share * steps))
    ours = train(tessera.netket.cholesky_distributed, scalar, options, steps)
    theirs = train(nk.optimizer.solver.cholesky, scalar, options, steps)
    assert len(ours) == len(theirs) == steps and all(info["leading_minor"] == 0 for *_, info in ours)
    same = sum(all(map(np.array_equal, x[0], y[0])) for x, y in zip(ours, theirs))
    energy, update = (max(difference(x[i], y[i]) for x, y in zip(ours, theirs)) for i in (1, 2))
    ok = same == steps and energy <= BAR and update <= BAR  # a NaN is not
    ok = MPI.COMM_WORLD.allreduce(ok, MPI.LAND)
    last = ours[-1][1].real
    print_once(f"{name:22} {update:9.1e} {energy:9.1e} {same:4} of {steps:3} {last:12.6f} {last / EXACT - 1:10.1e}  "
               f"{'ok' if ok else 'DIFFERS'}")
    return ok


def print_once(text):
    if MPI.COMM_WORLD.rank == 0:
        print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=100, help="of the first case; a fifth of it for the others")
    parser.add_argument("--case", choices=CASES, action="append", help="these alone")
    arguments = parser.parse_args()
    print_once(f"{processes} process(es) of {jax.local_device_count()} {jax.default_backend()} device(s), "
               f"NetKet {nk.__version__}, jax {jax.__version__}; largest relative differences")
    print_once(f"{'':22} {'update':>9} {'energy':>9} {'same samples':>11} {'last energy':>12} {'error':>10}")
    results = [compare(name, arguments.steps) for name in arguments.case or CASES]
    print_once("ok" if all(results) else "FAILED")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
