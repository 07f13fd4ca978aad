// SPDX-License-Identifier: BSD-3-Clause
#include "core/assemble/line_kernels.hpp"
#include "core/assemble/redistribute_memory.hpp"
#include "core/assemble/take_in_kernels.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/detail/matrix_source.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace tessera::detail {
namespace {

/// The caller's rows, whichever they are, a chunk of each rank's after the other: as lines, all that one rank gets of a
/// chunk in one message, which one kernel packs.
template <class T, class Exec>
class NumberedRows {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;

  NumberedRows(const Exec& exec, const BlockSource<T>& source, const RowShards& shards, Matrix& matrix,
               double diag_shift, Triangle triangle, Memory<MemorySpace>& memory)
      : exec_(exec),
        transfers_(matrix.grid(), memory),
        source_(source),
        shards_(shards),
        matrix_(matrix),
        grid_(matrix.grid()),
        diag_shift_(static_cast<RealOf<T>>(diag_shift)),
        upper_(triangle == Triangle::upper),
        chunk_(rows_per_chunk<T, MemorySpace>(matrix.n())),
        buffers_(buffers_in<RedistributeBuffers<T, MemorySpace>>(memory, matrix.layout(), upper_,
                                                                 source.buffered ? source.rows : 0, true)) {}

  void run() {
    clear_above_diagonal(exec_, matrix_);
    std::int64_t most = 0;
    for (int r = 0; r < grid_.size(); ++r) most = std::max(most, shards_.rows(r));
    for (std::int64_t done = 0; done < most; done += chunk_) exchange_chunk(done);
    exec_.fence();
  }

 private:
  /// What one rank's chunk has for another rank, or for itself.
  struct Lines {
    std::vector<Line> all;
    BlockCyclic across;
    std::int64_t size = 0;  // elements

    std::int64_t count() const { return static_cast<std::int64_t>(all.size()); }
  };

  /// Each rank's rows after `done` of them, at most one chunk: to one rank and from one rank at a time.
  void exchange_chunk(std::int64_t done) {
    const int me = grid_.rank();
    const int ranks = grid_.size();
    const std::int64_t begin = std::min(done, source_.rows);
    const std::int64_t end = std::min(done + chunk_, source_.rows);
    const CallersLines<T> callers{source_.ask(buffers_.rows, {begin, end, 0, matrix_.n()}), upper_, diag_shift_};
    write("tessera::redistribute::take_in", callers, lines(me, done, me));
    for (int step = 1; step < ranks; ++step) {
      const int to = (me + step) % ranks;
      const int from = (me - step + ranks) % ranks;
      const Lines arriving = lines(from, done, me);
      const Lines leaving = lines(me, done, to);
      transfers_.receive(exec_, buffers_.incoming, arriving.size, from, Tag::rows);
      pack(callers, leaving);
      transfers_.send(exec_, buffers_.outgoing, leaving.size, to, Tag::rows);
      transfers_.wait();
      write("tessera::redistribute::unpack", PackedLines<T>{buffers_.incoming}, arriving);
    }
  }

  /// The lines of a rank's chunk that begins after `done` of its rows, as far as `owner` has them.
  Lines lines(int rank, std::int64_t done, int owner) const {
    const BlockCyclic rows = matrix_.rows().seen_from(grid_.row_of(owner));
    const BlockCyclic columns = matrix_.columns().seen_from(grid_.col_of(owner));
    const BlockCyclic& along = upper_ ? columns : rows;
    Lines result{{}, upper_ ? rows : columns};
    const std::int64_t begin = std::min(shards_.begin(rank) + done, shards_.end(rank));
    const std::int64_t end = std::min(begin + chunk_, shards_.end(rank));
    for (std::int64_t row = begin; row < end; ++row) {
      const GlobalIndex i{shards_.number(row)};
      const GlobalTile tile = along.tile_of(i);
      if (!along.is_mine(tile)) continue;
      const LocalIndex diagonal = result.across.local_begin(upper_ ? tile : tile + 1);
      const LocalIndex all{result.across.local_extent()};
      result.all.push_back(
          {row - begin, i.value, along.to_local(i), upper_ ? diagonal : LocalIndex{0}, upper_ ? all : diagonal, 0});
    }
    std::sort(result.all.begin(), result.all.end(), [](const Line& a, const Line& b) { return a.number < b.number; });
    for (Line& line : result.all) {
      line.packed = result.size - line.begin.value;
      result.size += line.end - line.begin;
    }
    return result;
  }

  /// Some lines in the memory of `exec`, until the next ones.
  const Line* bring(const Lines& lines) {
    copy_from_host(exec_, lines.all.data(), buffers_.lines, lines.count());
    return buffers_.lines;
  }

  void pack(const CallersLines<T>& callers, const Lines& leaving) {
    move_lines("tessera::redistribute::pack", exec_, callers, PackedLines<T>{buffers_.outgoing}, leaving.across,
               bring(leaving), leaving.count(), LocalIndex{0}, LocalIndex{leaving.across.local_extent()});
  }

  /// Lines of this rank into its slabs.
  template <class From>
  void write(const char* label, const From& from, const Lines& all) {
    const Line* const there = bring(all);
    const SlabLayout& layout = matrix_.layout();
    for (std::int64_t s = 0; s < layout.count(); ++s) {
      const SlabLines<T, MemorySpace> slab{matrix_.slab_block(s).a, layout.row_begin(s), layout.column_begin(s),
                                           upper_};
      // the lines that the slab has elements of
      const auto before = [&](LocalIndex local) {
        return std::lower_bound(all.all.begin(), all.all.end(), local,
                                [](const Line& line, LocalIndex i) { return line.local < i; }) -
               all.all.begin();
      };
      const auto first = before(upper_ ? layout.column_begin(s) : layout.row_begin(s));
      const auto last = upper_ ? before(layout.column_begin(s + 1)) : all.count();
      if (upper_) {
        move_lines(label, exec_, from, slab, all.across, there + first, last - first, layout.row_begin(s),
                   LocalIndex{layout.rows.local_extent()});
      } else {
        move_lines(label, exec_, from, slab, all.across, there + first, last - first, layout.column_begin(s),
                   layout.column_begin(s + 1));
      }
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
void redistribute_numbered_rows(const Exec& exec, const BlockSource<T>& source, const RowShards& shards,
                                ShardedMatrix<T, typename Exec::memory_space>& matrix, double diag_shift,
                                Triangle triangle, Memory<typename Exec::memory_space>& memory) {
  const Region region("tessera::redistribute");
  std::optional<NumberedRows<T, Exec>> rows;
  collectively(matrix.grid().communicator(),
               [&] { rows.emplace(exec, source, shards, matrix, diag_shift, triangle, memory).run(); });
}

#define TESSERA_INSTANTIATE_NUMBERED_ROWS(T, Exec)                                                                    \
  template void redistribute_numbered_rows<T, Exec>(const Exec&, const BlockSource<T>&, const RowShards&,             \
                                                    ShardedMatrix<T, typename Exec::memory_space>&, double, Triangle, \
                                                    Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_ALL_NUMBERED_ROWS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_NUMBERED_ROWS, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_ALL_NUMBERED_ROWS)

}  // namespace tessera::detail
