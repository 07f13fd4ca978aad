#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: [N=8000] [REPETITIONS=3] bash perf/measure.sh [OUT_DIR]
#
# What perf/README.md shows of two CPU cores, anew: builds, measures Tessera beside LAPACK and ScaLAPACK on 1 and 2
# ranks, counts what is sent, and leaves JSON and plots in OUT_DIR, or perf/results (then the pages' figures, too).
# Nothing else should run meanwhile. For a quick look: N=600 REPETITIONS=1. `bash cmake/bootstrap.sh test` installs what
# it needs, but for the plots' python3-matplotlib.
set -euo pipefail

n=${N:-8000}
repetitions=${REPETITIONS:-3}
. "$(dirname "${BASH_SOURCE[0]}")/measure_common.sh"

cmake --preset host
cmake --build build/host --target tessera-solve tessera-compare message_count_test
compare=build/host/perf/tessera-compare
solve=build/host/perf/tessera-solve

for ranks in 1 2; do run $ranks "double-$ranks" $compare --n "$n" --repetitions "$repetitions"; done
run 1 float-1 $compare --n "$n" --scalar float --rhs 1 --repetitions "$repetitions"
for scalar in complex-float complex-double; do
  run 1 $scalar-1 $compare --n "$n" --scalar $scalar --rhs 1 --repetitions "$(at_most 2)"
done
for size in $((n / 8)) $((n / 4)) $((n / 2)); do
  for ranks in 1 2; do
    run $ranks "double-$ranks-n$size" $compare --n $size --rhs 1 --repetitions "$repetitions"
  done
done
largest=$((n + n / 2))  # which takes minutes
run 1 "double-1-n$largest" $compare --n $largest --rhs 1 --repetitions "$(at_most 2)"
run 2 "double-2-n$largest" $compare --n $largest --rhs 1 --repetitions 1
for ranks in 1 2; do
  run $ranks "tiles-$ranks" $compare --n "$n" --rhs 1 --tile 0 64 256 --only Tessera --repetitions "$repetitions"
done
run 2 solve-2 $solve --n "$n" --timeline build/host/timeline-2.json

# What no clock is needed for.
for ranks in 1 2; do run 1 "plan-$ranks" $solve --plan $ranks --n "$n"; done
for ranks in 4 9 16; do
  echo "== $out/traffic-$ranks.json"
  TESSERA_TEST_VERBOSE=1 OMP_NUM_THREADS=1 python3 perf/provenance.py "$out/traffic-$ranks.json" \
    bash cmake/mpirun.sh $ranks build/host/tests/message_count_test --gtest_filter='*NoMoreBytesThanScalapack'
done

BUILD=build/host bash perf/measure_moduli.sh "$out"  # which publishes all of this
