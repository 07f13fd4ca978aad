# SPDX-License-Identifier: BSD-3-Clause
"""NetKet's solver `cholesky_distributed`, with Tessera behind it."""

import collections
import concurrent.futures
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from mpi4py import MPI
from netket.utils.api_utils import partial_from_kwargs

import tessera
from tessera import _arrays, _library, _xla_call
from tessera._options import bytes_free_of, grid_of, int_of

_SOLVE, _CHECK = "tessera_cholesky_distributed", "tessera_check"


@partial_from_kwargs
def cholesky_distributed(A, b, *, local_tile_size=None, process_grid=None, x0=None, arithmetic="native", moduli=0,
                         bytes_free=None):
    """Solves A x = b by a Cholesky factorisation that is distributed over all processes.

    Takes the place of :func:`netket.optimizer.solver.cholesky_distributed`, with the same signature::

        solver = tessera.netket.cholesky_distributed(local_tile_size=512)
        driver = nk.driver.VMC_SR(hamiltonian, optimizer, variational_state=state, diag_shift=0.01,
                                  linear_solver=solver)

    Works inside and outside of `jax.jit`, on CPU and on CUDA, and needs no jaxmg; any size of A, in any number of
    processes. A keeps its memory and is not changed; it is best sharded with P("S", None), over a mesh with its devices
    in the order of `jax.devices()`, as NetKet's. Called with keywords only, returns a hashable partial.

    In several processes (`jax.distributed.initialize()` below `mpirun`) each is a rank of MPI's `COMM_WORLD`. On CUDA
    each process has one device. On CPU it may have more; the process's rows are then on each of them for a time. Where
    they take longer than 40 s, XLA wants `XLA_FLAGS=--xla_cpu_collective_call_terminate_timeout_seconds=...`. Several
    solves in one jitted function must depend on each other, or processes may not agree on their order.

    Args:
        A: the matrix, Hermitian and positive definite. Only the lower triangle is read.
        b: the vector, or a pytree of n numbers in all.
        local_tile_size: rows and columns of a tile. Tessera's default is the fastest one that is known.
        process_grid: (rows, columns) of the grid of processes. Nearly square by default.
        x0: ignored, as by NetKet's solvers.
        arithmetic: "native", or "fastest" or "integer" for products of integers.
        moduli: how many, for "integer"; 0: as many as keep native accuracy.
        bytes_free: of each process, for the call; where integers need more, fewer columns are multiplied by them. By
            default most of the GPU is taken to be free, and JAX preallocates most of it unless
            XLA_PYTHON_CLIENT_MEM_FRACTION says less: give what it leaves.

    Returns:
        x, in the structure of `b`, and {"leading_minor": k}. k is 0; or, where A is not positive definite, the order of
        the first leading minor that is not. All of x is NaN then, as from :func:`netket.optimizer.solver.cholesky`, so
        that it may be the first solver of a :func:`netket.optimizer.solver.nan_fallback`.

    Raises:
        ValueError: of an argument that is wrong, when the call is traced.
        jax.errors.JaxRuntimeError: with Tessera's message, of what fails in the call.
    """
    del x0
    if not isinstance(A, jax.Array):
        A = A.to_dense()
    b, unravel = ravel_pytree(b)
    dtype = jnp.result_type(A, b, float)  # the kind of number that integers become here
    if dtype not in (np.float32, np.float64, np.complex64, np.complex128):
        raise ValueError(f"A and b: their common type is {dtype}; there are single and double, real and complex")
    if A.shape != (b.size, b.size):
        raise ValueError(f"A: of shape {A.shape}, for a b of {b.size} numbers")

    mesh = _mesh(A)
    processes = _processes(mesh)
    _communicator(processes)  # which may refuse
    tile = 0 if local_tile_size is None else int_of("local_tile_size", local_tile_size)
    if tile < 0:
        raise ValueError(f"local_tile_size: {local_tile_size}")
    grid = grid_of("process_grid", process_grid)
    if process_grid is not None and (min(grid) < 1 or grid[0] * grid[1] != processes):
        raise ValueError(f"process_grid: {process_grid}, for {processes} process(es)")
    if b.size == 0:
        return unravel(b.astype(dtype)), {"leading_minor": jnp.int32(0)}
    x, leading_minor = _solve(A.astype(dtype), b.astype(dtype), mesh=mesh, processes=processes, tile=tile, grid=grid,
                              arithmetic=arithmetic, moduli=int_of("moduli", moduli, 32),
                              bytes_free=bytes_free_of(bytes_free))
    return unravel(x), {"leading_minor": leading_minor[0]}


def _mesh(A):
    """The mesh that A is on: where jit hides it, that of the context."""
    if not isinstance(A, jax.core.Tracer) and isinstance(A.sharding, NamedSharding):
        return A.sharding.mesh
    return jax.sharding.get_abstract_mesh()


def _processes(mesh):
    """How many processes solve together: all, or this one alone."""
    if mesh.empty or mesh.size == 1 or jax.process_count() == 1:
        return 1
    if mesh.size != jax.device_count():
        raise ValueError(f"A: on a mesh of {mesh.size} devices; it takes one device, or all {jax.device_count()}")
    return jax.process_count()


@functools.cache
def _communicator(processes):
    """Of this process alone; or of all, in the order in which JAX numbers them, which is that of the rows of A."""
    if MPI.Query_thread() < MPI.THREAD_SERIALIZED:
        raise RuntimeError("MPI is initialised for its main thread alone, and Tessera is called from another one: it "
                           "needs MPI_THREAD_SERIALIZED")
    if processes == 1:
        return MPI.COMM_SELF
    if MPI.COMM_WORLD.size != processes:
        raise ValueError(f"A: on {processes} processes of JAX, and {MPI.COMM_WORLD.size} of MPI; start them by mpirun, "
                         "and call jax.distributed.initialize()")
    return MPI.COMM_WORLD.Split(0, jax.process_index())


@functools.partial(jax.jit, static_argnames=("mesh", "processes", "tile", "grid", "arithmetic", "moduli",
                                                     "bytes_free"))
def _solve(A, b, *, mesh, processes, tile, grid, arithmetic, moduli, bytes_free):
    devices = 1 if mesh.empty else mesh.size // processes  # of one process
    n = b.size
    results = jax.ShapeDtypeStruct(b.shape, b.dtype), jax.ShapeDtypeStruct((1,), np.int32)

    def call(rows, b, index):
        integers = {"devices": devices, "processes": processes, "tile": tile, "moduli": moduli,
                    "bytes_free": bytes_free, "grid_rows": grid[0], "grid_columns": grid[1]}
        return jax.ffi.ffi_call(_SOLVE, results, vmap_method="sequential")(
            rows, b, jnp.full(1, index, np.int32), arithmetic=arithmetic,
            **{name: np.int64(value) for name, value in integers.items()})

    if mesh.empty:
        return call(A, b, 0)

    def on_each_device(rows, b):
        index = jax.lax.axis_index(mesh.axis_names)
        if devices > 1:
            groups = None
            if processes > 1:
                groups = np.arange(mesh.size).reshape(processes, devices).tolist()
            rows = jax.lax.all_gather(rows, mesh.axis_names, axis_index_groups=groups, tiled=True)
        x, leading_minor = call(rows, b, index)
        if devices > 1:
            x, leading_minor = jax.lax.psum((x, leading_minor), mesh.axis_names)  # zeros, but for those of the first
            x, leading_minor = jax.ffi.ffi_call(_CHECK, results, vmap_method="sequential")(x, leading_minor)
        return x, leading_minor

    spec = P(mesh.axis_names, None)
    A = jnp.pad(A, ((0, -n % mesh.size), (0, 0)))  # jax.shard_map wants equal shares
    if AxisType.Explicit in mesh.axis_types:
        A, b = jax.reshard(A, NamedSharding(mesh, spec)), jax.reshard(b, NamedSharding(mesh, P()))
    return jax.shard_map(on_each_device, mesh=mesh, in_specs=(spec, P()), out_specs=P(), check_vma=False)(A, b)


def _solve_here(operands, results, attributes):
    rows, b, index = operands
    share = _share(rows, _fetched(b), int(_fetched(index)[0]), **attributes)
    for value, result in zip(share, results):
        _copy(np.full(result.shape, value, result.dtype), result)


def _share(rows, b, index, *, devices, processes, tile, moduli, bytes_free, grid_rows, grid_columns, arithmetic):
    """What the device of this index adds to x and to the leading minor, which is -1 for a failure that is to come."""
    process, device = divmod(index, devices)
    if device > 0:
        return 0, 0
    comm = _communicator(processes)
    end = min(rows.shape[0], max(0, b.size - process * rows.shape[0]))  # of the rows that are no padding
    try:
        with _library.refusing("refuse", _library.communicator(comm)):
            if process != comm.rank:
                raise ValueError(f"A: process {comm.rank} has the rows of process {process}; the devices of the mesh "
                                 "must be in the order of jax.devices()")
        x, info = tessera.cholesky_distributed(
            rows[:end], b, comm=comm, tile=tile, grid=(grid_rows, grid_columns) if grid_rows else None,
            arithmetic=arithmetic, moduli=moduli, bytes_free=None if bytes_free < 0 else bytes_free,
            on_failure="fill_nan")
    except Exception as error:
        if devices == 1:
            raise
        _failures.append(error)  # the others wait for a sum: all devices raise after it
        x, leading_minor = np.nan, -1
    else:
        leading_minor = info.leading_minor
    return (x, leading_minor) if process == 0 or devices == 1 else (0, 0)


def _check_here(operands, results, _):
    if _fetched(operands[1])[0] < 0:
        raise _failures[-1]
    for operand, result in zip(operands, results):
        _copy(operand, result)


def _fetched(array):
    """A copy on the host."""
    copy = np.empty(array.shape, array.dtype)
    _copy(array, copy)
    return copy


def _copy(source, target):
    """From and to any memory, after what a device has been given to do."""
    if target.dtype == np.int32:  # which Tessera has no scalar for: the same bytes
        source, target = source.view(np.float32), target.view(np.float32)
    _library.check(_library.library().tessera_copy(_arrays.describe(source), _arrays.describe(target)))


_failures = collections.deque([RuntimeError("another process failed")], maxlen=1)
_thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)  # Kokkos and MPI see one, whichever of XLA's it is


def _in_thread(device, function, *call):
    def run():
        tessera.initialize(device)
        function(*call)

    _thread.submit(run).result()


def _solve_on_cuda(operands, results, attributes):
    if attributes["devices"] > 1:
        raise ValueError(f"A: on {attributes['devices']} GPUs of this process; each process has one")
    device = jax.local_devices()[0].local_hardware_id  # where Kokkos has to be, too
    _in_thread(device, _solve_here, operands, results, attributes)


_xla_call.register(_SOLVE, "cpu", functools.partial(_in_thread, None, _solve_here))
_xla_call.register(_CHECK, "cpu", functools.partial(_in_thread, None, _check_here))
_xla_call.register(_SOLVE, "CUDA", _solve_on_cuda)
