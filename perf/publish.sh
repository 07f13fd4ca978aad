#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: publish.sh [DIR] [BUILD]
#
# Draws the plots of the JSON files in DIR, or perf/results, into DIR, and of the timelines in BUILD where there are any.
# Where DIR is perf/results it also writes the pages' figures from the JSON. Plots need python3-matplotlib.
set -euo pipefail
shopt -s nullglob

dir=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/results}")
build=$(realpath "${2:-/nonexistent}" 2>/dev/null || true)
cd "$(dirname "${BASH_SOURCE[0]}")"

python=
for candidate in python3 /usr/bin/python3; do  # Debian's packages are for the latter, which may not be the first
  if "$candidate" -c 'import matplotlib' 2>/dev/null; then python=$candidate && break; fi
done
[ -n "$python" ] || echo "publish.sh: python3-matplotlib is missing (apt-get install it): there will be no plots" >&2

# plot PROGRAM WHAT OUT INPUT...: where there is an input.
plot() {
  local program=$1 what=$2 image=$3
  shift 3
  [ -z "$python" ] || [ $# = 0 ] || "$python" "$program" "$what" "$@" "$dir/$image"
}

plot plot.py compare compare.png "$dir"/double-[12].json "$dir"/{float,complex-float,complex-double}-1*.json
plot plot.py growth growth.png "$dir"/double-*.json
plot plot.py timeline timeline.png "$build"/timeline-2.json*
plot plot.py moduli moduli.png "$dir"/moduli.json*
for double in "$dir"/*-double.json; do
  card=$(basename "$double" -double.json)
  [ "$card" != complex ] && [[ $card != *-complex ]] || continue
  alone=("$double" "$dir/$card"-double-*.json)
  several=("$dir/$card"-[0-9]*x[0-9]*.json)
  plot plot_device.py compare "$card.png" "${alone[@]}"
  plot plot_device.py timeline "$card-timeline.png" "$build"/timeline.json*
  [ ${#several[@]} = 0 ] || plot plot_device.py scaling "$card-scaling.png" "${alone[@]}" "${several[@]}"
  for timeline in "$build"/timeline-[0-9]*x[0-9]*.json; do
    grid=$(basename "$timeline" .json)
    plot plot_device.py timeline "$card-${grid#timeline-}-timeline.png" "$timeline"
  done
done
[ "$dir" != "$PWD/results" ] || python3 figures.py
echo "Written to $dir"
