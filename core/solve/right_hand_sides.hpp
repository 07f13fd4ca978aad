// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/ring_sum.hpp"
#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"
#include "core/solve/chunk.hpp"
#include "core/solve/row_exchange.hpp"
#include "core/solve/sweep.hpp"
#include "core/timed.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/detail/row_shards.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace tessera::detail {

/// n x nrhs right-hand sides while sweeps go over them: where a rank has its part of them, and how they travel. They
/// begin on all ranks, or by rows, and end there; in between each leaf's are on the ranks that Sweep says.
template <class T, class Exec>
class RightHandSides {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Buffers = SolveBuffers<T, Exec>;
  using Rows = RowExchange<T, Exec>;

  using Chunk = RightHandSidesChunk<T, Exec>;
  using ChunkPointer = std::shared_ptr<Chunk>;

  /// `b`: all rows or, by rows, those that this rank holds.
  RightHandSides(const Exec& exec, const ShardedMatrix<T, MemorySpace>& l, const View& b, const RowShards& shards,
                 const Buffers& buffers, Memory<MemorySpace>& memory)
      : exec_(exec),
        grid_(l.grid()),
        leaves_(l.layout()),
        rows_(l.rows()),
        columns_(l.columns()),
        nrhs_(static_cast<std::int64_t>(b.extent(1))),
        buffers_(buffers),
        transfers_(grid_, memory),
        b_{b, true},
        at_rows_(place(buffers.rows, rows_.local_extent())),
        at_columns_(place(buffers.columns, columns_.local_extent())) {
    if (shards.by_rows()) exchange_.emplace(exec, grid_, rows_, columns_, shards, transfers_, buffers.of_rows);
  }

  /// Runs the tasks that `write(tasks, chunk)` appends for each chunk, several chunks side by side: one works while
  /// another waits for a message.
  template <class Write>
  void run_for_chunks(const Write& write) {
    run_for_chunks(
        buffers_.chunks,
        [&](std::int64_t i, int slot) {
          return Chunk{i * buffers_.chunk, std::min(nrhs_, (i + 1) * buffers_.chunk), slot};
        },
        write);
  }

  /// The same for `count` chunks that `make(i, slot)` returns.
  template <class Make, class Write>
  void run_for_chunks(std::int64_t count, const Make& make, const Write& write) {
    const auto tasks_of = [&](std::int64_t i, int slot) {
      TaskList tasks;
      const auto chunk = std::make_shared<Chunk>(make(i, slot));
      write(tasks, chunk);
      // The next chunk in this slot has its buffers.
      tasks.wait_for([this, chunk] {
        return transfers_.done(chunk->sent[0]) && transfers_.done(chunk->sent[1]) && transfers_.done(chunk->rows.sent);
      });
      return tasks;
    };
    run_task_lists(
        count, static_cast<int>(buffers_.slots.size()), tasks_of,
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

  Transfers<Exec>& transfers() { return transfers_; }
  std::int64_t chunk_size() const { return buffers_.chunk; }  ///< the most right-hand sides of a chunk

  /// The leaves that a chunk goes over.
  std::span<const TileRange> leaves_of(const Chunk& chunk) const {
    return std::span(leaves_.all()).subspan(static_cast<std::size_t>(chunk.unit_leaf.value_or(0)));
  }

  /// The first of a chunk's unit vectors.
  GlobalIndex first_unit(const Chunk& chunk) const { return rows_.begin(leaves_of(chunk).front().begin); }

  /// The one after the last; 0, where there are none.
  GlobalIndex end_of_units(const Chunk& chunk) const {
    return chunk.unit_leaf ? first_unit(chunk) + chunk.size() : GlobalIndex{0};
  }

  bool owns(TileRange k) const { return rows_.is_mine(k.begin) && columns_.is_mine(k.begin); }

  /// The sums and the solutions of a leaf; nothing on a rank that does not have its rows, or columns.
  std::pair<View, View> sides(const Chunk& chunk, const Sweep& sweep, TileRange k) const {
    return sweep.sides(at_rows(chunk, k), at_columns(chunk, k));
  }
  /// Those of local rows [first, last) and columns [from, to), up to right-hand side `end` of unit vectors.
  std::pair<View, View> sides(const Chunk& chunk, const Sweep& sweep, LocalIndex first, LocalIndex last,
                              LocalIndex from, LocalIndex to, GlobalIndex end) const {
    return sweep.sides(of(chunk, at_rows_, first.value, last - first, end),
                       of(chunk, at_columns_, from.value, to - from, end));
  }

  /// The first sums are b, each on its owner; what is multiplied is b on each rank that has a product with it.
  void take_in(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep) {
    if (exchange_) return take_in_rows(tasks, chunk, sweep);
    tasks.then([this, chunk, &sweep] {
      for (const TileRange k : leaves_.all()) {
        const auto [sum, solution] = sides(*chunk, sweep, k);
        if (!sweep.solves()) copy(b(*chunk, k), solution);
        if (owns(k)) copy(b(*chunk, k), sum);
      }
    });
  }

  /// What the last sweep has come to becomes b.
  void give_back(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep) {
    if (exchange_) {  // by way of the columns' memory, in which nothing is needed any more
      return exchange_->to_holders(tasks, rows_of(chunk), owned_at_rows(*chunk), held(*chunk), tag_of_rows(*chunk));
    }
    if (!sweep.ends_at_rows()) spread(tasks, chunk, Axis::rows);
    replicate(tasks, chunk);
  }

  /// The same of unit vectors, with zeros in what products read of them beside a leaf's own.
  void take_in_units(const Chunk& chunk, const Sweep& sweep) {
    const GlobalTile first = leaves_of(chunk).front().begin;
    const auto [sums, solutions] = sides(chunk, sweep, rows_.local_begin(first), {rows_.local_extent()},
                                         columns_.local_begin(first), {columns_.local_extent()}, {rows_.n});
    kernels::set_zero<T>(exec_, sums);
    if (solutions.data() != sums.data()) kernels::set_zero<T>(exec_, solutions);
    for (const TileRange k : leaves_of(chunk)) {
      const std::int64_t begin = rows_.begin(k.begin) - first_unit(chunk);
      if (begin >= chunk.size()) return;
      if (!owns(k)) continue;
      const View sum = sides(chunk, sweep, k).first;
      kernels::set_identity<T>(exec_, block(sum, 0, rows_.extent_of(k), begin, begin + rows_.extent_of(k)));
    }
  }

  /// What other ranks than the owner add to a sum begins with nothing.
  void clear_shares(const Chunk& chunk, const Sweep& sweep) {
    for (const TileRange k : leaves_of(chunk)) {
      if (!owns(k)) kernels::set_zero<T>(exec_, sides(chunk, sweep, k).first);
    }
  }

  /// What this rank does for a leaf when its own share of the sum is complete: it adds that to the sum on its way to
  /// the owner, where `finish(sum)` makes a solution of it; or it takes the solution in.
  template <class Finish>
  void settle(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep, TileRange k, const Finish& finish) {
    const std::optional<Sweep::Role> role = sweep.role(k, leaves_of(*chunk).front().begin);
    if (!role) return;
    const auto [sum, solution] = sides(*chunk, sweep, k);
    if (role->solution_from >= 0) return receive_solution(tasks, chunk, role->solution_from, solution);
    const int turn = next_turn(*chunk);
    const RingStop<T, Exec> stop{sum, buffers_of(*chunk).received[turn], role->sum, tag_of(*chunk)};
    tasks.when(buffers_are_free(chunk, turn),
               [this, chunk, turn, stop] { chunk->received[turn] = stop.receive(transfers_, exec_); });
    tasks.when(arrived(chunk, turn), [this, chunk, turn, stop, finish, role = *role, y = solution] {
      chunk->sent[turn].clear();
      if (role.sum.previous >= 0 || role.sum.next >= 0) {
        const Region region("tessera::solve::exchange");
        chunk->sent[turn].push_back(stop.pass_on(transfers_, exec_));
      }
      if (!role.owns) return;
      finish(stop.share);
      copy(stop.share, y);
      send_solution(*chunk, turn, y, role.solution_to);
    });
  }

 private:
  /// By rows: what is to be solved comes to the owners; what is multiplied, to the ranks that have products with it, by
  /// way of the owners. The messages arrive in the memory of the other side, which is not in use yet.
  void take_in_rows(TaskList& tasks, const ChunkPointer& chunk, const Sweep& sweep) {
    const auto [sums, solutions] = sweep.sides(owned_at_rows(*chunk), owned_at_columns(*chunk));
    exchange_->to_owners(tasks, rows_of(chunk), held(*chunk), sweep.solves() ? sums : solutions, tag_of_rows(*chunk));
    if (sweep.solves()) return;
    tasks.then([this, chunk, &sweep] {
      for (const TileRange k : leaves_.all()) {
        if (!owns(k)) continue;
        const auto [sum, solution] = sides(*chunk, sweep, k);
        copy(solution, sum);
      }
    });
    spread(tasks, chunk, sweep.sides(Axis::rows, Axis::columns).second);
  }

  enum class Axis { rows, columns };

  /// What the owners of leaves have at their rows comes to the ranks beside them, or that at their columns to those
  /// above and below.
  void spread(TaskList& tasks, const ChunkPointer& chunk, Axis axis) {
    const bool at_rows = axis == Axis::rows;
    const BlockCyclic& along = at_rows ? columns_ : rows_;
    const auto rank_at = [&](int coordinate) {
      return at_rows ? grid_.rank_of(grid_.row(), coordinate) : grid_.rank_of(coordinate, grid_.col());
    };
    std::vector<int> beside;
    for (int coordinate = 0; coordinate < along.processes; ++coordinate) {
      if (coordinate != along.coordinate) beside.push_back(rank_at(coordinate));
    }
    if (beside.empty()) return;
    for (const TileRange k : leaves_.all()) {
      if (!(at_rows ? rows_ : columns_).is_mine(k.begin)) continue;
      const View x = at_rows ? this->at_rows(*chunk, k) : at_columns(*chunk, k);
      if (!owns(k)) {
        receive_solution(tasks, chunk, rank_at(along.owner(k.begin)), x);
        continue;
      }
      const int turn = next_turn(*chunk);
      tasks.when(buffers_are_free(chunk, turn), [this, chunk, turn, x, beside] {
        chunk->sent[turn].clear();
        send_solution(*chunk, turn, x, beside);
      });
    }
  }

  /// x from this rank's rows, and from those of the other process rows, into b.
  void replicate(TaskList& tasks, const ChunkPointer& chunk) {
    tasks.then([this, chunk] {
      const View mine = of(*chunk, at_rows_, 0, rows_.local_extent(), {rows_.n});
      grid_.rows() == 1 ? copy(mine, of(*chunk, b_, 0, rows_.n, {rows_.n})) : scatter(*chunk, grid_.row(), mine);
    });
    for (int step = 1; step < grid_.rows(); ++step) {
      const int to = (grid_.row() + step) % grid_.rows();
      const int from = (grid_.row() - step + grid_.rows()) % grid_.rows();
      const std::int64_t height = rows_.seen_from(from).local_extent();
      tasks.then([this, chunk, to, from, height] {
        const Region region("tessera::solve::exchange");
        // With what is between columns.
        chunk->received[0] =
            transfers_.receive(exec_, buffers_of(*chunk).others, leading_dimension_of_b<T>(height) * chunk->size(),
                               grid_.rank_of(from, grid_.col()), tag_of_rows(*chunk));
        const View mine = of(*chunk, at_rows_, 0, rows_.local_extent(), {rows_.n});
        chunk->rows.sent.push_back(transfers_.send(exec_, static_cast<const T*>(mine.data()),
                                                   leading_dimension_of_b<T>(rows_.local_extent()) * chunk->size(),
                                                   grid_.rank_of(to, grid_.col()), tag_of_rows(*chunk)));
      });
      tasks.when(arrived(chunk, 0), [this, chunk, from, height] {
        scatter(*chunk, from, right_hand_sides_at<MemorySpace>(buffers_of(*chunk).others, height, chunk->size()));
      });
    }
  }

  /// b, or the part of it that the chunks in flight have at some indices.
  struct Place {
    View all;
    bool is_b;
  };
  /// b itself, where there are no buffers.
  Place place(T* buffers, std::int64_t rows) const {
    if (buffers == nullptr) return b_;
    const auto in_flight = static_cast<std::int64_t>(buffers_.slots.size()) * buffers_.chunk;
    return {right_hand_sides_at<MemorySpace>(buffers, rows, std::min(nrhs_, in_flight)), false};
  }
  /// Rows of right-hand sides, of unit vectors up to vector `end`.
  View of(const Chunk& chunk, const Place& place, std::int64_t first, std::int64_t count, GlobalIndex end) const {
    std::int64_t size = chunk.size();
    if (chunk.unit_leaf) size = std::min(size, end - first_unit(chunk));
    const std::int64_t column = place.is_b ? chunk.begin : chunk.slot * buffers_.chunk;
    return block(place.all, first, first + count, column, column + size);
  }
  View at_rows(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_rows_, rows_.local_begin(k.begin).value, rows_.is_mine(k.begin) ? rows_.extent_of(k) : 0,
              rows_.begin(k.end));
  }
  View at_columns(const Chunk& chunk, TileRange k) const {
    return of(chunk, at_columns_, columns_.local_begin(k.begin).value,
              columns_.is_mine(k.begin) ? columns_.extent_of(k) : 0, rows_.begin(k.end));
  }
  View b(const Chunk& chunk, TileRange k) const {
    return of(chunk, b_, rows_.begin(k.begin).value, rows_.extent_of(k), rows_.begin(k.end));
  }

  // By rows: where they are, and their messages, which come in the memory of the other side.
  using End = typename Rows::End;
  End held(const Chunk& chunk) { return {all_of(chunk, b_), buffers_.of_rows.held, buffers_of(chunk).held}; }
  End owned_at_rows(const Chunk& chunk) const {
    return {all_of(chunk, at_rows_), buffers_.of_rows.owned_at_rows, all_of(chunk, at_columns_).data()};
  }
  End owned_at_columns(const Chunk& chunk) const {
    return {all_of(chunk, at_columns_), buffers_.of_rows.owned_at_columns, all_of(chunk, at_rows_).data()};
  }
  View all_of(const Chunk& chunk, const Place& place) const {
    return of(chunk, place, 0, static_cast<std::int64_t>(place.all.extent(0)), {rows_.n});
  }
  static std::shared_ptr<typename Rows::Messages> rows_of(const ChunkPointer& chunk) { return {chunk, &chunk->rows}; }

  /// Nothing, where both are the same memory.
  void copy(const View& from, const View& to) {
    if (from.data() != to.data()) kernels::copy<T>(exec_, from, to);
  }

  // Two leaves are on their way at a time: what is sent of one has left before its buffers serve the next but one.
  static int next_turn(Chunk& chunk) { return std::exchange(chunk.turn, 1 - chunk.turn); }
  std::function<bool()> buffers_are_free(const ChunkPointer& chunk, int turn) {
    return [this, chunk, turn] { return transfers_.done(chunk->sent[turn]); };
  }
  std::function<bool()> arrived(const ChunkPointer& chunk, int turn) {
    return [this, chunk, turn] { return transfers_.done(chunk->received[turn]); };
  }
  static Tag tag_of(const Chunk& chunk) { return {Tag::solution, chunk.slot}; }
  static Tag tag_of_rows(const Chunk& chunk) { return {Tag::rows, chunk.slot}; }
  typename Buffers::OfSlot& buffers_of(const Chunk& chunk) {
    return buffers_.slots[static_cast<std::size_t>(chunk.slot)];
  }

  void receive_solution(TaskList& tasks, const ChunkPointer& chunk, int from, const View& to) {
    const int turn = next_turn(*chunk);
    const auto rows = static_cast<std::int64_t>(to.extent(0));
    const View message = make_matrix_view<MemorySpace>(buffers_of(*chunk).received[turn], rows,
                                                       static_cast<std::int64_t>(to.extent(1)), rows);
    tasks.when(buffers_are_free(chunk, turn), [this, chunk, turn, message, from] {
      chunk->received[turn] =
          transfers_.receive(exec_, message.data(), static_cast<std::int64_t>(message.size()), from, tag_of(*chunk));
    });
    tasks.when(arrived(chunk, turn), [this, message, to] {
      const Region region("tessera::solve::exchange");
      kernels::copy<T>(exec_, message, to);
    });
  }

  void send_solution(Chunk& chunk, int turn, const View& y, const std::vector<int>& destinations) {
    if (destinations.empty()) return;
    const Region region("tessera::solve::exchange");
    const auto rows = static_cast<std::int64_t>(y.extent(0));
    T* const buffer = buffers_of(chunk).sent[turn];
    kernels::copy<T>(exec_, y,
                     make_matrix_view<MemorySpace>(buffer, rows, static_cast<std::int64_t>(y.extent(1)), rows));
    for (const int destination : destinations) {
      chunk.sent[turn].push_back(transfers_.send(exec_, static_cast<const T*>(buffer),
                                                 static_cast<std::int64_t>(y.size()), destination, tag_of(chunk)));
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

  Exec exec_;
  const ProcessGrid& grid_;
  Leaves<MemorySpace> leaves_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  std::int64_t nrhs_;
  Buffers buffers_;
  Transfers<Exec> transfers_;
  std::optional<Rows> exchange_;  // by rows
  Place b_;                       // b, and in the end x; those below are the same where a rank has all rows
  Place at_rows_;                 // forward: sums; backward: solutions, and in the end x; at this rank's rows
  Place at_columns_;              // forward: solutions; backward: sums; at this rank's columns
};

}  // namespace tessera::detail
