// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_chunks.hpp"
#include "kernels/residues.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// A number from (0, 1) at random (splitmix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators,
/// OOPSLA 2014), of 24 binary digits.
constexpr float threshold_of_term(std::int64_t term) {
  std::uint64_t x = (static_cast<std::uint64_t>(term) + 1) * 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  x ^= x >> 31;
  return (static_cast<float>(x >> 41) + 0.5F) * 0x1p-23F;
}

/// What kernels::Rounding takes for the terms of a chunk. That of a term is the same in all rows of X, so that equal
/// rows stay equal, and depends on its number among all terms alone, not on ranks and chunks.
inline std::vector<float> thresholds_of(const GramChunks& chunks, std::int64_t chunk) {
  std::vector<float> thresholds(static_cast<std::size_t>(kernels::PaddedColumns::padded(chunks.terms(chunk))));
  std::size_t at = 0;
  chunks.for_each_term(chunk, [&](std::int64_t term) { thresholds[at++] = threshold_of_term(term); });
  return thresholds;
}

}  // namespace tessera::detail
