#!/usr/bin/env bash
# Usage: [N=8000] [REPETITIONS=5] bash perf/measure.sh [OUT_DIR]
#
# What perf/README.md shows of two CPU cores, anew: builds, measures Tessera beside LAPACK and ScaLAPACK on 1 and 2
# ranks, and leaves JSON and plots in OUT_DIR, or perf/results. Nothing else should run meanwhile. For a quick look:
# N=600 REPETITIONS=1. `bash cmake/bootstrap.sh test` installs what it needs, but for the plots' python3-matplotlib.
set -euo pipefail

n=${N:-8000}
repetitions=${REPETITIONS:-5}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$root/perf/results}"
out=$(cd "${1:-$root/perf/results}" && pwd)
cd "$root"

python=
for candidate in python3 /usr/bin/python3; do  # Debian's packages are for the latter, which may not be the first
  if "$candidate" -c 'import matplotlib' 2>/dev/null; then python=$candidate && break; fi
done
[ -n "$python" ] || echo "measure.sh: python3-matplotlib is missing (apt-get install it): there will be no plots" >&2

cmake --preset host
cmake --build build/host --target tessera-solve tessera-compare

at_most() { echo $((repetitions < $1 ? repetitions : $1)); }

# run RANKS NAME PROGRAM ARGUMENT...: what it prints is shown.
run() {
  local ranks=$1 name=$2 program=$3
  shift 3
  echo
  echo "== $name.json: $program on $ranks rank$([ "$ranks" = 1 ] || echo s)"
  bash cmake/mpirun.sh "$ranks" "build/host/perf/$program" --json "$out/$name.json" "$@"
}

compared=()
for ranks in 1 2; do
  run $ranks "double-$ranks" tessera-compare --n "$n" --repetitions "$repetitions"
  compared+=("$out/double-$ranks.json")
done
for scalar in float complex-float complex-double; do
  run 1 "$scalar-1" tessera-compare --n "$n" --scalar $scalar --rhs 1 --repetitions "$(at_most 3)"
  compared+=("$out/$scalar-1.json")
done

# Beside the two runs of above.
grown=("${compared[@]:0:2}")
for size in $((n / 8)) $((n / 4)) $((n / 2)) $((n + n / 2)); do
  times=$repetitions
  [ "$size" -lt "$n" ] || times=$(at_most 2)
  for ranks in 1 2; do
    run $ranks "double-$ranks-n$size" tessera-compare --n $size --rhs 1 --repetitions "$times"
    grown+=("$out/double-$ranks-n$size.json")
  done
done

run 2 solve-2 tessera-solve --n "$n" --timeline build/host/timeline-2.json

if [ -n "$python" ]; then
  "$python" perf/plot.py compare "${compared[@]}" "$out/compare.png"
  "$python" perf/plot.py growth "${grown[@]}" "$out/growth.png"
  "$python" perf/plot.py timeline build/host/timeline-2.json "$out/timeline.png"
fi
echo
echo "Written to $out"
