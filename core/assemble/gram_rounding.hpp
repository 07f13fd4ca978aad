// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_chunks.hpp"
#include "kernels/residues.hpp"
#include "tessera/detail/strided.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

/// A number from (0, 1) at random (splitmix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators,
/// OOPSLA 2014), of 24 binary digits.
KOKKOS_INLINE_FUNCTION constexpr float threshold_of_term(std::int64_t term) {
  std::uint64_t x = (static_cast<std::uint64_t>(term) + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  x ^= x >> 31;
  return (static_cast<float>(x >> 41) + 0.5F) * 0x1p-23F;
}

struct MakeThresholds {
  float* to;
  std::int64_t first;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { to[k] = threshold_of_term(first + k); }
};

/// What kernels::Rounding takes for the terms of a chunk, and zeros for their padding. That of a term is the same in
/// all rows of X, so that equal rows stay equal, and depends on its number among all terms alone, not on ranks and
/// chunks.
template <class Exec>
void make_thresholds(const Exec& exec, const GramChunks& chunks, std::int64_t chunk, float* to) {
  chunks.for_each_numbered(chunk, [&](const GramChunks::Piece& piece, std::int64_t first) {
    Kokkos::parallel_for("tessera::gram::thresholds",
                         Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, piece.terms),
                         MakeThresholds{to + piece.offset, first});
  });
  const std::int64_t terms = chunks.terms(chunk);
  fill("tessera::gram::padding", exec, to + terms, kernels::PaddedColumns::padded(terms) - terms, 0.F);
}

}  // namespace tessera::detail
