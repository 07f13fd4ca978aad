#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: [N=4000] [P=20000] [REPETITIONS=3] bash perf/measure_gram.sh [OUT_DIR]
#
# What a natural-gradient step costs: A = J J^T / P + I from N samples of P parameters, and one solve. Tessera beside
# dsyrk and LAPACK on 1 rank and pdsyrk and ScaLAPACK on 2, then, interleaved, beside numpy and scipy with as many
# threads (python3-numpy, python3-scipy). JSON goes to OUT_DIR, or perf/results. Nothing else should run meanwhile.
set -euo pipefail

n=${N:-4000}
p=${P:-20000}
repetitions=${REPETITIONS:-3}
. "$(dirname "${BASH_SOURCE[0]}")/measure_common.sh"

cmake --preset host
cmake --build build/host --target tessera-compare
step=(build/host/perf/tessera-compare --n "$n" --parameters "$p")

for ranks in 1 2; do run $ranks "gram-$ranks" "${step[@]}" --repetitions "$repetitions"; done

python=/usr/bin/python3  # Debian's, whose numpy has the same BLAS
if "$python" -c 'import numpy, scipy' 2>/dev/null; then
  echo "== $out/gram-numpy.json"
  cores=$(env -u OMP_NUM_THREADS nproc)
  OMP_NUM_THREADS=$cores OPENBLAS_NUM_THREADS=$cores "$python" perf/python_gram.py numpy "$n" "$p" \
    --repetitions "$repetitions" --json "$out/gram-numpy.json" \
    --beside "bash cmake/mpirun.sh 1 ${step[*]} --only Tessera --repetitions 1"
else
  echo "measure_gram.sh: python3-numpy and python3-scipy are missing: numpy is not compared" >&2
fi

bash perf/publish.sh "$out"
