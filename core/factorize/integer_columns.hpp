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
// of the n - j columns after it, once: so the first columns do most for a byte. On one rank, where few would keep them,
// all residues are made anew instead, for some steps together.
namespace tessera::detail {

/// Whether steps may be updated together: sums, and rows of L, are sent for one at a time; and the rows of all of them
/// are updated, above the diagonal, too, where an array that is adopted has what is the caller's.
inline bool can_be_made_anew(const SlabLayout& layout) {
  return layout.rows.processes * layout.columns.processes == 1 && layout.adopted == 0;
}

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

/// Integers as this rank has memory for: fits(integers).
template <class MemorySpace, class Fits>
Integers integers_that_fit(const SlabLayout& layout, int moduli, std::int64_t most, const Fits& fits) {
  using Tuned = Tuning<MemorySpace>;
  const std::int64_t n = layout.columns.n;
  const Integers kept{moduli, most_integer_columns<MemorySpace>(layout, moduli, most, [&](std::int64_t some) {
                        return fits(Integers{moduli, some});
                      })};
  const Integers anew{moduli, n, Tuned::integer_width};
  const bool are_few = most >= n && kept.columns < Tuned::fewest_kept_columns(n);
  return are_few && can_be_made_anew(layout) && fits(anew) ? anew : kept;
}

/// `integers`, if so many columns of n are worth it.
template <class MemorySpace>
Integers worthwhile(Arithmetic arithmetic, const Integers& integers, std::int64_t n) {
  const std::int64_t fewest = arithmetic == Arithmetic::fastest ? Tuning<MemorySpace>::fewest_integer_columns(n) : 1;
  return integers.columns >= std::min(fewest, n) ? integers : Integers{};
}

}  // namespace tessera::detail
