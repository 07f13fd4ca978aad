#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: mpirun.sh RANKS PROGRAM [ARGUMENT...]
#
# Runs a program on this machine, as any user and on any number of ranks, the cores shared out among them. MPIEXEC names
# the launcher.
set -euo pipefail
ranks=$1
shift

mpiexec=$(command -v "${MPIEXEC:-mpirun}")
mpiexec=$(realpath "$(dirname "$mpiexec")")/$(basename "$mpiexec")  # Open MPI dies of /bin/mpirun, where /bin is a link

options=()
if [[ $("$mpiexec" --version 2>&1) =~ Open\ MPI|OpenRTE|PRRTE ]]; then
  # It has to be told to allow root and more ranks than cores, to bind none to a core, and to give way while it waits.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
  options=(--map-by :OVERSUBSCRIBE --bind-to none)
fi

cores=$(env -u OMP_NUM_THREADS nproc)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((cores > ranks ? cores / ranks : 1))}
export OPENBLAS_NUM_THREADS=${OPENBLAS_NUM_THREADS:-$OMP_NUM_THREADS}
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}  # ranks may share cores
export OMP_PROC_BIND=${OMP_PROC_BIND:-false}

exec "$mpiexec" -n "$ranks" "${options[@]}" "$@"
