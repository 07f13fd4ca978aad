#include "core/exchange/ring_sum.hpp"
#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/one_device.hpp"
#include "core/solve/sweep.hpp"
#include "core/timed.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <algorithm>
#include <functional>
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
      : l_(factor.matrix()),
        leaves_(l_.layout()),
        inverses_(FactorAccess<T, MemorySpace>::inverses(factor)),
        grid_(l_.grid()),
        rows_(l_.rows()),
        columns_(l_.columns()),
        nrhs_(nrhs),
        buffers_(buffers),
        queue_(exec, buffers.blas, memory.blas_handles.updates),
        transfers_(grid_, memory),
        forward_(grid_, l_.layout(), kernels::Op::none),
        backward_(grid_, l_.layout(), kernels::Op::conj_transpose),
        b_(whole(b, rows_.n)),
        at_rows_(grid_.rows() == 1 ? b_ : whole(buffers.rows, rows_.local_extent())),
        at_columns_(grid_.cols() == 1 ? b_ : whole(buffers.columns, columns_.local_extent())) {}

  void run() {
    const auto tasks_of = [&](std::int64_t i, int slot) {
      TaskList tasks;
      const auto chunk =
          std::make_shared<Chunk>(Chunk{i * buffers_.chunk, std::min(nrhs_, (i + 1) * buffers_.chunk), slot});
      const LeafRange all{0, static_cast<std::int64_t>(leaves_.all().size())};
      tasks.then([this, chunk] { take_in(*chunk); });
      solve_for(tasks, chunk, forward_, all);  // L y = b
      tasks.then([this, chunk] { turn_round(*chunk); });
      solve_for(tasks, chunk, backward_, all);  // L^H x = y
      replicate(tasks, chunk);
      // The next chunk in this slot has its buffers.
      tasks.wait_for([this, chunk] { return transfers_.done(chunk->sent[0]) && transfers_.done(chunk->sent[1]); });
      return tasks;
    };
    run_task_lists(
        buffers_.chunks, static_cast<int>(buffers_.slots.size()), tasks_of,
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

  struct LeafRange {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t size() const { return end - begin; }
  };

  View whole(T* data, std::int64_t rows) const {
    return make_matrix_view<MemorySpace>(data, rows, nrhs_, std::max<std::int64_t>(1, rows));
  }
  static View of(const Chunk& chunk, const View& a, std::int64_t first, std::int64_t count) {
    return block(a, first, first + count, chunk.begin, chunk.end);
  }
  // Of a leaf; nothing on a rank that does not have its rows, or columns.
  View at_rows(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_rows_, rows_.local_begin(k.begin).value, rows_.is_mine(k.begin) ? rows_.extent_of(k) : 0);
  }
  View at_columns(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_columns_, columns_.local_begin(k.begin).value,
              columns_.is_mine(k.begin) ? columns_.extent_of(k) : 0);
  }
  View b(const Chunk& chunk, TileRange k) const {
    return of(chunk, b_, rows_.begin(k.begin).value, rows_.extent_of(k));
  }

  /// Nothing, where both are the same memory.
  void copy(const View& from, const View& to) {
    if (from.data() != to.data()) kernels::copy<T>(queue_.exec(), from, to);
  }

  typename Buffers::OfSlot& buffers_of(const Chunk& chunk) {
    return buffers_.slots[static_cast<std::size_t>(chunk.slot)];
  }

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

  /// The leaves of a range, in the order of the sweep: one half, its products with the other half's rows, that half.
  void solve_for(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, const LeafRange& leaves) {
    if (leaves.size() == 0) return;
    if (leaves.size() == 1) return solve_leaf(tasks, chunk, sweep, leaves.begin);
    const std::int64_t middle = leaves.begin + leaves.size() / 2;
    const LeafRange upper{leaves.begin, middle};
    const LeafRange lower{middle, leaves.end};
    const auto [first, second] = sweep.in_order(upper, lower);
    solve_for(tasks, chunk, sweep, first);
    subtract(tasks, chunk, sweep, tiles_of(lower), tiles_of(upper));
    solve_for(tasks, chunk, sweep, second);
  }

  TileRange leaf(std::int64_t i) const { return leaves_.all()[static_cast<std::size_t>(i)]; }
  TileRange tiles_of(const LeafRange& leaves) const { return {leaf(leaves.begin).begin, leaf(leaves.end - 1).end}; }

  /// b(i) -= L(i,j) y(j), or y(j) -= L(i,j)^H x(i), for this rank's rows of i and columns of j.
  void subtract(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, TileRange i, TileRange j) {
    const LocalIndex first = rows_.local_begin(i.begin);
    const LocalIndex last = rows_.local_begin(i.end);
    if (first == last) return;
    l_.layout().for_each_slab(
        columns_.local_begin(j.begin), columns_.local_begin(j.end), [&](LocalIndex from, LocalIndex to) {
          const auto [sums, solutions] = sweep.sides(of(*chunk, at_rows_, first.value, last - first),
                                                     of(*chunk, at_columns_, from.value, to - from));
          tasks.then([this, op = sweep.op(), l = l_.view(first, last, from, to), to_sums = sums, from_y = solutions] {
            const Region region("tessera::solve::update");
            kernels::gemm<T>(queue_, T(-1), op, l, kernels::Op::none, from_y, T(1), to_sums);
          });
        });
  }

  /// What this rank does for one leaf: it adds to the sum on its way to the owner, who divides, or takes the solution
  /// in. Two leaves are on their way at a time: what is sent of one has left before its buffers serve the next but one.
  void solve_leaf(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, std::int64_t index) {
    const TileRange k = leaf(index);
    const std::optional<Sweep::Role> role = sweep.role(k);
    if (!role) return;
    const int turn = chunk->turn;
    chunk->turn = 1 - turn;
    const Tag tag{Tag::solution, chunk->slot};
    T* const buffer = buffers_of(*chunk).received[turn];
    const auto [sum, solution] = sweep.sides(at_rows(*chunk, k), at_columns(*chunk, k));
    const auto buffers_are_free = [this, chunk, turn] { return transfers_.done(chunk->sent[turn]); };
    const auto arrived = [this, chunk, turn] { return transfers_.done(chunk->received[turn]); };
    if (role->solution_from >= 0) {
      const std::int64_t m = rows_.extent_of(k);
      const View message = make_matrix_view<MemorySpace>(buffer, m, chunk->size(), m);
      tasks.when(buffers_are_free, [this, chunk, turn, message, from = role->solution_from, tag] {
        chunk->received[turn] =
            transfers_.receive(queue_.exec(), message.data(), static_cast<std::int64_t>(message.size()), from, tag);
      });
      tasks.when(arrived, [this, message, to = solution] {
        const Region region("tessera::solve::exchange");
        kernels::copy<T>(queue_.exec(), message, to);
      });
      return;
    }
    const RingStop<T, Exec> stop{sum, buffer, role->sum, tag};
    tasks.when(buffers_are_free,
               [this, chunk, turn, stop] { chunk->received[turn] = stop.receive(transfers_, queue_.exec()); });
    tasks.when(arrived, [this, chunk, turn, stop, op = sweep.op(), index, role = *role, y = solution, tag] {
      chunk->sent[turn].clear();
      if (role.sum.previous >= 0 || role.sum.next >= 0) {
        const Region region("tessera::solve::exchange");
        chunk->sent[turn].push_back(stop.pass_on(transfers_, queue_.exec()));
      }
      if (!role.owns) return;
      divide(op, index, stop.share, y);
      send_solution(*chunk, turn, y, role.solution_to, tag);
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

  void send_solution(Chunk& chunk, int turn, const View& y, const std::vector<int>& destinations, Tag tag) {
    if (destinations.empty()) return;
    const Region region("tessera::solve::exchange");
    const auto rows = static_cast<std::int64_t>(y.extent(0));
    T* const buffer = buffers_of(chunk).sent[turn];
    kernels::copy<T>(queue_.exec(), y, make_matrix_view<MemorySpace>(buffer, rows, chunk.size(), rows));
    for (const int destination : destinations) {
      chunk.sent[turn].push_back(
          transfers_.send(queue_.exec(), static_cast<const T*>(buffer), rows * chunk.size(), destination, tag));
    }
  }

  /// x from this rank's rows, and from those of the other process rows, into b.
  void replicate(TaskList& tasks, const ChunkPointer& chunk) {
    tasks.then([this, chunk] {
      const View mine = of(*chunk, at_rows_, 0, rows_.local_extent());
      grid_.rows() == 1 ? copy(mine, of(*chunk, b_, 0, rows_.n)) : scatter(*chunk, grid_.row(), mine);
    });
    for (int step = 1; step < grid_.rows(); ++step) {
      const int to = (grid_.row() + step) % grid_.rows();
      const int from = (grid_.row() - step + grid_.rows()) % grid_.rows();
      const std::int64_t height = rows_.seen_from(from).local_extent();
      tasks.then([this, chunk, to, from, height] {
        const Region region("tessera::solve::exchange");
        chunk->received[0] = transfers_.receive(queue_.exec(), buffers_of(*chunk).others, height * chunk->size(),
                                                grid_.rank_of(from, grid_.col()), {Tag::rows, chunk->slot});
        const View mine = of(*chunk, at_rows_, 0, rows_.local_extent());
        transfers_.send(queue_.exec(), static_cast<const T*>(mine.data()), static_cast<std::int64_t>(mine.size()),
                        grid_.rank_of(to, grid_.col()), {Tag::rows, chunk->slot});
      });
      tasks.when([this, chunk] { return transfers_.done(chunk->received[0]); },
                 [this, chunk, from, height] {
                   scatter(*chunk, from,
                           make_matrix_view<MemorySpace>(buffers_of(*chunk).others, height, chunk->size(),
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
  Sweep forward_;
  Sweep backward_;
  View b_;           // b, and in the end x, of all rows; those below are the same where a rank has them all
  View at_rows_;     // forward: b less what has been subtracted; backward: x; at this rank's rows
  View at_columns_;  // forward: y; backward: y less what has been subtracted; at this rank's columns
};

template <class T, class Exec>
void solve(const Exec& exec, const CholeskyFactor<T, typename Exec::memory_space>& factor, T* b, std::int64_t nrhs,
           Memory<typename Exec::memory_space>& memory, const std::function<void()>& deliver,
           const Schedule& schedule) {
  if (nrhs == 0) return;
  const Region region("tessera::solve");
  const SlabLayout& layout = factor.matrix().layout();
  std::optional<Solve<T, Exec>> solve;
  const auto run = [&] {
    const auto buffers = buffers_in<SolveBuffers<T, Exec>>(memory, layout, nrhs, schedule);
    if constexpr (!kernels::is_host<Exec>) {
      using OneDevice = SolveOnOneDevice<T, Exec>;
      if (OneDevice::suits(layout, nrhs)) return OneDevice::run(exec, factor, b, nrhs, buffers.substitution);
    }
    solve.emplace(exec, factor, b, nrhs, buffers, memory).run();
  };
  collectively(factor.grid().communicator(), [&] {
    run();
    deliver();
  });
}

#define TESSERA_INSTANTIATE_SOLVE(T, Exec)                                                                           \
  template void solve<T, Exec>(const Exec&, const CholeskyFactor<T, typename Exec::memory_space>&, T*, std::int64_t, \
                               Memory<typename Exec::memory_space>&, const std::function<void()>&, const Schedule&);
#define TESSERA_INSTANTIATE_SOLVES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SOLVE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_SOLVES)

}  // namespace tessera::detail
