// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"

#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

// Matrices to test with, as functions of (i, j), so that every rank can compute any part of them.
namespace tessera::testing {

template <class T>
using Real = detail::RealOf<T>;
template <class T>
inline constexpr bool is_complex = !std::is_same_v<T, Real<T>>;
template <class T>
KOKKOS_FUNCTION T scalar(double re, double im) {
  if constexpr (is_complex<T>) {
    return T(static_cast<Real<T>>(re), static_cast<Real<T>>(im));
  } else {
    return static_cast<T>(re);
  }
}

/// A number in [-1, 1) that depends on (i, j, seed) alone.
KOKKOS_INLINE_FUNCTION double noise(std::int64_t i, std::int64_t j, std::uint64_t seed) {
  std::uint64_t x = seed + 0x9E3779B97F4A7C15ULL * (static_cast<std::uint64_t>(i) + 1) +
                    0xD1B54A32D192ED03ULL * (static_cast<std::uint64_t>(j) + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1.0p-52 - 1.0;
}

/// A well-conditioned Hermitian positive definite matrix without structure: diagonally dominant, with noise off the
/// diagonal.
template <class T>
struct Dominant {
  std::int64_t n;
  std::uint64_t seed = 1;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i == j) return T(static_cast<Real<T>>(2 + noise(i, i, seed)));
    const std::int64_t p = i > j ? i : j;
    const std::int64_t q = i > j ? j : i;
    const double scale = 0.6 / std::sqrt(static_cast<double>(n) + 1);
    const double re = scale * noise(p, q, seed);
    if constexpr (is_complex<T>) {
      const double im = scale * noise(p, q, seed + 77);
      return T(static_cast<Real<T>>(re), static_cast<Real<T>>(i > j ? im : -im));
    } else {
      return static_cast<T>(re);
    }
  }
};

/// L L^H for the L with ones on its diagonal and a unit in column i / 2 of row i. L and its inverse hold units alone,
/// so that every way to factor this rounds nothing: each pivot is exactly 1.
template <class T>
struct Exact {
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i == j) return T(static_cast<Real<T>>(i > 0 ? 2 : 1));
    if (i < j) return detail::conj((*this)(j, i));
    if (i / 2 == j) return unit();
    return T(static_cast<Real<T>>(j > 0 && i / 2 == j / 2 ? 1 : 0));
  }

 private:
  KOKKOS_FUNCTION static T unit() { return is_complex<T> ? scalar<T>(0, 1) : scalar<T>(-1, 0); }
};

/// What can be wrong with row k.
enum class Defect {
  none,
  negative_pivot,
  zero_pivot,
  nan_on_diagonal,
  nan_on_left,
  minus_inf_on_diagonal,
  inf_on_left
};
inline constexpr Defect defects[] = {Defect::negative_pivot,        Defect::zero_pivot,
                                     Defect::nan_on_diagonal,       Defect::nan_on_left,
                                     Defect::minus_inf_on_diagonal, Defect::inf_on_left};

/// Exact, with a defect in row k that makes just the minors from order k + 1 on fail: on the left, in column `left` <
/// k.
template <class T>
struct Planted {
  Defect defect;
  std::int64_t k;
  std::int64_t left = 0;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const T value = Exact<T>{}(i, j);
    if (i == k && j == k) {
      if (defect == Defect::negative_pivot) return value - T(2);
      if (defect == Defect::zero_pivot) return value - T(1);
      if (defect == Defect::nan_on_diagonal) return scalar<T>(NAN, 0);
      if (defect == Defect::minus_inf_on_diagonal) return scalar<T>(-INFINITY, 0);
    }
    if ((i == k && j == left) || (i == left && j == k)) {
      if (defect == Defect::nan_on_left) return scalar<T>(NAN, 0);
      if (defect == Defect::inf_on_left) return scalar<T>(INFINITY, 0);
    }
    return value;
  }
};

/// Exact, but that row and column k are nothing but a pivot.
template <class T>
struct LonePivot {
  std::int64_t k;
  Real<T> pivot;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i == k || j == k) return i == j ? T(pivot) : T(0);
    return Exact<T>{}(i, j);
  }
};

/// Whether an infinite number stays one where updates add zeros to it. Complex gemm on a device makes it a NaN.
template <class T>
constexpr bool keeps_infinities = kernels::is_host<Kokkos::DefaultExecutionSpace> || !is_complex<T>;

/// Positive pivots at which a square root or a reciprocal may go wrong.
template <class T>
std::vector<Real<T>> unusual_pivots() {
  using Limits = std::numeric_limits<Real<T>>;
  std::vector<Real<T>> pivots{Limits::max(), Limits::min(), Limits::min() / 2, Limits::denorm_min() * 71,
                              Limits::denorm_min()};
  if (keeps_infinities<T>) pivots.push_back(Limits::infinity());
  return pivots;
}

}  // namespace tessera::testing
