// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/steps.hpp"
#include "kernels/backend.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/detail/saturated.hpp"
#include "tessera/distribution.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace tessera::detail {

/// The diagonal blocks of L that a solve takes in one piece, one after the other: tiles, or on a device alone, whose
/// kernels are slow to start, as many as a step of the factorisation has. For Substitution the inverses of their
/// diagonal blocks are kept.
template <class MemorySpace>
class Leaves {
 public:
  explicit Leaves(const SlabLayout& layout) : period_(std::lcm(layout.rows.processes, layout.columns.processes)) {
    const Steps<MemorySpace> steps(layout);
    const bool alone = layout.rows.processes * layout.columns.processes == 1;
    if (has_inverses && alone) {
      leaves_ = steps.all();
      width_ = std::min(steps.width(), layout.slab);
    } else {
      for (GlobalTile k{0}; k < layout.rows.tiles_end(); ++k) leaves_.push_back({k, k + 1});
      width_ = layout.rows.tile;
    }
  }

  const std::vector<TileRange>& all() const { return leaves_; }

  std::int64_t width() const { return width_; }  ///< no leaf has more rows

  /// Elements of the inverses on a rank that has leaves: every period-th.
  template <class T>
  std::int64_t inverses_size() const {
    const auto count = static_cast<std::int64_t>(leaves_.size());
    return has_inverses ? (count + period_ - 1) / period_ * kernels::inverses_size<T>(width_) : 0;
  }

  /// Those of leaf number i, on the rank that has it.
  template <class T>
  T* inverses(T* all, std::int64_t i) const {
    return all + i / period_ * kernels::inverses_size<T>(width_);
  }

  static constexpr bool has_inverses = !kernels::is_host<typename MemorySpace::execution_space>;

 private:
  std::vector<TileRange> leaves_;
  std::int64_t width_;
  std::int64_t period_;
};

/// The bytes that a matrix takes on this rank, with the inverses that its factor will have.
template <class T, class MemorySpace>
std::int64_t bytes_with_inverses(const ShardedMatrix<T, MemorySpace>& matrix) {
  const std::int64_t inverses = Leaves<MemorySpace>(matrix.layout().full()).template inverses_size<T>();
  return saturated_sum(saturated_round_up(matrix.bytes(), 8),
                       saturated_round_up(inverses * std::int64_t{sizeof(T)}, 8));
}

}  // namespace tessera::detail
