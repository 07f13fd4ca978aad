#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: bootstrap.sh [test]
#
# Installs the Debian packages that building Tessera needs and that are missing; with `test`, those of the tests too.
set -euo pipefail

packages=(
  g++ cmake ninja-build
  libopenmpi-dev openmpi-bin
  libopenblas-dev  # neither of the next two pulls in a BLAS
  libtrilinos-kokkos-dev libtrilinos-kokkos-kernels-dev
  libcli11-dev nlohmann-json3-dev libhdf5-openmpi-dev
)
[ "${1:-}" != test ] || packages+=(
  libgtest-dev libscalapack-openmpi-dev scalapack-mpi-test python3-h5py python3-mpi4py python3-numpy
  mpich libmpich-dev doxygen pkg-config
  libtrilinos-tpetra-dev libtrilinos-belos-dev libtrilinos-teuchos-dev  # the example trilinos
)

if ! command -v dpkg-query >/dev/null; then
  echo "This is no Debian. Install what these packages hold, then use CMake directly (cmake --preset host):" >&2
  echo "  ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" = 0 ]; then
  as_root=(env)
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n env)
else
  echo "Packages are missing, and installing them takes root. Run: apt-get update && ${install[*]}" >&2
  exit 1
fi

echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
for package in "${missing[@]}"; do
  if ! apt-cache show "$package" >/dev/null 2>&1; then
    echo "No package $package in this distribution (Debian 12 and Ubuntu 24.04 have them all)." >&2
    echo "Install Kokkos and Kokkos Kernels yourself, then use CMake directly (cmake --preset host)." >&2
    exit 1
  fi
done
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}" -qq
