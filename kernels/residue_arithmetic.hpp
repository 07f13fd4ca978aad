// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/moduli.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// What the kernels of residues.cpp and remainders.cpp compute with.
namespace tessera::kernels {

/// Neighbours in a row of residues, which are written together.
struct alignas(4) Quad {
  static constexpr int size = 4;
  std::int8_t residue[size];
};

/// The nearest integer to |x| < 2^22, or, in double precision, 2^51: faster than std::rint.
template <class R>
KOKKOS_INLINE_FUNCTION R nearest(R x) {
  constexpr R units = sizeof(R) == 4 ? R(0x1.8p23) : R(0x1.8p52);  // whose last digit is 1
  return (x + units) - units;
}

/// x modulo p for an integer |x| < 2^23, about p / 2 at most in magnitude. For |x| < 2^21 it fits a byte: no x / p is
/// so close to the middle of two integers that it could be rounded wrongly, but for p = 256, where both are the same
/// byte.
KOKKOS_INLINE_FUNCTION float residue(float x, float p, float inverse) { return x - p * nearest(x * inverse); }

KOKKOS_INLINE_FUNCTION std::int8_t byte(float residue) { return static_cast<std::int8_t>(static_cast<int>(residue)); }

}  // namespace tessera::kernels
