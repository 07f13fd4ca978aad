# SPDX-License-Identifier: BSD-3-Clause
"""tessera.netket: what its solver returns, in as many processes as mpirun starts, and what it refuses."""

import jax
from mpi4py import MPI

if MPI.COMM_WORLD.size > 1:
    jax.distributed.initialize()
jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402: after JAX has been told of the other processes
import netket as nk  # noqa: E402
import numpy as np  # noqa: E402
import tessera.netket  # noqa: E402
from tessera import _arrays  # noqa: E402
from jax.sharding import AxisType, Mesh, PartitionSpec as P  # noqa: E402

solver = tessera.netket.cholesky_distributed
EVERY_DEVICE = np.asarray(jax.devices())


def system(n, scalar=np.float64):
    """The same on every process."""
    rng = np.random.default_rng(n)
    g = rng.normal(size=(n, n)) + (1j * rng.normal(size=(n, n)) if np.issubdtype(scalar, np.complexfloating) else 0)
    return (g @ g.conj().T / max(n, 1) + np.eye(n)).astype(scalar), rng.normal(size=n).astype(scalar)


def require_solution(a, b, x):
    assert x.shape == b.shape and x.dtype == b.dtype, (x.shape, x.dtype)
    error = np.abs(a @ np.asarray(x) - b).max(initial=0)
    assert error <= 100 * max(len(b), 1) * np.finfo(b.dtype).eps, (len(b), b.dtype, error)


def raised(kind, text, *arguments, **keywords):
    try:
        jax.block_until_ready(solver(*arguments, **keywords))
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError(f"no error that says {text}")


def test_solutions():
    for scalar in (np.float32, np.float64, np.complex64, np.complex128):
        for n in (0, 1, 2, 7, 64, 101):
            a, b = system(n, scalar)
            for solve in (solver, jax.jit(solver), jax.jit(solver(local_tile_size=8, process_grid=(1, processes)))):
                x, info = solve(jnp.asarray(a), jnp.asarray(b))
                require_solution(a, b, x)
                assert info == {"leading_minor": 0}


def test_only_the_lower_triangle_is_read():
    a, b = system(33)
    x, _ = solver(jnp.asarray(np.where(np.tri(33) > 0, a, np.nan)), jnp.asarray(b))
    require_solution(a, b, x)


def test_sharded_and_donated():
    a, b = system(12 * jax.device_count())
    rows = jax.jit(lambda: jax.lax.with_sharding_constraint(a, P("S", None)))()
    x, _ = jax.jit(solver, donate_argnums=0)(rows, b)
    require_solution(a, b, x)


def test_explicit_mesh():
    with jax.set_mesh(Mesh(EVERY_DEVICE, ("S",), axis_types=(AxisType.Explicit,))):
        a, b = system(37)
        require_solution(a, b, jax.jit(solver)(a, b)[0])


def test_two_axes():
    if jax.device_count() % 2 == 0:
        with jax.set_mesh(Mesh(EVERY_DEVICE.reshape(2, -1), ("X", "Y"))):
            a, b = system(37)
            require_solution(a, b, jax.jit(solver)(a, b)[0])


def test_pytree_and_types():
    a, _ = system(10)
    tree = {"kernel": jnp.ones((2, 3)), "bias": (jnp.arange(4.0),)}
    x, _ = solver(jnp.asarray(a), tree, x0=tree)
    assert jax.tree.map(jnp.shape, x) == jax.tree.map(jnp.shape, tree)
    require_solution(a, jax.flatten_util.ravel_pytree(tree)[0], jax.flatten_util.ravel_pytree(x)[0])
    b = np.ones(10, np.complex128)
    require_solution(a, b, solver(jnp.asarray(a), jnp.asarray(b))[0])


def test_partial():
    assert solver(local_tile_size=8) == solver(local_tile_size=8) != solver(local_tile_size=9)
    assert hash(solver(local_tile_size=8)) == hash(solver(local_tile_size=8))


def test_not_positive_definite():
    a, b = system(40)
    a[25, 25] = -1
    x, info = jax.jit(solver)(a, b)
    assert np.isnan(x).all() and info == {"leading_minor": 26}
    pinv = nk.optimizer.solver.pinv_smooth
    x, info = nk.optimizer.solver.nan_fallback(solver, pinv)(jnp.asarray(a), jnp.asarray(b))
    assert info == {"leading_minor": 26, "solver_fallback": True}
    np.testing.assert_allclose(x, pinv(jnp.asarray(a), jnp.asarray(b))[0])


def test_bytes_free():
    given = []
    original = tessera.cholesky_distributed

    def spy(*arguments, **keywords):
        given.append(keywords["bytes_free"])
        return original(*arguments, **keywords)

    a, b = system(8)
    tessera.cholesky_distributed = spy
    for bytes_free in (None, 0, 10**12):
        x, _ = jax.jit(solver(arithmetic="integer", bytes_free=bytes_free))(a, b)
        require_solution(a, b, x)
    tessera.cholesky_distributed = original
    assert set(given) == {None, 0, 10**12}, given


def test_misuse():
    a, b = map(jnp.asarray, system(8))
    raised(ValueError, "A: of shape (8, 8), for a b of 7 numbers", a, b[:7])
    raised(ValueError, "common type is bfloat16", a.astype(jnp.bfloat16), b.astype(jnp.bfloat16))
    raised(ValueError, "process_grid: (2, 9)", a, b, process_grid=(2, 9))
    raised(ValueError, "local_tile_size: -1", a, b, local_tile_size=-1)
    raised(ValueError, "local_tile_size: must be an integer, got 2.5", a, b, local_tile_size=2.5)
    raised(ValueError, "local_tile_size: must be from", a, b, local_tile_size=2**64 + 8)
    raised(ValueError, "process_grid: must be an integer", a, b, process_grid=(1.2, processes))
    raised(ValueError, "process_grid: must be from", a, b, process_grid=(2**32 + 1, processes))
    raised(ValueError, "process_grid: must be (rows, cols), got 7", a, b, process_grid=7)
    raised(ValueError, "moduli: must be from", a, b, arithmetic="integer", moduli=2**32 + 14)
    raised(ValueError, "bytes_free: must not be negative, got -5", a, b, bytes_free=-5)
    raised(jax.errors.JaxRuntimeError, "arithmetic: must be one of", a, b, arithmetic="decimal")
    require_solution(*system(8), solver(a, b)[0])  # as after any error


def test_order_of_the_mesh():
    if processes == 2:
        a, b = system(8)
        with jax.set_mesh(Mesh(EVERY_DEVICE[::-1], ("S",))):
            raised(jax.errors.JaxRuntimeError, "in the order of jax.devices()", jnp.asarray(a), jnp.asarray(b))


def test_the_rows_are_not_copied():
    seen = []
    original = tessera.cholesky_distributed

    def spy(rows, *arguments, **keywords):
        seen.append(_arrays.describe(rows).data)
        return original(rows, *arguments, **keywords)

    a, b = system(4 * processes)
    rows = jax.jit(lambda: jax.lax.with_sharding_constraint(a, P("S", None)))()
    tessera.cholesky_distributed = spy
    jax.block_until_ready(solver(rows, jnp.asarray(b)))
    tessera.cholesky_distributed = original
    [mine] = rows.addressable_shards
    assert seen == [mine.data.unsafe_buffer_pointer()]


processes = jax.process_count()
for name, test in list(globals().items()):
    if name.startswith("test_") and (name != "test_the_rows_are_not_copied" or jax.local_device_count() == 1):
        test()
        print(f"{name}: ok", flush=True)
