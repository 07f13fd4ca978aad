// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/backends.hpp"

#include <Kokkos_Core.hpp>

/// Expands to M(Scalar, Where) for the four scalars, as TESSERA_FOR_EACH_EXEC does for execution spaces.
#define TESSERA_FOR_EACH_SCALAR(M, Where) \
  M(float, Where) M(double, Where) M(Kokkos::complex<float>, Where) M(Kokkos::complex<double>, Where)
