// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <limits>

// Sizes that a caller's extents lead to, which may be larger than any memory: instead of wrapping around they stay at
// the largest std::int64_t. Nothing that is that large can be allocated (see Memory::reserve).
namespace tessera::detail {

inline constexpr std::int64_t saturated = std::numeric_limits<std::int64_t>::max();

/// a + b for a, b >= 0.
constexpr std::int64_t saturated_sum(std::int64_t a, std::int64_t b) { return a > saturated - b ? saturated : a + b; }

/// a * b for a, b >= 0.
constexpr std::int64_t saturated_product(std::int64_t a, std::int64_t b) {
  return b != 0 && a > saturated / b ? saturated : a * b;
}

/// The next multiple of `unit`.
constexpr std::int64_t saturated_round_up(std::int64_t a, std::int64_t unit) {
  const std::int64_t raised = saturated_sum(a, unit - 1);
  return raised == saturated ? saturated : raised / unit * unit;
}

}  // namespace tessera::detail
