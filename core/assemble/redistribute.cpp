// SPDX-License-Identifier: BSD-3-Clause
#include "core/assemble/redistribute_memory.hpp"
#include "core/assemble/take_in_kernels.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/detail/matrix_source.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace tessera::detail {
namespace {

/// Rows [begin, end) of the caller's A.
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
};

/// A rectangle of one rank's local matrix.
struct Rectangle {
  LocalIndex row_begin;
  LocalIndex row_end;
  LocalIndex column_begin;
  LocalIndex column_end;

  std::int64_t rows() const { return row_end - row_begin; }
  std::int64_t columns() const { return column_end - column_begin; }
  std::int64_t size() const { return rows() * columns(); }
};

std::int64_t total_size(const std::vector<Rectangle>& rectangles) {
  std::int64_t sum = 0;
  for (const Rectangle& rectangle : rectangles) sum += rectangle.size();
  return sum;
}

/// The caller's rows, a chunk of each rank's after the other, to where the matrix has them: as rows or, where the upper
/// triangle is read, as columns.
template <class T, class Exec>
class Redistribution {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;

  Redistribution(const Exec& exec, const BlockSource<T>& source, const RowShards& shards, Matrix& matrix,
                 double diag_shift, Triangle triangle, Memory<MemorySpace>& memory)
      : exec_(exec),
        transfers_(matrix.grid(), memory),
        source_(source),
        shards_(shards),
        matrix_(matrix),
        grid_(matrix.grid()),
        diag_shift_(static_cast<RealOf<T>>(diag_shift)),
        upper_(triangle == Triangle::upper),
        chunk_(source.buffered || grid_.size() > 1 ? rows_per_chunk<T, MemorySpace>(matrix.n())
                                                   : std::max<std::int64_t>(1, matrix.n())),
        buffers_(buffers_in<RedistributeBuffers<T, MemorySpace>>(memory, matrix.layout(), upper_,
                                                                 source.buffered ? source.rows : 0)) {}

  void run() {
    if (grid_.size() > 1)
      clear_above_diagonal(exec_, matrix_);  // a rank that has all of A writes zeros there as it takes it in
    std::int64_t most = 0;
    for (int r = 0; r < grid_.size(); ++r) most = std::max(most, shards_.rows(r));
    for (std::int64_t done = 0; done < most; done += chunk_) exchange_chunk(done);
    exec_.fence();
  }

 private:
  /// A rank's rows in the chunk that begins after `done` of them.
  RowRange chunk_of(int rank, std::int64_t done) const {
    const std::int64_t begin = std::min(shards_.begin(rank) + done, shards_.end(rank));
    return {begin, std::min(begin + chunk_, shards_.end(rank))};
  }

  /// Each rank's rows after `done` of them, at most one chunk: to one rank and from one rank at a time.
  void exchange_chunk(std::int64_t done) {
    const int me = grid_.rank();
    const int ranks = grid_.size();
    const RowRange mine = chunk_of(me, done);
    const CallersTriangle<T> a{ask(mine), mine.begin, upper_, diag_shift_};
    write_into_slabs(a, mine);
    for (int step = 1; step < ranks; ++step) {
      const int to = (me + step) % ranks;
      const int from = (me - step + ranks) % ranks;
      const std::vector<Rectangle> arriving = rectangles(me, chunk_of(from, done));
      const std::vector<Rectangle> leaving = rectangles(to, mine);
      transfers_.receive(exec_, buffers_.incoming, total_size(arriving), from, Tag::rows);
      pack(a, to, leaving);
      transfers_.send(exec_, buffers_.outgoing, total_size(leaving), to, Tag::rows);
      transfers_.wait();
      unpack(arriving);
    }
  }

  Strided<const T> ask(const RowRange& rows) {
    const std::int64_t begin = shards_.begin(grid_.rank());
    return source_.ask(buffers_.rows, {rows.begin - begin, rows.end - begin, 0, matrix_.n()});
  }

  BlockCyclic rows_of(int rank) const { return matrix_.rows().seen_from(grid_.row_of(rank)); }
  BlockCyclic columns_of(int rank) const { return matrix_.columns().seen_from(grid_.col_of(rank)); }

  /// What the caller's rows are in `rank`'s local matrix: a rectangle for each tile that they touch.
  std::vector<Rectangle> rectangles(int rank, const RowRange& range) const {
    const BlockCyclic rows = rows_of(rank);
    const BlockCyclic columns = columns_of(rank);
    const BlockCyclic& axis = upper_ ? columns : rows;
    std::vector<Rectangle> result;
    for (std::int64_t begin = range.begin; begin < range.end;) {
      const GlobalTile tile = axis.tile_of(GlobalIndex{begin});
      const std::int64_t end = std::min(axis.begin(tile + 1).value, range.end);
      if (axis.is_mine(tile)) {
        const LocalIndex first = axis.to_local(GlobalIndex{begin});
        const LocalIndex last = first + (end - begin);
        const Rectangle part = upper_ ? Rectangle{rows.local_begin(tile), LocalIndex{rows.local_extent()}, first, last}
                                      : Rectangle{first, last, LocalIndex{0}, columns.local_begin(tile + 1)};
        if (part.size() > 0) result.push_back(part);
      }
      begin = end;
    }
    return result;
  }

  void write(const CallersTriangle<T>& a, const LocalBlock<T, MemorySpace>& to) {
    const TakeIn<T, MemorySpace> elements{a, to};
    constexpr const char* label = "tessera::redistribute::take_in";
    using Blocks = TakeInBlocks<T, MemorySpace>;
    if constexpr (kernels::is_host<Exec>) {
      if (matrix_.tile_size() >= Blocks::cache_line) {
        const Blocks blocks{elements};
        Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec_, 0, blocks.blocks),
                             blocks);
        return;
      }
    }
    kernels::for_each<T>(label, exec_, to.a, elements);
  }

  /// `body(piece)` for the pieces of a rectangle, one for each slab.
  template <class Body>
  void for_each_slab(const Rectangle& all, const Body& body) {
    matrix_.layout().for_each_slab(all.column_begin, all.column_end, [&](LocalIndex from, LocalIndex to) {
      body(Rectangle{all.row_begin, all.row_end, from, to});
    });
  }

  /// The caller's rows, as far as this rank keeps them.
  void write_into_slabs(const CallersTriangle<T>& a, const RowRange& range) {
    const SlabLayout& layout = matrix_.layout();
    const BlockCyclic& axis = upper_ ? layout.columns : layout.rows;
    const LocalIndex first = axis.local_lower_bound(GlobalIndex{range.begin});
    const LocalIndex last = axis.local_lower_bound(GlobalIndex{range.end});
    const LocalIndex bottom{layout.rows.local_extent()};
    const LocalIndex right{layout.columns.local_extent()};
    for_each_slab(upper_ ? Rectangle{LocalIndex{0}, bottom, first, last} : Rectangle{first, last, LocalIndex{0}, right},
                  [&](const Rectangle& piece) {
                    const LocalIndex slab_top = layout.row_begin(layout.slab_of(piece.column_begin));
                    const LocalIndex top = std::max(piece.row_begin, slab_top);
                    if (!(top < piece.row_end)) return;
                    write(a, matrix_.local_block(top, piece.row_end, piece.column_begin, piece.column_end));
                  });
  }

  /// Rectangles of `rank`'s local matrix, one after the other.
  void pack(const CallersTriangle<T>& a, int rank, const std::vector<Rectangle>& leaving) {
    T* data = buffers_.outgoing;
    for (const Rectangle& part : leaving) {
      write(a, {make_matrix_view<MemorySpace>(data, part.rows(), part.columns(), part.rows()), rows_of(rank),
                columns_of(rank), part.row_begin, part.column_begin});
      data += part.size();
    }
  }

  void unpack(const std::vector<Rectangle>& arriving) {
    T* data = buffers_.incoming;
    for (const Rectangle& part : arriving) {
      const auto arrived = make_matrix_view<MemorySpace>(data, part.rows(), part.columns(), part.rows());
      for_each_slab(part, [&](const Rectangle& piece) {
        kernels::copy<T>(exec_,
                         block(arrived, 0, part.rows(), piece.column_begin - part.column_begin,
                               piece.column_end - part.column_begin),
                         matrix_.view(piece.row_begin, piece.row_end, piece.column_begin, piece.column_end));
      });
      data += part.size();
    }
  }

  Exec exec_;
  Transfers<Exec> transfers_;
  const BlockSource<T>& source_;
  const RowShards& shards_;
  Matrix& matrix_;
  const ProcessGrid& grid_;
  RealOf<T> diag_shift_;
  bool upper_;
  std::int64_t chunk_;  // rows
  RedistributeBuffers<T, MemorySpace> buffers_;
};

}  // namespace

template <class T, class Exec>
void redistribute_rows(const Exec& exec, const BlockSource<T>& source, const RowShards& shards,
                       ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift, Triangle triangle,
                       Memory<typename Exec::memory_space>& memory) {
  const Region region("tessera::redistribute");
  std::optional<Redistribution<T, Exec>> redistribution;
  collectively(matrix.grid().communicator(), [&] {
    require_all_rows(shards, matrix.n(), "a");
    redistribution.emplace(exec, source, shards, matrix, diag_shift, triangle, memory).run();
  });
}

#define TESSERA_INSTANTIATE_REDISTRIBUTE(T, Exec)                                                            \
  template void redistribute_rows<T, Exec>(const Exec&, const BlockSource<T>&, const RowShards&,             \
                                           ShardedMatrix<T, typename Exec::memory_space>&, double, Triangle, \
                                           Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_REDISTRIBUTES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_REDISTRIBUTE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_REDISTRIBUTES)

}  // namespace tessera::detail
