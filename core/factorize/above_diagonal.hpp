// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/factorize/step.hpp"
#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/sharded_matrix.hpp"

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// Part of a matrix that begins on its diagonal, and what was above that.
template <class T, class MemorySpace>
struct BlockOnDiagonal {
  MatrixView<T, MemorySpace> a;
  MatrixView<T, MemorySpace> kept;
};
template <class T, class MemorySpace>
struct TakeAbove {
  BlockOnDiagonal<T, MemorySpace> block;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    if (i >= j) return;
    block.kept(i, j) = block.a(i, j);
    block.a(i, j) = T(0);
  }
};
template <class T, class MemorySpace>
struct GiveBackAbove {
  BlockOnDiagonal<T, MemorySpace> block;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    if (i < j) block.a(i, j) = block.kept(i, j);
  }
};

/// Keeps what stands above the diagonal of an array that is adopted, as long as it lives: there sums and products of
/// whole block columns want numbers that are finite, and leave others.
template <class T, class Exec>
class AboveDiagonal {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;

  /// Elements that this rank keeps; none of a matrix in memory of its own.
  static std::int64_t size(const SlabLayout& layout, int moduli) {
    std::int64_t sum = 0;
    for_each_block(layout, moduli, [&](TileRange rows, TileRange columns) {
      sum += layout.rows.extent_of(rows) * layout.columns.extent_of(columns);
    });
    return sum;
  }

  /// Takes what is there to `memory`, and leaves zeros. It does not refer to the matrix, but to the array.
  AboveDiagonal(const Exec& exec, const ShardedMatrix<T, MemorySpace>& a, int moduli, T* memory)
      : AboveDiagonal(exec) {  // which is destroyed, if anything below throws
    for_each_block(a.layout(), moduli, [&](TileRange rows, TileRange columns) {
      const LocalIndex row = a.rows().local_begin(rows.begin);
      const LocalIndex column = a.columns().local_begin(columns.begin);
      const std::int64_t height = a.rows().extent_of(rows);
      const std::int64_t width = a.columns().extent_of(columns);
      const View kept = make_matrix_view<MemorySpace>(memory, height, width, height);
      blocks_.push_back({a.view(row, row + height, column, column + width), kept});
      memory += height * width;
    });
    for (; taken_ < blocks_.size(); ++taken_) {
      const Block& block = blocks_[taken_];
      kernels::for_each<T>("tessera::factorize::take_above", exec_, block.a, TakeAbove<T, MemorySpace>{block});
    }
  }
  AboveDiagonal(const AboveDiagonal&) = delete;
  AboveDiagonal& operator=(const AboveDiagonal&) = delete;
  /// Where an exception has ended the factorisation, kernels of other instances may still run.
  ~AboveDiagonal() {
    if (taken_ == 0) return;
    try {
      Kokkos::fence();
      give_back();
    } catch (...) {  // as the one that is on its way, it is the device's
    }
  }

  /// All is as it was; complete when it returns. What writes to the matrix must be.
  void give_back() {
    for (std::size_t i = 0; i < taken_; ++i) {
      const Block& block = blocks_[i];
      kernels::for_each<T>("tessera::factorize::give_back_above", exec_, block.a, GiveBackAbove<T, MemorySpace>{block});
    }
    if (taken_ > 0) exec_.fence();
    taken_ = 0;
  }

 private:
  explicit AboveDiagonal(const Exec& exec) : exec_(exec) {}

  using Block = BlockOnDiagonal<T, MemorySpace>;

  /// body(rows, columns) for the tiles of each block in which the factorisation writes: rows of a step, from the
  /// diagonal on. On the host native updates and panels are cut along the diagonal, and only a sum that other process
  /// columns have a share of is added as a whole.
  template <class Body>
  static void for_each_block(const SlabLayout& layout, int moduli, const Body& body) {
    if (layout.adopted == 0) return;
    if (kernels::is_host<Exec> && moduli == 0 && layout.columns.processes == 1) return;
    for (const TileRange& k : steps_of<MemorySpace>(layout, moduli).all()) {
      if (!layout.columns.is_mine(k.begin)) continue;
      const std::int64_t run = layout.rows.processes == 1 ? k.size() : 1;  // tiles that are neighbours here, too
      for (GlobalTile t = k.begin; t < k.end; t = t + run) {
        if (layout.rows.is_mine(t)) body(TileRange{t, t + run}, TileRange{t, k.end});
      }
    }
  }

  Exec exec_;
  std::vector<Block> blocks_;
  std::size_t taken_ = 0;  // of them
};

}  // namespace tessera::detail
