// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cmath>
#include <type_traits>

namespace tessera::kernels {

/// A sum of squares of any numbers, up to 2^40 of them, although the square of one may be beyond a double's exponents:
/// a sum each for small, middle and large numbers (Blue, A portable Fortran program to find the Euclidean norm of a
/// vector, ACM Trans. Math. Softw. 4 (1978)). Such sums are added part by part.
struct SquareSum {
  static constexpr int parts = 3;
  static constexpr double unit = 0x1p600;

  double small = 0;   ///< of (unit x)^2
  double middle = 0;  ///< of x^2
  double large = 0;   ///< of (x / unit)^2

  template <class T>
  KOKKOS_INLINE_FUNCTION void add(const T& x) {
    add_real(static_cast<double>(detail::real(x)));
    if constexpr (!std::is_same_v<T, detail::RealOf<T>>) add_real(static_cast<double>(x.imag()));
  }
  KOKKOS_INLINE_FUNCTION void add(const SquareSum& other) {
    small += other.small;
    middle += other.middle;
    large += other.large;
  }
  /// Its square root: NaN or infinite if a number is, infinite if it is larger than a double.
  KOKKOS_INLINE_FUNCTION double root() const {
    if (large > 0) return std::sqrt(large + middle / unit / unit) * unit;
    if (middle > 0x1p-600) return std::sqrt(middle);
    return std::sqrt(small + middle * unit * unit) / unit;
  }

 private:
  KOKKOS_INLINE_FUNCTION void add_real(double x) {
    const double size = std::fabs(x);
    if (size > 0x1p400) {
      large += (size / unit) * (size / unit);
    } else if (size < 0x1p-400) {
      small += (size * unit) * (size * unit);
    } else {  // or not a number
      middle += size * size;
    }
  }
};

}  // namespace tessera::kernels
