// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <concepts>
#include <string>
#include <type_traits>

namespace tessera {
/// @addtogroup pieces
/// @{

/// The scalars that Tessera solves with: float, double, and Kokkos::complex of either.
template <class T>
concept Scalar = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, Kokkos::complex<float>> ||
    std::same_as<T, Kokkos::complex<double>>;

namespace detail {

/// Real scalars and Kokkos::complex ones under one interface.
template <class T>
struct ScalarTraits {
  using Real = T;
  KOKKOS_FUNCTION static Real real(T x) { return x; }
  KOKKOS_FUNCTION static T conj(T x) { return x; }
};
template <class R>
struct ScalarTraits<Kokkos::complex<R>> {
  using Real = R;
  KOKKOS_FUNCTION static Real real(const Kokkos::complex<R>& x) { return x.real(); }
  KOKKOS_FUNCTION static Kokkos::complex<R> conj(const Kokkos::complex<R>& x) { return {x.real(), -x.imag()}; }
};

/// float for float and Kokkos::complex<float>, double for the other two.
template <class T>
using RealOf = typename ScalarTraits<T>::Real;

template <class T>
KOKKOS_FUNCTION RealOf<T> real(const T& x) {
  return ScalarTraits<T>::real(x);
}

template <class T>
KOKKOS_FUNCTION T conj(const T& x) {
  return ScalarTraits<T>::conj(x);
}

/// What ranks compare, and errors show: the same text for the same scalar.
template <class T>
std::string scalar_name() {
  return (std::is_same_v<T, RealOf<T>> ? "real of " : "complex of ") + std::to_string(sizeof(T)) + " bytes";
}

}  // namespace detail
/// @}
}  // namespace tessera
