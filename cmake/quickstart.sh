#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: quickstart.sh [ARGUMENT of tessera-solve...]
#
# From a bare Debian 12 to a solved system: installs what is missing, builds, and runs tessera-solve on up to 4 ranks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/bootstrap.sh
cmake -S . -B build/quickstart -G Ninja -DCMAKE_BUILD_TYPE=Release -DTESSERA_BUILD_TESTS=OFF
cmake --build build/quickstart --target tessera-solve

cores=$(env -u OMP_NUM_THREADS nproc)
exec bash cmake/mpirun.sh $((cores < 4 ? cores : 4)) build/quickstart/perf/tessera-solve "$@"
