// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/line_sums.hpp"

#include <Kokkos_Core.hpp>

#include <cmath>

namespace tessera::detail {

/// |x| in double, without overflow on the way.
template <class T>
KOKKOS_FUNCTION double magnitude(const T& x) {
  using std::abs;  // of a real number; Kokkos has that of a complex one
  return abs(kernels::Wide<T>(x));
}

}  // namespace tessera::detail
