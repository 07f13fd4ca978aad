#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: [REPETITIONS=3] [LARGEST=65536] [BUILD=build/cuda] [ONLY=integers] bash perf/measure_device.sh [OUT_DIR]
#
# What perf/README.md shows of GPUs, anew, on as many as this machine has (one rank each): Tessera beside cuSOLVER and
# cuBLAS on one, also for small matrices and inverses, a matrix of twice the largest order, which only fits as a triangle,
# then on 2, 4, 8, ... of them whether a ragged n is solved right, small matrices, scaling, staging, what one
# GPU does all the while, natural-gradient steps, factorisations by products of integers (these alone with ONLY=integers),
# and jax and jaxmg where the first python3 has them. JSON and plots go to OUT_DIR, or perf/results (then the pages'
# figures, too). TESSERA_MPI_BUFFERS=direct says that this MPI takes device
# pointers, TESSERA_COMMIT which commit this is where there is no git. Nothing else should run meanwhile.
set -euo pipefail

repetitions=${REPETITIONS:-3}
largest=${LARGEST:-65536}
build=$(realpath "${BUILD:-$(dirname "${BASH_SOURCE[0]}")/../build/cuda}")
. "$(dirname "${BASH_SOURCE[0]}")/measure_common.sh"
build=$(realpath --relative-to="$root" "$build")
compare=$build/perf/tessera-compare-device
solve=$build/perf/tessera-solve
for program in "$compare" "$solve"; do
  [ -x "$program" ] || { echo "measure_device.sh: no $program: cmake --build --preset cuda, or say BUILD" >&2; exit 1; }
done

cards=$(nvidia-smi --query-gpu=name --format=csv,noheader)
gpus=$(wc -l <<<"$cards")
card=$(head -1 <<<"$cards" | tr 'A-Z ' 'a-z-' | sed 's/^nvidia-//; s/-.*//')
has() { python3 -c "import $1" 2>/dev/null || { echo "measure_device.sh: python3 has no $1: not compared" >&2; false; }; }

# Integer products beside native ones and cuSOLVER; of single precision with fewer moduli and more.
by_integers() {
  run 1 "$card-integers" "$compare" --n $((largest / 4)) $((largest / 2)) --moduli 0 --rhs 1 --repetitions "$repetitions"
  run 1 "$card-integers-$largest" "$compare" --pieces --n "$largest" --moduli 0 --rhs 1 --repetitions "$(at_most 2)" \
    --free "$(awk "BEGIN { print 0.8 * 8 * $largest * $largest / 2^30 }")"
  run 1 "$card-integers-gram" "$compare" --n $((largest / 4)) --parameters "$largest" --moduli 13 14 --rhs 1 \
    --repetitions "$repetitions"
  for scalar in complex-double float complex-float; do
    [ $scalar = complex-double ] && moduli=(0) || moduli=(6 7)
    run 1 "$card-integers-$scalar" "$compare" --n $((largest / 2)) --scalar $scalar --moduli "${moduli[@]}" --rhs 1 \
      --repetitions "$repetitions"
  done
  run 1 "$card-integers-plan-$largest" "$solve" --plan 1 --n "$largest" --arithmetic integer
  for ((ranks = 2; ranks <= gpus; ranks *= 2)); do
    run "$ranks" "$card-integers-gpus-$ranks" "$compare" --n $((largest / 2)) "$largest" --moduli 0 --rhs 1 \
      --repetitions "$repetitions"
  done
  has jaxmg || return 0
  for ((ranks = 1; ranks <= gpus; ranks *= 2)); do
    python3 perf/measure_jaxmg.py --gpus "$ranks" --n "$([ "$ranks" = 1 ] && echo $((largest / 2)) || echo "$largest")" \
      --moduli 0 --repetitions "$repetitions" --program "$compare" --json "$out/$card-integers-jaxmg-$ranks.json"
  done
}
if [ "${ONLY:-}" = integers ]; then
  by_integers
  bash perf/publish.sh "$out" "$build"
  exit
fi

sizes=()
for ((n = 2048; n < largest; n *= 2)); do sizes+=("$n"); done
run 1 "$card-double" "$compare" --n "${sizes[@]}" --rhs 1 16 256 --repetitions "$repetitions"
run 1 "$card-double-$largest" "$compare" --n "$largest" --rhs 1 16 --repetitions "$(at_most 2)" \
  --timeline "$build/timeline.json"
for scalar in float complex-float complex-double; do
  run 1 "$card-$scalar" "$compare" --n $((largest / 2)) --scalar $scalar --rhs 1 16 --repetitions "$repetitions"
done
small=(512 1024 2048 4096 8192)
for scalar in double float complex-double complex-float; do
  run 1 "$card-small-$scalar" "$compare" --n "${small[@]}" --scalar $scalar --rhs 1 --repetitions 9
done
if has jax; then
  python3 perf/measure_jax.py --n "${small[@]:1}" --program "$compare" --json "$out/$card-small-jax.json"
fi
small+=(10240 12288 14336 16384)
run 1 "$card-small-alone" "$compare" --alone --n "${small[@]}" --rhs 1 --repetitions 5
[ "$gpus" = 1 ] || run 2 "$card-small-two" "$compare" --n "${small[@]}" --rhs 1 --repetitions 5
run 1 "$card-inverse" "$compare" --n $((largest / 4)) $((largest / 2)) $((largest / 2 + 1)) --rhs 1 \
  --repetitions "$repetitions"
run 1 "$card-solve-$((2 * largest))" "$solve" --n $((2 * largest))
run 1 "$card-plan-$largest" "$solve" --plan 1 --n "$largest"

gram=(--n $((largest / 4)) --parameters "$largest")
for ((ranks = 1; ranks <= gpus; ranks *= 2)); do
  run "$ranks" "$card-gram-$ranks" "$compare" "${gram[@]}" --repetitions "$repetitions"
done
if has jax; then
  python3 perf/python_gram.py jax $((largest / 4)) "$largest" --repetitions "$repetitions" --json "$out/$card-gram-jax.json"
fi

for ((ranks = 2; ranks <= gpus; ranks *= 2)); do
  for ((rows = 1; rows <= ranks; rows *= 2)); do
    grid=${rows}x$((ranks / rows))
    run "$ranks" "$card-$grid" "$compare" --grid "$grid" --n 10007 $((largest / 4)) $((largest / 2)) "$largest" \
      --rhs 1 16 --repetitions "$repetitions" --timeline "$build/timeline-$grid.json"
  done
  TESSERA_MPI_BUFFERS=staged run "$ranks" "$card-staged-$ranks" "$compare" --n $((largest / 4)) --rhs 1 \
    --repetitions "$repetitions"
  # As much memory on each as largest takes on one.
  run "$ranks" "$card-weak-$ranks" "$compare" --n "$(awk -v n="$largest" -v r="$ranks" 'BEGIN { printf "%d", n * sqrt(r) }')" \
    --rhs 1 --repetitions "$(at_most 2)"
done

if has jaxmg; then
  python3 perf/measure_jaxmg.py --gpus 1 --n $((largest / 4)) $((largest / 2)) --repetitions "$repetitions" \
    --program "$compare" --json "$out/$card-jaxmg-1.json"
  for ((ranks = 2; ranks <= gpus; ranks *= 2)); do
    python3 perf/measure_jaxmg.py --gpus "$ranks" --n $((largest / 2)) "$largest" --repetitions "$repetitions" \
      --program "$compare" --json "$out/$card-jaxmg-$ranks.json"
  done
fi

by_integers

bash perf/publish.sh "$out" "$build"
