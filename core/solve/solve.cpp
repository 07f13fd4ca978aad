#include "core/exchange/ring.hpp"
#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/one_device.hpp"
#include "core/timed.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace tessera::detail {

/// L L^H x = b for n x nrhs right-hand sides. L stays where it is; partial sums travel, each along a process row or
/// column to the owner of a diagonal tile, always in the same order.
///
/// Each sweep halves the tiles again and again: solve for one half, subtract it from the other in one large product,
/// solve for that. Chunks of right-hand sides go through it side by side: one works while another waits for a message.
template <class T, class Exec>
class Solve {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Buffers = SolveBuffers<T, Exec>;
  using Message = typename Transfers<Exec>::Message;

  Solve(const Exec& exec, const CholeskyFactor<T, MemorySpace>& factor, T* b, std::int64_t nrhs, const Buffers& buffers,
        Memory<MemorySpace>& memory)
      : l_(factor.l_),
        leaves_(l_.layout()),
        inverses_(factor.inverses()),
        grid_(l_.grid()),
        rows_(l_.rows()),
        columns_(l_.columns()),
        nrhs_(nrhs),
        buffers_(buffers),
        queue_(exec, buffers.blas, memory.blas_handles.updates),
        transfers_(grid_, memory),
        b_(whole(b, rows_.n)),
        at_rows_(grid_.rows() == 1 ? b_ : whole(buffers.rows, rows_.local_extent())),
        at_columns_(grid_.cols() == 1 ? b_ : whole(buffers.columns, columns_.local_extent())) {}

  void run() {
    const auto leaves = static_cast<std::int64_t>(leaves_.all().size());
    const auto make = [&](std::int64_t i, int slot) {
      Program program;
      const auto chunk =
          std::make_shared<Chunk>(Chunk{i * buffers_.chunk, std::min(nrhs_, (i + 1) * buffers_.chunk), slot});
      program.then([this, chunk] { take_in(*chunk); });
      sweep(program, chunk, kernels::Op::none, 0, leaves);  // L y = b
      program.then([this, chunk] { turn_round(*chunk); });
      sweep(program, chunk, kernels::Op::conj_transpose, 0, leaves);  // L^H x = y
      replicate(program, chunk);
      // The next chunk in this slot has its buffers.
      program.when([this, chunk] { return transfers_.done(chunk->sent[0]) && transfers_.done(chunk->sent[1]); }, [] {});
      return program;
    };
    run_programs(
        buffers_.chunks, static_cast<int>(buffers_.slots.size()), make,
        [&] {
          if (transfers_.idle()) return;
          const Region region("tessera::solve::exchange");
          transfers_.progress();
        },
        [&] {
          const Region region("tessera::solve::waiting");
          transfers_.wait_some();
        });
    transfers_.wait();
  }

 private:
  /// Right-hand sides [begin, end), on their way through the sweeps.
  struct Chunk {
    std::int64_t begin;
    std::int64_t end;
    int slot;
    int turn = 0;  // of the two buffers each way
    Message received[2] = {};
    std::vector<Message> sent[2] = {};
    std::int64_t size() const { return end - begin; }
  };
  using ChunkPointer = std::shared_ptr<Chunk>;

  View whole(T* data, std::int64_t rows) const {
    return make_matrix_view<MemorySpace>(data, rows, nrhs_, std::max<std::int64_t>(1, rows));
  }
  static View of(const Chunk& chunk, const View& a, std::int64_t first, std::int64_t count) {
    return block(a, first, first + count, chunk.begin, chunk.end);
  }
  View at_rows(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_rows_, rows_.local_begin(k.begin).value, rows_.extent_of(k));
  }
  View at_columns(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_columns_, columns_.local_begin(k.begin).value, columns_.extent_of(k));
  }
  View b(const Chunk& chunk, TileRange k) const {
    return of(chunk, b_, rows_.begin(k.begin).value, rows_.extent_of(k));
  }

  /// Nothing, where both are the same memory.
  void copy(const View& from, const View& to) {
    if (from.data() != to.data()) kernels::copy<T>(queue_.exec(), from, to);
  }

  typename Buffers::Slot& slot_of(const Chunk& chunk) { return buffers_.slots[static_cast<std::size_t>(chunk.slot)]; }

  /// b, less what has been subtracted, stands on one rank of a process row.
  void take_in(const Chunk& chunk) {
    if (grid_.size() == 1) return;
    for (const TileRange k : leaves_.all()) {
      if (!rows_.is_mine(k.begin)) continue;
      if (columns_.is_mine(k.begin)) {
        copy(b(chunk, k), at_rows(chunk, k));
      } else {
        kernels::set_zero<T>(queue_.exec(), at_rows(chunk, k));
      }
    }
  }

  /// y, less what has been subtracted, stands on one rank of a process column.
  void turn_round(const Chunk& chunk) {
    for (const TileRange k : leaves_.all()) {
      if (columns_.is_mine(k.begin) && !rows_.is_mine(k.begin)) {
        kernels::set_zero<T>(queue_.exec(), at_columns(chunk, k));
      }
    }
  }

  /// L(k,k) x(k) = b(k), or with L(k,k)^H, for the leaves k in [begin, end), from the first or from the last on.
  void sweep(Program& program, const ChunkPointer& chunk, kernels::Op op, std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    if (end - begin == 1) return solve_leaf(program, chunk, op, begin);
    const std::int64_t middle = begin + (end - begin) / 2;
    const auto tiles = [this](std::int64_t first, std::int64_t last) {
      return TileRange{leaf(first).begin, leaf(last - 1).end};
    };
    const bool forward = op == kernels::Op::none;
    forward ? sweep(program, chunk, op, begin, middle) : sweep(program, chunk, op, middle, end);
    subtract(program, chunk, op, tiles(middle, end), tiles(begin, middle));
    forward ? sweep(program, chunk, op, middle, end) : sweep(program, chunk, op, begin, middle);
  }

  TileRange leaf(std::int64_t i) const { return leaves_.all()[static_cast<std::size_t>(i)]; }

  /// b(i) -= L(i,j) y(j), or y(j) -= L(i,j)^H x(i), for this rank's rows of i and columns of j.
  void subtract(Program& program, const ChunkPointer& chunk, kernels::Op op, TileRange i, TileRange j) {
    const LocalIndex first = rows_.local_begin(i.begin);
    const LocalIndex last = rows_.local_begin(i.end);
    if (first == last) return;
    l_.layout().for_each_slab(columns_.local_begin(j.begin), columns_.local_begin(j.end),
                              [&](LocalIndex from, LocalIndex to) {
                                program.then([this, chunk, op, first, last, from, to] {
                                  const Region region("tessera::solve::update");
                                  const View rows = of(*chunk, at_rows_, first.value, last - first);
                                  const View columns = of(*chunk, at_columns_, from.value, to - from);
                                  const bool forward = op == kernels::Op::none;
                                  kernels::gemm<T>(queue_, T(-1), op, l_.view(first, last, from, to), kernels::Op::none,
                                                   forward ? columns : rows, T(1), forward ? rows : columns);
                                });
                              });
  }

  /// What this rank does for one leaf in one sweep: a sum goes along a process row (forward) or column (backward) to
  /// the leaf's owner, and the solution from there along the process column or row.
  struct Part {
    bool owns = false;
    int source = -1;                 // of what arrives, if anything does
    bool receives_solution = false;  // then that is what arrives, else a sum
    std::vector<int> destinations;   // of the solution, at the owner, else of the sum
  };

  /// None, if there is nothing for this rank to do.
  std::optional<Part> part_in(kernels::Op op, TileRange leaf) const {
    const GlobalTile k = leaf.begin;
    const bool forward = op == kernels::Op::none;
    const int owner = grid_.rank_of(rows_.owner(k), columns_.owner(k));
    const auto has_rows_below = [&](int row) { return rows_.seen_from(row).local_extent_from(leaf.end) > 0; };
    const auto has_columns_left = [&](int col) { return columns_.seen_from(col).local_begin(k).value > 0; };
    const auto in_row = [&](int col) { return grid_.rank_of(grid_.row(), col); };
    const auto in_column = [&](int row) { return grid_.rank_of(row, grid_.col()); };
    Part part;
    part.owns = owner == grid_.rank();
    if (forward ? rows_.is_mine(k) : columns_.is_mine(k)) {
      const Ring ring = forward ? make_ring(columns_.owner(k), grid_.cols(), has_columns_left, in_row)
                                : make_ring(rows_.owner(k), grid_.rows(), has_rows_below, in_column);
      const auto beside = neighbours(ring, grid_.rank());
      if (!beside) return std::nullopt;
      part.source = beside->previous;
      if (beside->next >= 0) part.destinations.push_back(beside->next);
    } else if (forward ? columns_.is_mine(k) && has_rows_below(grid_.row()) : rows_.is_mine(k)) {
      part.source = owner;
      part.receives_solution = true;
    } else {
      return std::nullopt;
    }
    if (part.owns) {
      for (int other = 0; other < (forward ? grid_.rows() : grid_.cols()); ++other) {
        const int rank = forward ? in_column(other) : in_row(other);
        if (rank != owner && (!forward || has_rows_below(other))) part.destinations.push_back(rank);
      }
    }
    return part;
  }

  void solve_leaf(Program& program, const ChunkPointer& chunk, kernels::Op op, std::int64_t index) {
    const TileRange k = leaf(index);
    const std::optional<Part> part = part_in(op, k);
    if (!part) return;
    const int turn = chunk->turn;
    chunk->turn = 1 - turn;
    const std::int64_t m = rows_.extent_of(k);
    const std::int64_t count = m * chunk->size();
    if (part->source >= 0) {
      program.then([this, chunk, turn, count, source = part->source] {
        chunk->received[turn] = transfers_.receive(queue_.exec(), slot_of(*chunk).received[turn], count, source,
                                                   {Tag::solution, chunk->slot});
      });
    }
    const auto ready = [this, chunk, turn] {
      return transfers_.done(chunk->received[turn]) && transfers_.done(chunk->sent[turn]);
    };
    program.when(ready, [this, chunk, op, k, index, turn, m, part = *part] {
      const bool forward = op == kernels::Op::none;
      const View arrived = make_matrix_view<MemorySpace>(slot_of(*chunk).received[turn], m, chunk->size(), m);
      if (part.receives_solution) {
        const Region region("tessera::solve::exchange");
        kernels::copy<T>(queue_.exec(), arrived, forward ? at_columns(*chunk, k) : at_rows(*chunk, k));
        return;
      }
      const View sum = forward ? at_rows(*chunk, k) : at_columns(*chunk, k);
      if (part.source >= 0) kernels::add<T>(queue_.exec(), arrived, sum);
      if (!part.owns) return send(*chunk, turn, sum, part.destinations);
      const View solution = forward ? at_columns(*chunk, k) : at_rows(*chunk, k);
      divide(op, index, sum, solution);
      send(*chunk, turn, solution, part.destinations);
    });
  }

  /// y = L(k,k)^-1 b or L(k,k)^-H b; b is lost.
  void divide(kernels::Op op, std::int64_t index, const View& b, const View& y) {
    const Region region("tessera::solve::diagonal");
    const TileRange k = leaf(index);
    const View l = l_.view(rows_.local_begin(k.begin), rows_.local_begin(k.end), columns_.local_begin(k.begin),
                           columns_.local_begin(k.end));
    if constexpr (!kernels::is_host<Exec>) {
      const std::int64_t m = rows_.extent_of(k);
      kernels::SlabsOfL<T> one{m, m, m, {}, leaves_.inverses(inverses_, index)};
      one.slabs[0] = {l.data(), static_cast<std::int64_t>(l.stride(1))};
      kernels::Substitution<Exec>::template run<T>(queue_.exec(), op, one, b, buffers_.substitution);
    } else {
      kernels::trsm_left<T>(queue_, op, l, b);
    }
    copy(b, y);
  }

  void send(Chunk& chunk, int turn, const View& what, const std::vector<int>& destinations) {
    if (destinations.empty()) return;
    const Region region("tessera::solve::exchange");
    const auto rows = static_cast<std::int64_t>(what.extent(0));
    T* const buffer = slot_of(chunk).sent[turn];
    kernels::copy<T>(queue_.exec(), what, make_matrix_view<MemorySpace>(buffer, rows, chunk.size(), rows));
    chunk.sent[turn].clear();
    for (const int destination : destinations) {
      chunk.sent[turn].push_back(transfers_.send(queue_.exec(), static_cast<const T*>(buffer), rows * chunk.size(),
                                                 destination, {Tag::solution, chunk.slot}));
    }
  }

  /// x from this rank's rows, and from those of the other process rows, into b.
  void replicate(Program& program, const ChunkPointer& chunk) {
    program.then([this, chunk] {
      const View mine = of(*chunk, at_rows_, 0, rows_.local_extent());
      grid_.rows() == 1 ? copy(mine, of(*chunk, b_, 0, rows_.n)) : scatter(*chunk, grid_.row(), mine);
    });
    for (int step = 1; step < grid_.rows(); ++step) {
      const int to = (grid_.row() + step) % grid_.rows();
      const int from = (grid_.row() - step + grid_.rows()) % grid_.rows();
      const std::int64_t height = rows_.seen_from(from).local_extent();
      program.then([this, chunk, to, from, height] {
        const Region region("tessera::solve::exchange");
        chunk->received[0] = transfers_.receive(queue_.exec(), slot_of(*chunk).others, height * chunk->size(),
                                                grid_.rank_of(from, grid_.col()), {Tag::rows, chunk->slot});
        const View mine = of(*chunk, at_rows_, 0, rows_.local_extent());
        transfers_.send(queue_.exec(), static_cast<const T*>(mine.data()), static_cast<std::int64_t>(mine.size()),
                        grid_.rank_of(to, grid_.col()), {Tag::rows, chunk->slot});
      });
      program.when([this, chunk] { return transfers_.done(chunk->received[0]); },
                   [this, chunk, from, height] {
                     scatter(*chunk, from,
                             make_matrix_view<MemorySpace>(slot_of(*chunk).others, height, chunk->size(),
                                                           std::max<std::int64_t>(1, height)));
                   });
    }
  }

  /// x at the rows of a process row into b.
  void scatter(const Chunk& chunk, int row, const View& x) {
    const Region region("tessera::solve::exchange");
    const BlockCyclic rows = rows_.seen_from(row);
    for (GlobalTile k{0}; k < rows.tiles_end(); ++k) {
      if (!rows.is_mine(k)) continue;
      const std::int64_t first = rows.local_begin(k).value;
      copy(block(x, first, first + rows.extent(k), 0, chunk.size()), b(chunk, {k, k + 1}));
    }
  }

  const ShardedMatrix<T, MemorySpace>& l_;
  Leaves<MemorySpace> leaves_;
  T* inverses_;
  const ProcessGrid& grid_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  std::int64_t nrhs_;
  Buffers buffers_;
  kernels::Queue<Exec> queue_;
  Transfers<Exec> transfers_;
  View b_;           // b, and in the end x, of all rows; those below are the same where a rank has them all
  View at_rows_;     // forward: b less what has been subtracted; backward: x; at this rank's rows
  View at_columns_;  // forward: y; backward: y less what has been subtracted; at this rank's columns
};

template <class T, class Exec>
void solve(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor, T* b, std::int64_t nrhs,
           Memory<typename Exec::memory_space>& memory, const Schedule& schedule) {
  if (nrhs == 0) return;
  const Region region("tessera::solve");
  const SlabLayout& layout = factor.matrix().layout();
  std::optional<Solve<T, Exec>> solve;
  collectively(factor.grid().communicator(), [&] {
    const auto buffers = take<SolveBuffers<T, Exec>>(memory, layout, nrhs, schedule);
    if constexpr (!kernels::is_host<Exec>) {
      using Short = InTwoLaunches<T, Exec>;
      if (Short::suits(layout, nrhs)) return Short::run(exec, factor, b, nrhs, buffers.substitution);
    }
    solve.emplace(exec, factor, b, nrhs, buffers, memory);
  });
  if (solve) solve->run();
}

#define TESSERA_INSTANTIATE_SOLVE(T, Exec)                                                                           \
  template void solve<T, Exec>(const Exec&, const CholeskyFactor<T, typename Exec::memory_space>&, T*, std::int64_t, \
                               Memory<typename Exec::memory_space>&, const Schedule&);
#define TESSERA_INSTANTIATE_SOLVES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SOLVE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_SOLVES)

}  // namespace tessera::detail
