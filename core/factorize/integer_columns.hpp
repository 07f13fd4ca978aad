// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/step.hpp"
#include "core/tuning.hpp"
#include "tessera/detail/integers.hpp"
#include "tessera/distribution.hpp"
#include "tessera/options.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

// Which columns keep residues, where memory does not suffice for all. A number of L in column j is multiplied for each
// of the n - j columns after it, once: so the first columns do most for a byte.
namespace tessera::detail {

/// The most columns, in whole steps and not more than `most`, for which `fits(columns)`, where more columns never fit
/// better.
template <class MemorySpace, class Fits>
std::int64_t most_integer_columns(const SlabLayout& layout, int moduli, std::int64_t most, const Fits& fits) {
  const std::vector<TileRange> steps = steps_of<MemorySpace>(layout, moduli).all();
  const auto columns_to = [&](const TileRange& step) { return layout.columns.begin(step.end).value; };
  const auto end = std::partition_point(steps.begin(), steps.end(), [&](const TileRange& step) {
    return columns_to(step) <= most && fits(columns_to(step));
  });
  return end == steps.begin() ? 0 : columns_to(*std::prev(end));
}

/// By integers, if so many columns of n are worth it.
template <class MemorySpace>
Integers integers_with(Arithmetic arithmetic, int moduli, std::int64_t columns, std::int64_t n) {
  const std::int64_t fewest = arithmetic == Arithmetic::fastest ? Tuning<MemorySpace>::fewest_integer_columns(n) : 1;
  return moduli > 0 && columns >= std::min(fewest, n) ? Integers{moduli, columns} : Integers{};
}

}  // namespace tessera::detail
