// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cmath>

namespace tessera::perf {

/// A sum of squares of which none overflows or vanishes. As in LAPACK's lassq, large and small numbers are scaled, and
/// each kind is summed apart from the others; so two sums are added by adding up their parts.
struct SumOfSquares {
  static constexpr int parts = 3;

  double large = 0;   ///< of numbers times 2^-538
  double medium = 0;  ///< of numbers as they are, and of NaNs
  double small = 0;   ///< of numbers times 2^537

  SumOfSquares() = default;
  explicit SumOfSquares(const double* sums) : large(sums[0]), medium(sums[1]), small(sums[2]) {}

  /// Adds x^2, a number of times.
  KOKKOS_FUNCTION void add(double x, double times = 1) {
    const double size = x < 0 ? -x : x;
    if (size > 0x1p486) {
      large += times * (x * 0x1p-538) * (x * 0x1p-538);
    } else if (size < 0x1p-511) {
      small += times * (x * 0x1p537) * (x * 0x1p537);
    } else {
      medium += times * x * x;
    }
  }

  template <class Real>
  KOKKOS_FUNCTION void add(const Kokkos::complex<Real>& z, double times = 1) {
    add(static_cast<double>(z.real()), times);
    add(static_cast<double>(z.imag()), times);
  }

  /// To `parts` numbers, as a reduction or MPI has them.
  KOKKOS_FUNCTION void add_to(double* sums) const {
    sums[0] += large;
    sums[1] += medium;
    sums[2] += small;
  }

  /// The root of the sum. It may be larger than any double, but not than any long double.
  long double norm() const {
    const auto root = [](double sum) { return std::sqrt(static_cast<long double>(sum)); };
    return std::hypot(std::hypot(std::ldexp(root(large), 538), root(medium)), std::ldexp(root(small), -537));
  }
};

/// r / (a x + b), of norms of a residual, A, x and b. It is 0 only where r is, and finite only where all are.
inline double backward_error_of(long double r, long double a, long double x, long double b) {
  return r == 0 ? 0 : static_cast<double>(r / (a * x + b));
}

}  // namespace tessera::perf
