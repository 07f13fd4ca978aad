#!/usr/bin/env bash
# Usage: [REPETITIONS=3] [LARGEST=65536] [BUILD=build/cuda] bash perf/measure_device.sh [OUT_DIR]
#
# Most of what perf/README.md shows of GPUs, anew, on as many as this machine has (one rank each): Tessera beside
# cuSOLVER on one, then on 2, 4, 8, ... of them whether a ragged n is solved right, strong and weak scaling on all kinds
# of grids, device pointers against staging, and what one GPU does all the while. JSON and plots go to OUT_DIR, or
# perf/results. TESSERA_MPI_BUFFERS=direct says that this MPI takes device pointers. Nothing else should run meanwhile.
set -euo pipefail

repetitions=${REPETITIONS:-3}
largest=${LARGEST:-65536}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD:-$root/build/cuda}
program=$build/perf/tessera-compare-device
[ -x "$program" ] || { echo "measure_device.sh: no $program: cmake --build --preset cuda, or say BUILD" >&2; exit 1; }
mkdir -p "${1:-$root/perf/results}"
out=$(cd "${1:-$root/perf/results}" && pwd)

cards=$(nvidia-smi --query-gpu=name --format=csv,noheader)
gpus=$(wc -l <<<"$cards")
card=$(head -1 <<<"$cards" | tr 'A-Z ' 'a-z-' | sed 's/^nvidia-//; s/-.*//')

python=
for candidate in python3 /usr/bin/python3; do
  if "$candidate" -c 'import matplotlib' 2>/dev/null; then python=$candidate && break; fi
done
[ -n "$python" ] || echo "measure_device.sh: python3-matplotlib is missing: there will be no plots" >&2
plot() { [ -z "$python" ] || "$python" "$root/perf/plot_device.py" "$@"; }

# run RANKS NAME ARGUMENT...: what it prints is shown.
run() {
  local ranks=$1 name=$2
  shift 2
  echo
  echo "== $card-$name.json: $ranks GPU$([ "$ranks" = 1 ] || echo s)"
  bash "$root/cmake/mpirun.sh" "$ranks" "$program" --json "$out/$card-$name.json" "$@"
}

sizes=()
for ((n = 2048; n < largest; n *= 2)); do sizes+=("$n"); done
run 1 double --n "${sizes[@]}" --rhs 1 16 256 --repetitions "$repetitions"
run 1 "double-$largest" --n "$largest" --rhs 1 16 --repetitions 2 --timeline "$build/timeline.json"
for scalar in float complex-float complex-double; do
  run 1 $scalar --n $((largest / 2)) --scalar $scalar --rhs 1 --repetitions "$repetitions"
done
plot compare "$out/$card-double.json" "$out/$card-double-$largest.json" "$out/$card.png"
plot timeline "$build/timeline.json" "$out/$card-timeline.png"

scaled=("$out/$card-double.json" "$out/$card-double-$largest.json")
for ((ranks = 2; ranks <= gpus; ranks *= 2)); do
  for ((rows = 1; rows <= ranks; rows *= 2)); do
    grid=${rows}x$((ranks / rows))
    run "$ranks" "$grid" --grid "$grid" --n 10007 $((largest / 4)) $((largest / 2)) "$largest" --rhs 1 16 \
      --repetitions "$repetitions" --timeline "$build/timeline-$grid.json"
    scaled+=("$out/$card-$grid.json")
    plot timeline "$build/timeline-$grid.json" "$out/$card-$grid-timeline.png"
  done
  TESSERA_MPI_BUFFERS=staged run "$ranks" "staged-$ranks" --n $((largest / 4)) --rhs 1 --repetitions "$repetitions"
  # As much memory on each as largest takes on one.
  run "$ranks" "weak-$ranks" --n "$(awk -v n="$largest" -v r="$ranks" 'BEGIN { printf "%d", n * sqrt(r) }')" --rhs 1 \
    --repetitions 2
done
[ ${#scaled[@]} = 2 ] || plot scaling "${scaled[@]}" "$out/$card-scaling.png"
echo
echo "Written to $out"
