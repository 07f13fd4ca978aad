// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/random.hpp"

#include <cmath>
#include <cstddef>
#include <string>

namespace tessera::perf {

template <class T>
bool is_finite(const T& z) {
  if constexpr (is_complex<T>) {
    return std::isfinite(z.real()) && std::isfinite(z.imag());
  } else {
    return std::isfinite(z);
  }
}

/// Of a matrix in host memory.
template <class Matrix>
bool all_finite(const Matrix& x) {
  for (std::size_t i = 0; i < x.extent(0); ++i) {
    for (std::size_t c = 0; c < x.extent(1); ++c) {
      if (!is_finite(x(i, c))) return false;
    }
  }
  return true;
}

/// Which of a solution and its residual is not finite, in words; empty: neither.
inline std::string what_is_not_finite(bool x_is_finite, double backward_error) {
  if (!x_is_finite) return "x";
  return std::isfinite(backward_error) ? "" : "the residual";
}

}  // namespace tessera::perf
