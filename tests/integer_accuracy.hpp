// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "factor_error.hpp"

#include <tessera/tessera.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <ostream>
#include <utility>

// The error of factorisations by integers.
namespace tessera::testing {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// On a device the steps, within which all is native, are too wide for a small matrix; tiles of more than half of them
/// are steps of their own.
inline constexpr bool has_narrow_steps = kernels::is_host<Exec>;

struct Size {
  std::int64_t n;
  std::int64_t tile;
};
/// Where steps are wide: the third one is updated by integers of the first.
inline constexpr Size wide_steps{700, 260};
inline std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << "n " << size.n << ", tile " << size.tile;
}

/// The error of the factor in units of u; infinite where there is none.
template <class T>
double error_of(const ProcessGrid& grid, const HardMatrix<T>& a, std::int64_t tile, const FactorizeOptions& options) {
  ShardedMatrix<T> matrix(grid, a.n, tile);
  matrix.fill(Exec{}, a.stored());
  try {
    return factor_error(MPI_COMM_WORLD, factorize(Exec{}, std::move(matrix), options).matrix(), a);
  } catch (const NotPositiveDefinite&) {
    return INFINITY;
  }
}
template <class T>
double native_error(const ProcessGrid& grid, const HardMatrix<T>& a, std::int64_t tile) {
  const double native = error_of(grid, a, tile, {});
  EXPECT_LT(native, INFINITY) << "the matrix is meant to be positive definite";
  return native;
}

inline double most(double native) { return 2.5 * native + 2; }

inline int default_number(std::int64_t n, auto scalar) {
  return detail::moduli_for<decltype(scalar), Exec>(Arithmetic::integer, 0, n, 1);
}

}  // namespace tessera::testing
