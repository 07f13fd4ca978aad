#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes data/netket.json: one step of NetKet's VMC_SR on a few samples, for `natural_gradient --check`.

    pip install netket     # 3.23.0 wrote what is committed
    python3 netket_step.py data/netket.json

What is saved is what VMC_SR itself hands to its linear_solver (A, with the shift, and b) and the update that it makes of
the answer, for real and complex parameters, and for both of its forms. Of A the lower triangle, row by row.
"""

import json
import sys

import jax
import netket as nk
import numpy as np
import optax

SITES, HIDDEN, CHAINS, SAMPLES = 6, 3, 4, 20  # hidden units unlike sites, so that no transposed W can go unnoticed
COUPLING, FIELD, SHIFT = 0.8, 1.3, 1e-3


def parameters(rng, scalar):
    """Large enough for log psi to be curved, small enough for many different samples."""

    def draw(*shape):
        values = rng.normal(scale=0.15, size=shape)
        return values + 1j * rng.normal(scale=0.15, size=shape) if scalar is complex else values

    return {"Dense": {"bias": draw(HIDDEN), "kernel": draw(SITES, HIDDEN)}, "visible_bias": draw(SITES)}


def numbers(values):
    """Row-major; complex ones as pairs."""
    values = np.asarray(values).ravel()
    return (values.view(float) if np.iscomplexobj(values) else values).tolist()


def flat(tree):
    return jax.flatten_util.ravel_pytree(tree)[0]


def one_step(state, hamiltonian, use_ntk):
    captured = []

    def linear_solver(A, b):
        jax.debug.callback(lambda *system: captured.append([np.array(x) for x in system]), A, b)
        return nk.optimizer.solver.cholesky(A, b)

    driver = nk.driver.VMC_SR(hamiltonian, optax.sgd(1.0), variational_state=state, diag_shift=SHIFT, use_ntk=use_ntk,
                              on_the_fly=False, linear_solver=linear_solver)
    _, update = driver.compute_loss_and_update()
    jax.block_until_ready(update)
    jax.effects_barrier()
    [(A, b)] = captured
    assert np.allclose(A, A.T, rtol=0, atol=1e-15 * np.abs(A).max())
    return {"A": numbers(A[np.tril_indices(len(A))]), "b": numbers(b), "update": numbers(flat(update))}


def case(scalar):
    graph = nk.graph.Chain(SITES, pbc=True)
    hilbert = nk.hilbert.Spin(s=1 / 2, N=SITES)
    hamiltonian = nk.operator.Ising(hilbert, graph, h=FIELD, J=COUPLING)
    model = nk.models.RBM(alpha=HIDDEN / SITES, param_dtype=scalar)
    sampler = nk.sampler.MetropolisLocal(hilbert, n_chains=CHAINS, sweep_size=SITES)
    state = nk.vqs.MCState(sampler, model, n_samples=SAMPLES, n_discard_per_chain=5, seed=1, sampler_seed=2)
    state.parameters = parameters(np.random.default_rng(3), scalar)
    samples = np.array(state.samples).reshape(SAMPLES, SITES)
    result = {
        "scalar": scalar.__name__,
        "parameters": numbers(flat(state.parameters)),  # c, W (sites x hidden), a
        "samples": samples.astype(int).tolist(),
        "local_energies": numbers(state.local_estimators(hamiltonian).data),
        "ntk": one_step(state, hamiltonian, use_ntk=True),
        "qgt": one_step(state, hamiltonian, use_ntk=False),
    }
    assert (np.array(state.samples).reshape(SAMPLES, SITES) == samples).all()
    return result


def main():
    result = {
        "netket": nk.__version__, "sites": SITES, "hidden": HIDDEN, "coupling": COUPLING, "field": FIELD,
        "shift": SHIFT, "cases": [case(float), case(complex)],
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
