#pragma once

#include "core/exchange/ring.hpp"
#include "core/exchange/ring_sum.hpp"
#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/lookahead.hpp"
#include "core/timed.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/potrf.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/options.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace tessera::detail {

/// The verbs of the factorisation on the block columns of a sharded matrix. Each appends to the program of one step
/// what this rank does of it, with what moves between ranks; all ranks append the same verbs in the same order.
///
/// Row L(k, left) goes down each process column, the diagonal tile down its owner's, and the sum for a block column
/// along its process rows to the owner. Nothing else of L ever moves. How the work is cut into calls depends on the
/// sizes and the grid alone, so that the result does not depend on when messages arrive.
template <class T, class Exec>
class BlockColumns {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;
  using View = MatrixView<T, MemorySpace>;
  using Message = typename Transfers<Exec>::Message;

  /// A(k:,k) on its way to L(k:,k).
  struct Step {
    TileRange k;
    TileRange previous;            // of the step before
    std::int64_t mine_before = 0;  // how many of this rank's steps come before it
    int slot = 0;
  };

  BlockColumns(const Exec& exec, Matrix& a, const FactorizeBuffers<T, Exec>& buffers, Memory<MemorySpace>& memory,
               const Schedule& schedule, PhaseSeconds& seconds)
      : a_(a),
        grid_(a.grid()),
        rows_(a.rows()),
        columns_(a.columns()),
        updates_(exec, buffers.blas_of_queues.updates, memory.blas_handles.updates),
        transfers_(grid_, memory),
        failing_(buffers.failing),
        schedule_(schedule),
        seconds_(seconds) {
    for (const auto& slot : buffers.slots) slots_.emplace_back().memory = slot;
    fill("tessera::factorize::no_failure", exec, failing_.data(), 1, kernels::no_failure);
    if constexpr (!kernels::is_host<Exec>) {
      lookahead_.emplace(exec, buffers.blas_of_queues, memory.blas_handles, grid_.rows() > 1);
    }
  }

  std::int64_t n() const { return rows_.n; }
  std::int64_t columns_before(GlobalTile k) const { return columns_.begin(k).value; }

  /// Carries out a program for each of the steps, as make(step, program) writes it.
  template <class Make>
  void run(const std::vector<TileRange>& steps, const Make& make) {
    std::copy_if(steps.begin(), steps.end(), std::back_inserter(my_steps_),
                 [this](TileRange step) { return columns_.is_mine(step.begin); });
    std::int64_t mine = 0;
    run_programs(
        static_cast<std::int64_t>(steps.size()), static_cast<int>(slots_.size()),
        [&](std::int64_t i, int slot) {
          const auto number = static_cast<std::size_t>(i);
          const Step step{steps[number], i > 0 ? steps[number - 1] : TileRange{}, mine, slot};
          if (columns_.is_mine(step.k.begin)) ++mine;
          Slot& own = slot_of(step);
          own.sent.clear();
          own.row_used = 0;
          own.sum_is_new = true;
          Program program;
          make(step, program);
          if (waits_for_device()) program.then([this, &own] { own.panel.record(panels().exec()); });
          // The next step in this slot has its buffers.
          program.when([this, &own] { return transfers_.done(own.sent) && own.panel.done(); }, [] {});
          return program;
        },
        [&] {
          if (transfers_.idle()) return;
          Timed timed(seconds_.exchange, "tessera::factorize::exchange");
          if (!transfers_.progress()) timed.book_to(seconds_.waiting);
        },
        [&] {
          const Timed timed(seconds_.waiting, "tessera::factorize::waiting");
          transfers_.wait_some();
        });
  }

  /// The block column before k, where it is this rank's: it may still be factored while those before it are subtracted.
  /// None on a rank that has nothing to do meanwhile: the only one, without a device that works on two things.
  TileRange newest(const Step& step) const {
    const GlobalTile k = step.k.begin;
    const bool is_mine = k > GlobalTile{0} && columns_.is_mine(step.previous.begin);
    return (grid_.size() > 1 || lookahead_) && is_mine ? step.previous : TileRange{k, k};
  }

  /// A(k:,k) -= L(k:,left) L(k,left)^H, this rank's share, for the block columns that are left of the newest one, while
  /// that is still being factored.
  void subtract_ahead(Program& program, const Step& step, TileRange left) {
    if (!lookahead_) return subtract(program, step, step.k, left);
    if (left.empty()) return;
    const LocalIndex end = columns_.local_begin(left.end);
    program.when([this, end] { return factored_ >= end; }, [this, left] { take_over(left.end); });
    subtract(program, step, step.k, left, updates_);
    Slot& slot = slot_of(step);
    program.then([this, &slot] {
      slot.update.record(updates_.exec());
      if (const auto* lower = lookahead_->lower_updates()) slot.lower_update.record(lower->exec());
      if (waits_for_device()) return;
      slot.update.hold_back(panels().exec());
      slot.lower_update.hold_back(panels().exec());
    });
    if (waits_for_device()) {
      program.when([&slot] { return slot.update.done() && slot.lower_update.done(); }, [] {});
    }
  }

  /// A(k:,k) -= L(k:,left) L(k,left)^H, this rank's share; k is the step's or a part of it.
  void subtract(Program& program, const Step& step, TileRange k, TileRange left) {
    subtract(program, step, k, left, panels());
  }

  /// Adds what the other process columns have subtracted, on the way to k's owner, in chunks of rows.
  void sum(Program& program, const Step& step) {
    const TileRange k = step.k;
    if (grid_.cols() == 1) return;
    const Ring ring = make_ring(
        columns_.owner(k.begin), grid_.cols(),
        [&](int col) { return columns_.seen_from(col).local_begin(k.begin).value > 0; },
        [&](int col) { return grid_.rank_of(grid_.row(), col); });
    const auto beside = neighbours(ring, grid_.rank());
    const View mine = share(step, k);
    if (!beside || ring.size() == 1 || mine.extent(0) == 0) return;
    Slot& slot = slot_of(step);
    pass_on<T>(program, transfers_, panels().exec(),
               {mine,
                beside->previous,
                beside->next,
                Tag(Tag::sum, step.slot),
                schedule_.chunk_rows,
                {slot.memory.chunks[0], slot.memory.chunks[1]}},
               slot.sent, seconds_.exchange);
  }

  /// A(t,t) = L(t,t) L(t,t)^H on its owner, from where L(t,t) goes down the process column: as the message returned.
  Message factor_diagonal(Program& program, const Step& step, GlobalTile t) {
    if (!columns_.is_mine(t)) return {};
    const std::int64_t m = rows_.extent(t);
    if (!rows_.is_mine(t)) {
      if (rows_.local_extent_from(t + 1) == 0) return {};
      return transfers_.receive(panels().exec(), tile_message(step, t).data(), m * m,
                                grid_.rank_of(rows_.owner(t), grid_.col()), {Tag::diagonal, step.slot});
    }
    program.then([this, step, t] {
      {
        const Timed timed(seconds_.panel, "tessera::factorize::diagonal");
        kernels::potrf<T>(panels(), a_.tile(t, t), rows_.begin(t).value, failing_);
      }
      if (grid_.rows() > 1) send_diagonal(step, t);
    });
    return {};
  }

  /// A(i,t) = A(i,t) L(t,t)^-H for the tiles i > t, when L(t,t), in `message`, is there.
  void divide_below(Program& program, const Step& step, GlobalTile t, Message message) {
    if (!columns_.is_mine(t)) return;
    // A rank without rows here must not run ahead of its own columns before.
    program.when([this, message, t] { return transfers_.done(message) && !(factored_ < columns_.local_begin(t)); },
                 [this, step, t] {
                   const Timed timed(seconds_.panel, "tessera::factorize::panel");
                   kernels::trsm_right<T>(panels(), rows_.is_mine(t) ? a_.tile(t, t) : tile_message(step, t),
                                          below({t, t + 1}, t + 1));
                   factored_ = columns_.local_begin(t + 1);
                   if (lookahead_ && t + 1 == step.k.end) lookahead_->factored(step.mine_before);
                 });
  }

  /// Collective. 0, or the order of the first leading minor that is not positive definite.
  std::int64_t leading_minor() {
    std::int64_t minor = 0;
    const Exec& exec = updates_.exec();
    if (lookahead_) take_over(columns_.tiles_end());
    Kokkos::deep_copy(
        exec, Kokkos::View<std::int64_t, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(&minor), failing_);
    exec.fence();
    grid_.communicator().all_reduce_min(&minor, 1);
    return minor == kernels::no_failure ? 0 : minor;
  }

 private:
  kernels::Queue<Exec>& panels() { return lookahead_ ? lookahead_->panels() : updates_; }

  /// What packs rows of L, for updates ahead or for the panels.
  const Exec& packer(bool ahead) { return ahead ? lookahead_->packing() : panels().exec(); }

  /// Whether a step goes on when the device has got so far. Else its kernels are enqueued at once, to wait there: with
  /// messages to wait for as well, a step would hold up those that are ready.
  bool waits_for_device() const { return lookahead_ && grid_.size() > 1; }

  struct Slot {
    typename FactorizeBuffers<T, Exec>::Slot memory;
    std::vector<Message> sent;
    std::int64_t row_used = 0;
    bool sum_is_new = true;
    kernels::Event<Exec> update;  ///< by the columns left of the newest one
    kernels::Event<Exec> lower_update;
    kernels::Event<Exec> panel;
  };

  Slot& slot_of(const Step& step) { return slots_[static_cast<std::size_t>(step.slot)]; }

  void subtract(Program& program, const Step& step, TileRange k, TileRange left, kernels::Queue<Exec>& queue) {
    const LocalIndex begin = columns_.local_begin(left.begin);
    const LocalIndex end = columns_.local_begin(left.end);
    if (begin == end || rows_.local_extent_from(k.begin) == 0) return;
    const View row = send_row(program, step, k, begin, end, queue);
    const View target = share(step, k);
    a_.layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
      const bool is_new = !columns_.is_mine(k.begin) && std::exchange(slot_of(step).sum_is_new, false);
      subtract_slab(program, queue, k, from, to, row, from - begin, T(is_new ? 0 : 1), target);
    });
  }

  /// Lets the updates have this rank's columns before tile `end`, which the panels have finished, or are about to.
  void take_over(GlobalTile end) {
    for (; taken_over_ < my_steps_.size() && my_steps_[taken_over_].begin < end; ++taken_over_) {
      lookahead_->take_over(static_cast<std::int64_t>(taken_over_));
    }
  }

  /// This rank's rows from tile `top` on, in the block column `k`, which it owns.
  View below(TileRange k, GlobalTile top) const {
    return a_.view(rows_.local_begin(top), LocalIndex{rows_.local_extent()}, columns_.local_begin(k.begin),
                   columns_.local_begin(k.end));
  }

  /// Where this rank subtracts from block column k: in A if it owns k, else in the slot's sum.
  View share(const Step& step, TileRange k) {
    if (columns_.is_mine(k.begin)) return below(k, k.begin);
    const std::int64_t height = rows_.local_extent_from(k.begin);
    return make_matrix_view<MemorySpace>(slot_of(step).memory.sum, height, columns_.extent_of(k),
                                         std::max<std::int64_t>(1, height));
  }

  void send_diagonal(const Step& step, GlobalTile t) {
    const Timed timed(seconds_.exchange, "tessera::factorize::exchange");
    const View message = tile_message(step, t);
    kernels::copy<T>(panels().exec(), a_.tile(t, t), message);
    send_down(panels().exec(), step, t + 1, message.data(), static_cast<std::int64_t>(message.size()), Tag::diagonal);
  }

  /// Where L(t,t) is on its way.
  View tile_message(const Step& step, GlobalTile t) {
    const std::int64_t m = rows_.extent(t);
    T* const first = slot_of(step).memory.diagonal;
    return make_matrix_view<MemorySpace>(first + (t - step.k.begin) * rows_.tile * rows_.tile, m, m, m);
  }

  /// To the ranks of this process column that have rows from tile `top` on.
  void send_down(const Exec& exec, const Step& step, GlobalTile top, const T* data, std::int64_t count,
                 Tag::Kind kind) {
    for (int row = 0; row < grid_.rows(); ++row) {
      if (row == grid_.row() || rows_.seen_from(row).local_extent_from(top) == 0) continue;
      slot_of(step).sent.push_back(
          transfers_.send(exec, data, count, grid_.rank_of(row, grid_.col()), {kind, step.slot}));
    }
  }

  /// L(k, begin:end)^H, tile by tile, from its owners to the process rows below: a column of it is a row of L, so that
  /// each tile is one message, and lands where gemm wants it. One process row has it in A, and returns an empty view.
  View send_row(Program& program, const Step& step, TileRange k, LocalIndex begin, LocalIndex end,
                kernels::Queue<Exec>& queue) {
    const auto final = [this, end] { return factored_ >= end; };
    if (grid_.rows() == 1) {
      program.when(final, [] {});
      return make_matrix_view<MemorySpace>(static_cast<T*>(nullptr), 0, 0, 0);
    }
    const std::int64_t depth = end - begin;
    Slot& slot = slot_of(step);
    T* const row = slot.memory.row + slot.row_used;
    slot.row_used += depth * columns_.extent_of(k);
    const bool ahead = lookahead_ && &queue == &updates_;
    std::vector<Message> arriving;
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      T* const part = row + depth * (rows_.begin(t) - rows_.begin(k.begin));
      const std::int64_t count = depth * rows_.extent(t);
      if (!rows_.is_mine(t)) {
        arriving.push_back(transfers_.receive(packer(ahead), part, count, grid_.rank_of(rows_.owner(t), grid_.col()),
                                              {Tag::factor_row, step.slot}));
        continue;
      }
      program.when(final, [this, step, k, t, begin, end, depth, part, count, ahead] {
        const Timed timed(seconds_.exchange, "tessera::factorize::exchange");
        const Exec& exec = packer(ahead);
        const View transposed = make_matrix_view<MemorySpace>(part, depth, rows_.extent(t), depth);
        a_.layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
          kernels::conj_transpose<T>(exec, a_.view(rows_.local_begin(t), rows_.local_begin(t + 1), from, to),
                                     block(transposed, from - begin, to - begin, 0, rows_.extent(t)));
        });
        send_down(exec, step, k.begin, part, count, Tag::factor_row);
        if (ahead) lookahead_->packed();
      });
    }
    program.when([this, final, arriving] { return final() && transfers_.done(arriving); }, [] {});
    return make_matrix_view<MemorySpace>(row, depth, columns_.extent_of(k), depth);
  }

  /// target = beta target - L(k:, c) L(k, c)^H for the local columns c = [from, to), which lie in one slab; L(k, c)^H
  /// stands in `row` from line `at` on, unless this rank has all rows. On the diagonal only the lower triangle is
  /// computed: by herk where one rank has all rows of k, else tile by tile.
  void subtract_slab(Program& program, kernels::Queue<Exec>& queue, TileRange k, LocalIndex from, LocalIndex to,
                     const View& row, std::int64_t at, T beta, const View& target) {
    const LocalIndex top = rows_.local_begin(k.begin);
    const auto multiply = [this, k, from, to, row, at, beta, target, top](kernels::Queue<Exec>& on, LocalIndex first,
                                                                          LocalIndex last, std::int64_t width) {
      const View l = a_.view(first, last, from, to);
      const View c = block(target, first - top, last - top, 0, width);
      if (grid_.rows() == 1) {
        const LocalIndex begin = rows_.local_begin(k.begin);
        kernels::gemm<T>(on, T(-1), kernels::Op::none, l, kernels::Op::conj_transpose,
                         a_.view(begin, begin + width, from, to), beta, c);
      } else {
        kernels::gemm<T>(on, T(-1), kernels::Op::none, l, kernels::Op::none, block(row, at, at + (to - from), 0, width),
                         beta, c);
      }
    };
    const std::int64_t run = grid_.rows() == 1 ? k.size() : 1;
    // A device is not filled by a block on the diagonal alone: there it goes with those below.
    constexpr bool alone = kernels::is_host<Exec>;
    for (GlobalTile t = k.begin; t < k.end; t = t + run) {
      if (!alone || !rows_.is_mine(t)) continue;
      program.then([this, &queue, multiply, k, t, run, from, to, beta, target, top] {
        const Timed timed(seconds_.update, "tessera::factorize::update");
        const LocalIndex first = rows_.local_begin(t);
        const LocalIndex last = rows_.local_begin(t + run);
        const std::int64_t left = rows_.begin(t) - rows_.begin(k.begin);
        const std::int64_t width = rows_.extent_of({t, t + run});
        multiply(queue, first, last, left);
        kernels::herk<T>(queue, T(-1), kernels::Op::none, a_.view(first, last, from, to), beta,
                         block(target, first - top, last - top, left, left + width));
      });
    }
    const std::int64_t most = rows_of_a_call<T, MemorySpace>(grid_.size(), columns_.extent_of(k) * (to - from));
    const auto multiply_rows = [&](kernels::Queue<Exec>& on, LocalIndex begin, LocalIndex end) {
      for (LocalIndex first = begin; first < end;) {
        const LocalIndex last = std::min(end, first + most);
        program.then([this, &on, multiply, k, first, last] {
          const Timed timed(seconds_.update, "tessera::factorize::update");
          multiply(on, first, last, columns_.extent_of(k));
        });
        first = last;
      }
    };
    const LocalIndex begin = rows_.local_begin(alone ? k.end : k.begin);
    const LocalIndex end{rows_.local_extent()};
    auto* const lower = lookahead_ && &queue == &updates_ ? lookahead_->lower_updates() : nullptr;
    const LocalIndex middle = lower ? begin + (end - begin) / 256 * 128 : end;  // aligned for gemm
    multiply_rows(queue, begin, middle);
    if (lower) multiply_rows(*lower, middle, end);
  }

  Matrix& a_;
  const ProcessGrid& grid_;
  BlockCyclic rows_;
  BlockCyclic columns_;
  kernels::Queue<Exec> updates_;
  std::optional<Lookahead<Exec>> lookahead_;  // only a device has two things at hand
  Transfers<Exec> transfers_;
  kernels::FailingMinor<Exec> failing_;
  std::vector<TileRange> my_steps_;  // those whose block columns this rank's process column owns
  std::size_t taken_over_ = 0;       // of them, by the updates
  Schedule schedule_;
  PhaseSeconds& seconds_;
  std::deque<Slot> slots_;
  LocalIndex factored_{0};  // of this rank's columns, those that are columns of L
};

}  // namespace tessera::detail
