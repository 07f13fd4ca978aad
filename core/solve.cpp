#include "core/block_columns.hpp"
#include "core/ring.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <optional>

namespace tessera::detail {

/// L L^H x = b for n x nrhs right-hand sides. L stays where it is; partial sums travel, each along a process row or
/// column to the owner of a diagonal tile, always in the same order.
template <class T, class Exec>
class Solve {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Buffer = Kokkos::View<T*, MemorySpace>;

  Solve(const Exec& exec, const CholeskyFactor<T, MemorySpace>& factor, T* b, std::int64_t nrhs)
      : factor_(factor),
        l_(factor.l_),
        grid_(l_.grid()),
        rows_(l_.rows()),
        columns_(l_.columns()),
        nrhs_(nrhs),
        queue_(exec, std::int64_t{sizeof(T)} * kernels::trsm_workspace<Exec>(nrhs)),
        transfers_(grid_.communicator(), exec),
        b_(make_matrix_view<MemorySpace>(b, rows_.n, nrhs, std::max<std::int64_t>(1, rows_.n))),
        y_storage_(buffer("tessera::solve::y", columns_.local_extent())),
        x_storage_(buffer("tessera::solve::x", rows_.local_extent())),
        sum_(buffer("tessera::solve::sum", rows_.tile)),
        arriving_(buffer("tessera::solve::arriving", rows_.tile)),
        tile_(buffer("tessera::solve::tile", rows_.tile)),
        y_(whole(y_storage_, columns_.local_extent())),
        x_(whole(x_storage_, rows_.local_extent())) {}

  void run() {
    for (GlobalTile k{0}; k < rows_.tiles_end(); ++k) {
      forward(k);  // y(k) = L(k,k)^-1 (b(k) - L(k,0:k) y(0:k))
    }
    for (GlobalTile k = rows_.tiles_end(); k > GlobalTile{0};) {
      backward(--k);  // x(k) = L(k,k)^-H (y(k) - L(k+1:,k)^H x(k+1:))
    }
  }

 private:
  Buffer buffer(const char* label, std::int64_t rows) const {
    return Buffer(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing),
                  static_cast<std::size_t>(rows * nrhs_));
  }
  View whole(const Buffer& buffer, std::int64_t rows) const {
    return make_matrix_view<MemorySpace>(buffer.data(), rows, nrhs_, std::max<std::int64_t>(1, rows));
  }
  View of_rows(const View& a, LocalIndex begin, std::int64_t count) const {
    return block(a, begin.value, begin.value + count, 0, nrhs_);
  }
  bool is_owner(GlobalTile k) const { return rows_.is_mine(k) && columns_.is_mine(k); }
  int owner(GlobalTile k) const { return grid_.rank_of(rows_.owner(k), columns_.owner(k)); }
  View b(GlobalTile k) const { return of_rows(b_, LocalIndex{rows_.begin(k).value}, rows_.extent(k)); }
  bool has_rows_below(int row, GlobalTile k) const {
    const BlockCyclic rows = rows_.seen_from(row);
    return rows.local_begin(k + 1).value < rows.local_extent();
  }
  bool has_columns_left(int col, GlobalTile k) const { return columns_.seen_from(col).local_begin(k).value > 0; }

  void forward(GlobalTile k) {
    const std::int64_t m = rows_.extent(k);
    const View y = of_rows(y_, columns_.local_begin(k), columns_.is_mine(k) ? m : 0);
    if (rows_.is_mine(k) && (is_owner(k) || has_columns_left(grid_.col(), k))) {
      const View sum = whole(sum_, m);
      T beta(0);
      if (is_owner(k)) {
        kernels::copy<T>(queue_, b(k), sum);
        beta = T(1);
      }
      l_.layout().for_each_slab(LocalIndex{0}, columns_.local_begin(k), [&](LocalIndex from, LocalIndex to) {
        kernels::gemm<T>(queue_, T(-1), kernels::Op::none,
                         l_.view(rows_.local_begin(k), rows_.local_begin(k + 1), from, to), kernels::Op::none,
                         of_rows(y_, from, to - from), beta, sum);
        beta = T(1);
      });
      const Ring ring = make_ring(
          columns_.owner(k), grid_.cols(), [&](int col) { return has_columns_left(col, k); },
          [&](int col) { return grid_.rank_of(grid_.row(), col); });
      sum_along<T>(ring, grid_.rank(), queue_, transfers_, Tag::sum, sum, arriving_.data());
      if (is_owner(k)) divide(k, kernels::Op::none, sum, y);
    }
    if (!columns_.is_mine(k)) return;
    send_tile(k, y,
              [&](int rank) { return rank % grid_.cols() == grid_.col() && has_rows_below(rank / grid_.cols(), k); });
  }

  void backward(GlobalTile k) {
    const std::int64_t m = rows_.extent(k);
    if (columns_.is_mine(k) && (is_owner(k) || has_rows_below(grid_.row(), k))) {
      const View sum = whole(sum_, m);
      const LocalIndex column = columns_.local_begin(k);
      const LocalIndex below = rows_.local_begin(k + 1);
      if (is_owner(k)) kernels::copy<T>(queue_, of_rows(y_, column, m), sum);
      const std::int64_t height = rows_.local_extent() - below.value;
      kernels::gemm<T>(queue_, T(-1), kernels::Op::conj_transpose, l_.view(below, below + height, column, column + m),
                       kernels::Op::none, of_rows(x_, below, height), T(is_owner(k) ? 1 : 0), sum);
      const Ring ring = make_ring(
          rows_.owner(k), grid_.rows(), [&](int row) { return has_rows_below(row, k); },
          [&](int row) { return grid_.rank_of(row, grid_.col()); });
      sum_along<T>(ring, grid_.rank(), queue_, transfers_, Tag::sum, sum, arriving_.data());
      if (is_owner(k)) divide(k, kernels::Op::conj_transpose, sum, b(k));
    }
    send_tile(k, b(k), [](int) { return true; });
    if (rows_.is_mine(k)) kernels::copy<T>(queue_, b(k), of_rows(x_, rows_.local_begin(k), m));
  }

  /// result = op(L(k,k))^-1 v, on the owner; v is overwritten.
  void divide(GlobalTile k, kernels::Op op, const View& v, const View& result) {
    kernels::trsm<T>(queue_, kernels::Side::left, op, l_.tile(k, k), inverses_of(l_, factor_.inverses_, k), v);
    kernels::copy<T>(queue_, v, result);
  }

  /// `tile` from the owner of tile (k,k) to the other ranks that need it.
  template <class Needs>
  void send_tile(GlobalTile k, const View& tile, const Needs& needs) {
    const std::int64_t m = rows_.extent(k);
    const View message = whole(tile_, m);
    if (is_owner(k)) {
      kernels::copy<T>(queue_, tile, message);
      for (int rank = 0; rank < grid_.size(); ++rank) {
        if (rank != grid_.rank() && needs(rank)) {
          transfers_.send(static_cast<const T*>(tile_.data()), m * nrhs_, rank, Tag::solution);
        }
      }
      transfers_.wait();
    } else if (needs(grid_.rank())) {
      transfers_.receive(tile_.data(), m * nrhs_, owner(k), Tag::solution);
      transfers_.wait();
      kernels::copy<T>(queue_, message, tile);
    }
  }

  const CholeskyFactor<T, MemorySpace>& factor_;
  const ShardedMatrix<T, MemorySpace>& l_;
  const ProcessGrid& grid_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  std::int64_t nrhs_;
  kernels::Queue<Exec> queue_;
  Transfers<Exec> transfers_;
  View b_;  // b, and in the end x, of all rows
  Buffer y_storage_;
  Buffer x_storage_;
  Buffer sum_;
  Buffer arriving_;
  Buffer tile_;
  View y_;  // y at this rank's columns
  View x_;  // x at this rank's rows
};

template <class T, class Exec>
void solve(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor, T* b, std::int64_t nrhs) {
  if (nrhs == 0) return;
  const Region region("tessera::solve");
  std::optional<Solve<T, Exec>> solve;
  collectively(factor.grid().communicator(), [&] { solve.emplace(exec, factor, b, nrhs); });
  solve->run();
}

#define TESSERA_INSTANTIATE_SOLVE(T, Exec) \
  template void solve<T, Exec>(const Exec&, const CholeskyFactor<T, typename Exec::memory_space>&, T*, std::int64_t);
#define TESSERA_INSTANTIATE_SOLVES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SOLVE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_SOLVES)

}  // namespace tessera::detail
