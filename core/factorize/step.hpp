// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/steps.hpp"
#include "core/tuning.hpp"
#include "tessera/detail/integers.hpp"
#include "tessera/distribution.hpp"

#include <cstddef>
#include <vector>

namespace tessera::detail {

/// A step of the factorisation: block column k, and that of the step before.
struct Step {
  TileRange k;
  TileRange previous;
  TileRange together = {};         ///< those that older columns are subtracted from at once, or none
  TileRange before_together = {};  ///< the step before the first of them
};

/// The steps of a factorisation by integers of so many moduli, or by native products if there are none.
template <class MemorySpace>
Steps<MemorySpace> steps_of(const SlabLayout& layout, int moduli) {
  using Tuned = Tuning<MemorySpace>;
  return Steps<MemorySpace>(layout, moduli > 0 ? Tuned::integer_update_width : Tuned::update_width);
}

/// Whose products are made of `integers`.
template <class MemorySpace>
std::vector<Step> steps_in_order(const SlabLayout& layout, const Integers& integers) {
  std::vector<Step> steps;
  for (const TileRange k : steps_of<MemorySpace>(layout, integers.moduli).all()) {
    steps.push_back({k, steps.empty() ? TileRange{} : steps.back().k});
  }
  if (integers.width == 0) return steps;
  const auto slab_of = [&](GlobalTile t) { return layout.slab_of(layout.columns.local_begin(t)); };
  for (std::size_t first = 0, end = 0; end < steps.size(); first = end) {
    TileRange together = steps[first].k;
    for (++end; end < steps.size(); ++end) {
      const TileRange more{together.begin, steps[end].k.end};
      if (layout.columns.extent_of(more) > integers.width || slab_of(steps[end].k.begin) != slab_of(more.begin)) break;
      together = more;
    }
    for (std::size_t i = first; i < end; ++i) {
      steps[i].together = together;
      steps[i].before_together = steps[first].previous;
    }
  }
  return steps;
}

/// The block column before a step's, where this process column owns it, or an empty range: it may still be in work
/// while those before it are subtracted.
constexpr TileRange newest_column(const Step& step, const BlockCyclic& columns) {
  const GlobalTile k = step.k.begin;
  return k > GlobalTile{0} && columns.is_mine(step.previous.begin) ? step.previous : TileRange{k, k};
}

/// Diagonal and panel of the tiles k of a step: one tile by the two lines that name its formulas, several by halves.
template <class Verbs>
void factor(Verbs& verbs, TileRange k) {
  if (k.size() == 1) {
    const auto diagonal = verbs.factor_diagonal(k.begin);  // A(k,k) = L(k,k) L(k,k)^H
    verbs.divide_below(k.begin, diagonal);                 // A(i,k) = A(i,k) L(k,k)^-H, i > k
    return;
  }
  const GlobalTile middle = k.begin + k.size() / 2;
  factor(verbs, {k.begin, middle});
  verbs.subtract({middle, k.end}, {k.begin, middle});
  factor(verbs, {middle, k.end});
}

/// What a step consists of, left-looking: the same verbs on all ranks. StepWriter makes tasks of the verbs;
/// CountedMessages counts what they send.
template <class Verbs>
void describe(const Step& step, Verbs& verbs) {
  const TileRange newest = verbs.newest();
  verbs.subtract_ahead({GlobalTile{0}, newest.begin});  // A(k:,k) -= L(k:,0:k) L(k,0:k)^H, in
  verbs.subtract(step.k, newest);                       // two parts,
  verbs.pass_sum();                                     // on all process columns
  factor(verbs, step.k);                                // A(k:,k) = L(k:,k)
}

}  // namespace tessera::detail
