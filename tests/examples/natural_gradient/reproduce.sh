#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: reproduce.sh PROGRAM [DIRECTORY]
#
# The experiment of NetKet's that this example repeats: 300 steps on 20 sites, three seeds, on 1, 2 and 3 ranks. Fails
# unless the exact relative energy errors after 50, 100, 200 and 300 steps are where NetKet's are, give or take chance.
# DIRECTORY gets a JSON file for each run.
set -euo pipefail
program=$1
directory=${2:-.}
mpirun=$(dirname "${BASH_SOURCE[0]}")/../../../cmake/mpirun.sh

printf '%5s %5s %10s %10s %10s %10s %8s\n' seed ranks 'after 50' 100 200 300 seconds
status=0
for seed in 0 1 2; do
  for ranks in 1 2 3; do
    begin=$(date +%s%N)
    result=ok
    output=$(bash "$mpirun" "$ranks" "$program" --seed "$seed" --json "$directory/seed$seed-np$ranks.json" \
      --bar 50:0.8e-3:2.6e-3 --bar 100:1.4e-4:4.4e-4 --bar 200:5e-5:1.8e-4 --bar 300:4e-5:1.5e-4) || result=FAILED
    mapfile -t errors < <(awk '/exact error/ { print $NF }' <<<"$output")
    seconds=$((($(date +%s%N) - begin) / 1000000000))
    printf '%5d %5d %10s %10s %10s %10s %8d  %s\n' "$seed" "$ranks" "${errors[@]:0:4}" "$seconds" "$result"
    [ "$result" = ok ] || status=1
  done
done
exit $status
