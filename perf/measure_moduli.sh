#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: bash perf/measure_moduli.sh [OUT_DIR]
#
# The errors of factors against the number of moduli that perf/README.md shows: builds, factorises on one host rank, and
# leaves JSON and plot in OUT_DIR, or perf/results (then the pages' figures, too). No clock is needed.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/measure_common.sh"
build=${BUILD:-build/host}
[ -n "${BUILD:-}" ] || cmake --preset host
cmake --build "$build" --target integer_accuracy_test
TESSERA_TEST_VERBOSE=1 OMP_NUM_THREADS=1 python3 perf/provenance.py "$out/moduli.json" \
  bash cmake/mpirun.sh 1 "$build/tests/integer_accuracy_test" --gtest_filter='*BelowTheBound/*'
bash perf/publish.sh "$out" "$build"
