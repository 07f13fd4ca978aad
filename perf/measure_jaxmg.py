#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""jaxmg.potrs beside Tessera, on all GPUs of this machine or on some: seconds of a whole call, from rows to x.

Needs `pip install "jaxmg[cuda13]"` (1.4 or newer; [cuda12] with CUDA 12) and, for Tessera's side, a build of the preset
cuda. jaxmg wants a process for each GPU: this program starts them. Every repetition makes A anew, untimed, on the GPUs,
sharded by rows, as Tessera gets it; the first call compiles, and is not counted. Then tessera-compare-device --alone
measures the same sizes, on as many GPUs.
"""

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time

from provenance import contender, provenance, versions, write

PACKAGES = ("jaxmg", "jax", "jaxlib", "nvidia-cusolvermp-cu12", "nvidia-cusolvermp-cu13", "nvidia-cublasmp-cu12",
            "nvidia-cublasmp-cu13", "nvidia-nccl-cu12", "nvidia-nccl-cu13")


def work(args):
    """One of the processes. The first one prints the seconds of each size, as JSON."""
    import jax
    import numpy

    jax.config.update("jax_enable_x64", True)
    jax.distributed.initialize(coordinator_address=args.coordinator, num_processes=args.gpus, process_id=args.worker,
                               local_device_ids=[args.worker])
    from jax import numpy as jnp
    from jax.experimental import multihost_utils
    from jax.sharding import Mesh, NamedSharding, PartitionSpec
    from jaxmg import potrs

    mesh = Mesh(numpy.array(jax.devices()).reshape(args.gpus, 1), ("rows", "columns"))
    by_rows = PartitionSpec("rows", "columns")
    of_a = NamedSharding(mesh, by_rows)
    of_b = NamedSharding(mesh, PartitionSpec("rows", None))

    def entries(n):  # well-conditioned: the diagonal outweighs what is beside it
        i = jnp.arange(n, dtype=jnp.float64)
        return 1 / (1 + jnp.abs(i[:, None] - i[None, :])) + 2 * n**0.5 * jnp.eye(n)

    for n in args.n:
        make_a = jax.jit(lambda n=n: entries(n), out_shardings=of_a)
        make_b = jax.jit(lambda n=n: jnp.cos(jnp.arange(n, dtype=jnp.float64))[:, None], out_shardings=of_b)
        residual = jax.jit(lambda a, x, b: jnp.linalg.norm(b - a @ x) / jnp.linalg.norm(b))
        seconds = []
        for _ in range(args.repetitions + 1):
            a, b = make_a().block_until_ready(), make_b().block_until_ready()
            multihost_utils.sync_global_devices("begin")
            start = time.perf_counter()
            x = potrs(a, b, T_A=args.tile, mesh=mesh, matrix_specs=by_rows).block_until_ready()  # which deletes a and b
            multihost_utils.sync_global_devices("end")
            seconds.append(time.perf_counter() - start)
        error = float(residual(make_a(), x, make_b()))
        if not error < 1e-10:
            sys.exit(f"measure_jaxmg.py: wrong solution at n = {n}, residual {error}")
        if args.worker == 0:
            print(json.dumps({"n": n, "seconds": seconds[1:]}), flush=True)


def measure_jaxmg(args):
    """The seconds by n."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--coordinator", f"127.0.0.1:{port}"]
    workers = [subprocess.Popen([*command, "--worker", str(i)], stdout=subprocess.PIPE if i == 0 else None, text=True)
               for i in range(args.gpus)]
    printed = workers[0].communicate()[0]
    if any(worker.wait() != 0 for worker in workers):
        sys.exit("measure_jaxmg.py: a process of jaxmg has failed")
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return {line["n"]: line["seconds"] for line in lines}


def measure_tessera(args):
    """The contenders by n."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "run.json")
        sizes = [str(n) for n in args.n]
        command = ["bash", "cmake/mpirun.sh", str(args.gpus), args.program, "--alone", "--n", *sizes, "--rhs", "1",
                   "--repetitions", str(args.repetitions), "--json", out]
        if args.moduli is not None:
            command += ["--moduli", str(args.moduli)]
        print(shlex.join(command), file=sys.stderr)
        subprocess.run(command, stdout=sys.stderr, check=True)
        with open(out, encoding="utf-8") as file:
            return {size["n"]: size["contenders"] for size in json.load(file)["sizes"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("--n", type=int, nargs="+", default=[16384, 32768])
    parser.add_argument("--tile", type=int, default=1024, help="jaxmg's T_A")
    parser.add_argument("--moduli", type=int, help="measure Tessera by integers as well; 0: its own choice")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--program", default="build/cuda/perf/tessera-compare-device")
    parser.add_argument("--json", metavar="FILE", required=True)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--coordinator", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker is not None:
        work(args)
        return
    jaxmg = measure_jaxmg(args)
    tessera = measure_tessera(args)
    sizes = [{"n": n, "contenders": [contender("jaxmg", f"tile {args.tile}", one_call=jaxmg[n]), *tessera[n]]}
             for n in args.n]
    write(args.json, {**provenance("measure_jaxmg.py", **versions(*PACKAGES)), "scalar": "double", "ranks": args.gpus,
                      "repetitions": args.repetitions, "sizes": sizes})


if __name__ == "__main__":
    main()
