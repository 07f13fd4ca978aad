#pragma once

#include "core/exchange.hpp"
#include "core/region.hpp"
#include "core/ring.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "kernels/potrf.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace tessera::detail {

/// A rank that owns tiles on the diagonal owns every lcm(rows, cols)-th.
inline std::int64_t diagonal_period(const ProcessGrid& grid) {
  return std::lcm(std::int64_t{grid.rows()}, std::int64_t{grid.cols()});
}

/// The inverses of the diagonal blocks of L(k,k), on the owner of tile (k,k), among those that it keeps.
template <class T, class MemorySpace>
MatrixView<T, MemorySpace> inverses_of(const ShardedMatrix<T, MemorySpace>& l,
                                       const Kokkos::View<T*, MemorySpace>& inverses, GlobalTile k) {
  const std::int64_t m = l.rows().extent(k);
  const std::int64_t before = k.value / diagonal_period(l.grid()) * l.tile_size();
  return make_matrix_view<MemorySpace>(inverses.data() + before * kernels::potrf_block, m, kernels::potrf_block, m);
}

/// The verbs of the factorisation on the block columns of a sharded matrix: what moves between ranks, and where it is
/// kept meanwhile. All are collective over the grid, in the order of the calls.
///
/// Row L(k, left) goes down each process column, the diagonal tile down its owner's, and the sum for a block column
/// along its process rows to the owner. Nothing else of L ever moves.
template <class T, class Exec>
class BlockColumns {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;
  using View = MatrixView<T, MemorySpace>;
  using Buffer = Kokkos::View<T*, MemorySpace>;

  BlockColumns(const Exec& exec, Matrix& a)
      : a_(a),
        grid_(a.grid()),
        rows_(a.rows()),
        columns_(a.columns()),
        queue_(exec, std::int64_t{sizeof(T)} * kernels::trsm_workspace<Exec>(rows_.local_extent() + rows_.tile)),
        transfers_(grid_.communicator(), exec),
        failing_(Kokkos::view_alloc("tessera::factorize::failing", Kokkos::WithoutInitializing)) {
    const std::int64_t height = rows_.local_extent();
    const std::int64_t tile = rows_.tile;
    fill("tessera::factorize::no_failure", exec, failing_.data(), 1, kernels::no_failure);
    diagonal_ = buffer("tessera::factorize::diagonal", tile * (tile + kernels::potrf_block));
    inverses_ = buffer("tessera::factorize::inverses", diagonal_tiles() * tile * kernels::potrf_block);
    if (grid_.rows() > 1) row_ = buffer("tessera::factorize::row", columns_.local_extent() * step_tiles() * tile);
    if (grid_.cols() > 1) {
      sum_ = buffer("tessera::factorize::sum", height * tile);
      arriving_ = buffer("tessera::factorize::arriving", height * tile);
    }
  }

  const Communicator& communicator() const { return grid_.communicator(); }
  std::int64_t n() const { return rows_.n; }
  std::int64_t columns_before(GlobalTile k) const { return columns_.begin(k).value; }
  const Buffer& inverses() const { return inverses_; }

  /// The block columns in which A is updated: several narrow tiles together where one process column has them all, but
  /// none across slabs.
  std::vector<TileRange> steps() const {
    std::vector<TileRange> result;
    const std::int64_t slab_tiles = std::max<std::int64_t>(1, a_.layout().slab / rows_.tile);
    for (GlobalTile k{0}; k < rows_.tiles_end();) {
      GlobalTile end = std::min(k + step_tiles(), rows_.tiles_end());
      if (grid_.cols() == 1) end = std::min(end, GlobalTile{(k.value / slab_tiles + 1) * slab_tiles});
      result.push_back({k, end});
      k = end;
    }
    return result;
  }

  /// A(k:,k) -= L(k:,left) L(k,left)^H; k is one step or a part of one, `left` the tiles before it or a part of them.
  void subtract(TileRange k, TileRange left) {
    if (left.empty()) return;
    const Region region("tessera::factorize::update");
    const LocalIndex begin = columns_.local_begin(left.begin);
    const LocalIndex end = columns_.local_begin(left.end);
    send_row(k, left);
    const LocalIndex top = rows_.local_begin(k.begin);
    const std::int64_t height = rows_.local_extent() - top.value;
    const bool owner = columns_.is_mine(k.begin);
    const bool contributes = begin < end;
    if (height == 0 || !(owner || contributes)) return;

    const std::int64_t width = columns_.extent_of(k);
    const View target = owner ? below(k, k.begin) : make_matrix_view<MemorySpace>(sum_.data(), height, width, height);
    T beta(owner ? 1 : 0);
    a_.layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
      subtract_share(k, from, to, begin, end - begin, beta, target);
      beta = T(1);
    });
    if (grid_.cols() == 1) return;
    const Ring ring = make_ring(
        columns_.owner(k.begin), grid_.cols(),
        [&](int col) { return columns_.seen_from(col).local_begin(k.begin).value > 0; },
        [&](int col) { return grid_.rank_of(grid_.row(), col); });
    sum_along<T>(ring, grid_.rank(), queue_, transfers_, Tag::sum, target, arriving_.data());
  }

  /// A(k,k) = L(k,k) L(k,k)^H on its owner, from where L(k,k) goes down the process column.
  void factor_diagonal(GlobalTile k) {
    if (!columns_.is_mine(k)) return;
    const Region region("tessera::factorize::diagonal");
    const std::int64_t m = rows_.extent(k);
    if (rows_.is_mine(k)) {
      const View tile = a_.tile(k, k);
      const View inverse_blocks = diagonal_inverses(m);
      kernels::potrf<T>(queue_, tile, inverse_blocks, rows_.begin(k).value, failing_);
      kernels::copy<T>(queue_, tile, diagonal_tile(m));
      for (int row = 0; row < grid_.rows(); ++row) {
        if (row != grid_.row() && rows_below(row, k + 1) > 0) {
          transfers_.send(diagonal_.data(), m * (m + kernels::potrf_block), grid_.rank_of(row, grid_.col()),
                          Tag::diagonal);
        }
      }
      kernels::copy<T>(queue_, inverse_blocks, inverses_of(a_, inverses_, k));
    } else if (rows_below(grid_.row(), k + 1) > 0) {
      transfers_.receive(diagonal_.data(), m * (m + kernels::potrf_block), grid_.rank_of(rows_.owner(k), grid_.col()),
                         Tag::diagonal);
    }
    transfers_.wait();
  }

  /// A(i,k) = A(i,k) L(k,k)^-H for the tiles i > k.
  void divide_below(GlobalTile k) {
    if (!columns_.is_mine(k)) return;
    const Region region("tessera::factorize::panel");
    const std::int64_t m = rows_.extent(k);
    kernels::trsm<T>(queue_, kernels::Side::right, kernels::Op::conj_transpose, diagonal_tile(m), diagonal_inverses(m),
                     below({k, k + 1}, k + 1));
  }

  /// Collective: 0, or the order of the first leading minor that is not positive definite.
  std::int64_t leading_minor() {
    std::int64_t minor = 0;
    Kokkos::deep_copy(queue_.exec(),
                      Kokkos::View<std::int64_t, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(&minor),
                      failing_);
    queue_.exec().fence();
    communicator().all_reduce_min(&minor, 1);
    return minor == kernels::no_failure ? 0 : minor;
  }

 private:
  static Buffer buffer(const char* label, std::int64_t size) {
    return Buffer(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing), static_cast<std::size_t>(size));
  }

  std::int64_t step_tiles() const {
    return grid_.cols() == 1 ? std::max<std::int64_t>(1, Tuning<MemorySpace>::update_width / rows_.tile) : 1;
  }

  std::int64_t diagonal_tiles() const {
    const std::int64_t period = diagonal_period(grid_);
    return (rows_.tiles_end().value + period - 1) / period;
  }

  View diagonal_tile(std::int64_t m) const { return make_matrix_view<MemorySpace>(diagonal_.data(), m, m, m); }
  View diagonal_inverses(std::int64_t m) const {
    return make_matrix_view<MemorySpace>(diagonal_.data() + m * m, m, kernels::potrf_block, m);
  }

  std::int64_t rows_below(int row, GlobalTile k) const {
    const BlockCyclic rows = rows_.seen_from(row);
    return rows.local_extent() - rows.local_begin(k).value;
  }

  /// This rank's rows from tile `top` on, in the block column `k`, which it owns.
  View below(TileRange k, GlobalTile top) const {
    return a_.view(rows_.local_begin(top), LocalIndex{rows_.local_extent()}, columns_.local_begin(k.begin),
                   columns_.local_begin(k.end));
  }

  /// L(k,left)^H, tile by tile, from its owners to the process rows below, into row_: a column of it is a row of L, so
  /// that each tile is one message, and lands where gemm wants it.
  void send_row(TileRange k, TileRange left) {
    if (grid_.rows() == 1) return;
    const LocalIndex begin = columns_.local_begin(left.begin);
    const LocalIndex end = columns_.local_begin(left.end);
    const std::int64_t depth = end - begin;
    if (depth == 0) return;
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      T* part = row_.data() + depth * (rows_.begin(t) - rows_.begin(k.begin));
      const std::int64_t count = depth * rows_.extent(t);
      if (!rows_.is_mine(t)) {
        if (rows_below(grid_.row(), k.begin) > 0) {
          transfers_.receive(part, count, grid_.rank_of(rows_.owner(t), grid_.col()), Tag::factor_row);
        }
        continue;
      }
      const View transposed = make_matrix_view<MemorySpace>(part, depth, rows_.extent(t), depth);
      a_.layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
        kernels::conj_transpose<T>(queue_, a_.view(rows_.local_begin(t), rows_.local_begin(t + 1), from, to),
                                   block(transposed, from - begin, to - begin, 0, rows_.extent(t)));
      });
      for (int row = 0; row < grid_.rows(); ++row) {
        if (row != grid_.row() && rows_below(row, k.begin) > 0) {
          transfers_.send(static_cast<const T*>(part), count, grid_.rank_of(row, grid_.col()), Tag::factor_row);
        }
      }
    }
    transfers_.wait();
  }

  /// target = beta target - L(k:, c) L(k, c)^H for the local columns c = [from, to), which lie in one slab. On the
  /// diagonal only the lower triangle is computed: by herk where one rank has all rows of k, else tile by tile.
  void subtract_share(TileRange k, LocalIndex from, LocalIndex to, LocalIndex depth_begin, std::int64_t depth, T beta,
                      const View& target) {
    const LocalIndex top = rows_.local_begin(k.begin);
    const std::int64_t run = grid_.rows() == 1 ? k.size() : 1;
    for (GlobalTile t = k.begin; t < k.end; t = t + run) {
      if (!rows_.is_mine(t)) continue;
      const LocalIndex first = rows_.local_begin(t);
      const LocalIndex last = rows_.local_begin(t + run);
      const std::int64_t left = rows_.begin(t) - rows_.begin(k.begin);
      const std::int64_t width = rows_.extent_of({t, t + run});
      const View l = a_.view(first, last, from, to);
      multiply(k, l, from, to, depth_begin, depth, beta, block(target, first - top, last - top, 0, left));
      kernels::herk<T>(queue_, T(-1), l, beta, block(target, first - top, last - top, left, left + width));
    }
    const LocalIndex first = rows_.local_begin(k.end);
    const LocalIndex last{rows_.local_extent()};
    if (first == last) return;
    multiply(k, a_.view(first, last, from, to), from, to, depth_begin, depth, beta,
             block(target, first - top, last - top, 0, columns_.extent_of(k)));
  }

  /// target = beta target - l L(k, c)^H, for as many of k's columns as the target has.
  void multiply(TileRange k, const View& l, LocalIndex from, LocalIndex to, LocalIndex depth_begin, std::int64_t depth,
                T beta, const View& target) {
    const auto width = static_cast<std::int64_t>(target.extent(1));
    if (grid_.rows() == 1) {
      const LocalIndex top = rows_.local_begin(k.begin);
      kernels::gemm<T>(queue_, T(-1), kernels::Op::none, l, kernels::Op::conj_transpose,
                       a_.view(top, top + width, from, to), beta, target);
    } else {
      const View row = make_matrix_view<MemorySpace>(row_.data(), depth, width, depth);
      kernels::gemm<T>(queue_, T(-1), kernels::Op::none, l, kernels::Op::none,
                       block(row, from - depth_begin, to - depth_begin, 0, width), beta, target);
    }
  }

  Matrix& a_;
  const ProcessGrid& grid_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  kernels::Queue<Exec> queue_;
  Transfers<Exec> transfers_;
  kernels::FailingMinor<Exec> failing_;
  Buffer diagonal_;  // L(k,k), and the inverses of its diagonal blocks
  Buffer inverses_;
  Buffer row_;
  Buffer sum_;
  Buffer arriving_;
};

}  // namespace tessera::detail
