// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

// Pseudo-random numbers that are functions of an index, so that every rank can compute any of them.
namespace tessera::perf {

template <class T>
inline constexpr bool is_complex = !std::is_same_v<T, detail::RealOf<T>>;

/// re + i im; a real T drops im.
template <class T>
KOKKOS_FUNCTION T make_scalar(double re, double im) {
  using Real = detail::RealOf<T>;
  if constexpr (is_complex<T>) {
    return T(static_cast<Real>(re), static_cast<Real>(im));
  } else {
    return static_cast<T>(re);
  }
}

/// A number in [0, 1) (splitmix64).
KOKKOS_INLINE_FUNCTION double uniform(std::uint64_t seed, std::int64_t index) {
  std::uint64_t x = seed * 0xD1B54A32D192ED03ULL + static_cast<std::uint64_t>(index) * 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

}  // namespace tessera::perf
