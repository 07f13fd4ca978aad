# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2164
# Sourced by perf/measure*.sh with their arguments. From here on they are at the top of the repository, $out is where
# the JSON goes, and the programs know their commit.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$root/perf/results}"
out=$(realpath --relative-to="$root" "${1:-$root/perf/results}")
cd "$root"

if [ -z "${TESSERA_COMMIT:-}" ]; then
  TESSERA_COMMIT=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  [ "$TESSERA_COMMIT" = unknown ] || git diff --quiet HEAD -- . ':!perf/results' ':!*.md' || TESSERA_COMMIT+=-changed
fi
export TESSERA_COMMIT

# An OpenBLAS that is older than the processor takes kernels of twenty years ago.
if [ -z "${OPENBLAS_CORETYPE:-}" ] && grep -qw avx512f /proc/cpuinfo; then
  oldest=$(OPENBLAS_VERBOSE=2 python3 -c 'import ctypes; ctypes.CDLL("libblas.so.3")' 2>&1 || true)
  case $oldest in
    *Prescott*)
      export OPENBLAS_CORETYPE=SkylakeX
      echo "OpenBLAS does not know this processor: OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE" >&2
      ;;
  esac
fi

# run RANKS NAME PROGRAM ARGUMENT...: what it prints is shown.
run() {
  local ranks=$1 name=$2 program=$3
  shift 3
  echo
  echo "== $out/$name.json: $(basename "$program") on $ranks rank$([ "$ranks" = 1 ] || echo s)"
  bash cmake/mpirun.sh "$ranks" "$program" --json "$out/$name.json" "$@"
}

at_most() { echo $((repetitions < $1 ? repetitions : $1)); }
