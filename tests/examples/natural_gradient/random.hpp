// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>

namespace ng {

/// Random numbers that are functions of a seed, a stream and a counter (splitmix64), so that a chain draws the same
/// ones on whatever rank and device it runs.
class Random {
 public:
  KOKKOS_FUNCTION Random(std::uint64_t seed, std::uint64_t stream, std::uint64_t drawn = 0)
      : state_(mix(mix(seed + golden) + stream * 0xD1B54A32D192ED03ULL) + drawn * golden) {}

  /// In [0, 1).
  KOKKOS_FUNCTION double uniform() {
    state_ += golden;
    return static_cast<double>(mix(state_) >> 11) * 0x1.0p-53;
  }
  KOKKOS_FUNCTION int below(int n) { return static_cast<int>(uniform() * n); }

  /// From the normal distribution (Box and Muller); takes two numbers.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::acos(-1.) * uniform());
  }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ULL;

  static KOKKOS_FUNCTION std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }

  std::uint64_t state_;
};

}  // namespace ng
