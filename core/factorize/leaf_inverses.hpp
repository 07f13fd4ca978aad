// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "kernels/invert.hpp"
#include "tessera/sharded_matrix.hpp"

#include <cstdint>
#include <vector>

namespace tessera::detail {

/// What a solve by Substitution, where there is one, needs of L: ShardedMatrix::leaf_inverses, for those leaves that
/// have rows from `begin` on.
template <class T, class Exec>
void invert_leaves(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& l, GlobalIndex begin = {0}) {
  using MemorySpace = typename Exec::memory_space;
  const Leaves<MemorySpace> leaves(l.layout());
  std::vector<kernels::TriangleToInvert<T>> mine;
  for (std::size_t i = 0; i < leaves.all().size(); ++i) {
    const TileRange leaf = leaves.all()[i];
    if (l.rows().begin(leaf.end) <= begin) continue;
    if (!l.rows().is_mine(leaf.begin) || !l.columns().is_mine(leaf.begin)) continue;
    const auto block = l.view(l.rows().local_begin(leaf.begin), l.rows().local_begin(leaf.end),
                              l.columns().local_begin(leaf.begin), l.columns().local_begin(leaf.end));
    mine.push_back({block.data(), static_cast<std::int64_t>(block.stride(1)), l.rows().extent_of(leaf),
                    leaves.inverses(l.leaf_inverses(), static_cast<std::int64_t>(i))});
  }
  kernels::invert_blocks<T>(exec, mine);
}

}  // namespace tessera::detail
