#!/usr/bin/env bash
# Usage: [N=4000] [P=20000] [REPETITIONS=3] bash perf/measure_gram.sh [OUT_DIR]
#
# What a natural-gradient step costs: A = J J^T / P + I from N samples of P parameters, and one solve. Tessera beside
# dsyrk and LAPACK on 1 rank and pdsyrk and ScaLAPACK on 2, then, interleaved, beside numpy and scipy with as many
# threads (python3-numpy, python3-scipy). JSON goes to OUT_DIR, or perf/results. Nothing else should run meanwhile.
set -euo pipefail

n=${N:-4000}
p=${P:-20000}
repetitions=${REPETITIONS:-3}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$root/perf/results}"
out=$(cd "${1:-$root/perf/results}" && pwd)
cd "$root"

cmake --preset host
cmake --build build/host --target tessera-compare

compare() { bash cmake/mpirun.sh "$1" build/host/perf/tessera-compare --n "$n" --parameters "$p" "${@:2}"; }

for ranks in 1 2; do compare $ranks --repetitions "$repetitions" --json "$out/gram-$ranks.json"; done

python=/usr/bin/python3  # Debian's, whose numpy has the same BLAS
if ! "$python" -c 'import numpy, scipy' 2>/dev/null; then
  echo "measure_gram.sh: python3-numpy and python3-scipy are missing: numpy is not compared" >&2
  exit 0
fi
cores=$(env -u OMP_NUM_THREADS nproc)
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
for ((r = 0; r < repetitions; ++r)); do
  OMP_NUM_THREADS=$cores OPENBLAS_NUM_THREADS=$cores "$python" perf/python_gram.py numpy "$n" "$p" >> "$scratch/numpy"
  for ranks in 1 2; do compare $ranks --repetitions 1 --only Tessera --json "$scratch/tessera-$ranks-$r.json" >/dev/null; done
done
"$python" - "$scratch" "$out/gram-numpy.json" "$n" "$p" <<'PYTHON'
import glob, json, statistics, sys
scratch, out, n, p = sys.argv[1:]
numpy = statistics.median(float(line.split()[0]) for line in open(f"{scratch}/numpy"))
data = {"n": int(n), "parameters": int(p), "numpy_seconds": numpy}
for ranks in 1, 2:
    steps = [s for f in glob.glob(f"{scratch}/tessera-{ranks}-*.json")
             for c in json.load(open(f))["contenders"] for s in c["steps"] if s["name"] == "assemble and solve"]
    seconds = statistics.median(x for s in steps for x in s["seconds"])
    data[f"tessera_{ranks}_seconds"] = seconds
    print(f"numpy and scipy / Tessera on {ranks} ranks: {numpy:.3f} s / {seconds:.3f} s = {numpy / seconds:.2f}")
json.dump(data, open(out, "w"), indent=2)
PYTHON
