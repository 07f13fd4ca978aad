// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/random.hpp"

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>

// A Gaussian process on scattered points of the unit cube: its covariance matrix and observations of it.
namespace tessera::perf {

enum class Kernel { matern52, matern32, rbf };

template <class MemorySpace>
using Points = Kokkos::View<double* [3], Kokkos::LayoutRight, MemorySpace>;

template <class MemorySpace>
struct ScatterPoints {
  Points<MemorySpace> points;
  std::uint64_t seed;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    for (int d = 0; d < 3; ++d) points(i, d) = uniform(seed, 3 * i + d);
  }
};

/// The phase that makes a real process complex: each value is multiplied by e^(i phase), which keeps its covariance
/// matrix Hermitian and its eigenvalues what they were.
template <class MemorySpace>
KOKKOS_FUNCTION double phase(const Points<MemorySpace>& points, std::int64_t i) {
  return 5 * points(i, 0) - 3 * points(i, 1) + 2 * points(i, 2);
}

/// A(i, j) = k(|x_i - x_j| / length) e^(i (phase_i - phase_j)) + diagonal [i == j]
template <class T, class MemorySpace>
struct Covariance {
  Points<MemorySpace> points;
  Kernel kernel;
  double length_scale;
  double diagonal;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    double square = 0;
    for (int d = 0; d < 3; ++d) {
      const double difference = points(i, d) - points(j, d);
      square += difference * difference;
    }
    const double value = correlation(square / (length_scale * length_scale)) + (i == j ? diagonal : 0.0);
    if constexpr (is_complex<T>) {
      const double angle = phase(points, i) - phase(points, j);
      return make_scalar<T>(value * std::cos(angle), value * std::sin(angle));
    } else {
      return static_cast<T>(value);
    }
  }

 private:
  KOKKOS_FUNCTION double correlation(double square) const {
    if (kernel == Kernel::rbf) return std::exp(-square / 2);
    const double s = std::sqrt((kernel == Kernel::matern52 ? 5 : 3) * square);
    return (kernel == Kernel::matern52 ? 1 + s + s * s / 3 : 1 + s) * std::exp(-s);
  }
};

/// b(i, c): a smooth function of x_i, another for each c, and normally distributed noise.
template <class T, class MemorySpace>
struct Observe {
  static constexpr double pi = 3.14159265358979323846;

  Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace> b;
  Points<MemorySpace> points;
  double noise;
  std::uint64_t seed;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    for (std::int64_t c = 0; c < static_cast<std::int64_t>(b.extent(1)); ++c) {
      const auto shift = static_cast<double>(c);
      const double smooth =
          std::sin(2 * pi * points(i, 0) + shift) * std::cos(pi * points(i, 1) - shift) + points(i, 2);
      const std::int64_t draw = 2 * (c * static_cast<std::int64_t>(b.extent(0)) + i);
      const double radius = std::sqrt(-2 * std::log(1 - uniform(seed + 1, draw)));
      const double value = smooth + std::sqrt(noise) * radius * std::cos(2 * pi * uniform(seed + 1, draw + 1));
      const double angle = is_complex<T> ? phase(points, i) : 0.0;
      b(i, c) = make_scalar<T>(value * std::cos(angle), value * std::sin(angle));
    }
  }
};

}  // namespace tessera::perf
