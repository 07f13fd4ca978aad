// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/transfers.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/failing_minor.hpp"
#include "core/factorize/integer_updates.hpp"
#include "core/factorize/lookahead.hpp"
#include "core/factorize/messages.hpp"
#include "core/factorize/step.hpp"
#include "core/factorize/update.hpp"
#include "core/timed.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/potrf.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/options.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace tessera::detail {

/// What a step in flight works with, until all that it sends has left and the device is done.
template <class T, class Exec>
struct Slot {
  int number = 0;
  typename FactorizeBuffers<T, Exec>::OfSlot buffers;
  std::vector<typename Transfers<Exec>::Message> sent;
  kernels::Event<Exec> update;       ///< by the columns left of the newest one
  kernels::Event<Exec> rest_update;  ///< of the lower half of the rows, or the remainders of integers
  kernels::Event<Exec> panel;
};

/// The block columns of a matrix on one rank, and how far they are: all that happens to them while tasks run. (What
/// tasks there are, and in which order, StepWriter says beforehand.)
template <class T, class Exec>
class BlockColumns {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Matrix = ShardedMatrix<T, MemorySpace>;
  using View = MatrixView<T, MemorySpace>;

  /// Which queues work. Ahead: on a device updates run on their own beside the panels. Panel: all else, in order.
  enum class Lane { ahead, panel };

  /// `integers`: what subtracts ahead, or null.
  BlockColumns(const Exec& exec, Matrix& a, const FactorizeBuffers<T, Exec>& buffers, Memory<MemorySpace>& memory,
               IntegerUpdates<T, Exec>* integers, PhaseSeconds& seconds)
      : a_(a),
        grid_(a.grid()),
        messages_(a.rows(), a.columns()),
        updates_(exec, buffers.blas.updates, memory.blas_handles.updates),
        transfers_(grid_, memory),
        failing_(buffers.failing),
        integers_(integers),
        seconds_(seconds) {
    for (const auto& of_slot : buffers.slots) {
      Slot<T, Exec>& slot = slots_.emplace_back();
      slot.number = static_cast<int>(slots_.size()) - 1;
      slot.buffers = of_slot;
    }
    set_no_failure(exec, failing_);
    if constexpr (!kernels::is_host<Exec>) {
      lookahead_.emplace(exec, buffers.blas, memory.blas_handles, grid_.rows() > 1 || integers != nullptr);
    }
  }

  const Matrix& matrix() const { return a_; }
  const BlockCyclic& rows() const { return a_.rows(); }
  const BlockCyclic& columns() const { return a_.columns(); }
  const ProcessGrid& grid() const { return grid_; }
  const FactorizeMessages& messages() const { return messages_; }
  Transfers<Exec>& transfers() { return transfers_; }
  PhaseSeconds& seconds() { return seconds_; }
  int slots() const { return static_cast<int>(slots_.size()); }
  Slot<T, Exec>& slot(int number) { return slots_[static_cast<std::size_t>(number)]; }

  /// Whether panels and updates run side by side, on a device.
  bool looks_ahead() const { return lookahead_.has_value(); }
  /// Whether a task waits until the device has got so far. Else its kernels are enqueued at once, to wait there: with
  /// messages to wait for as well, a step would hold up those that are ready.
  bool waits_for_device() const { return lookahead_ && grid_.size() > 1; }

  const Exec& panel_exec() { return panels().exec(); }
  /// The instance that packs rows of L.
  const Exec& packer(Lane lane) { return lane == Lane::ahead ? lookahead_->packing() : panel_exec(); }

  /// Whether this rank's columns before `end` are columns of L, by what has been enqueued so far.
  bool are_factored(LocalIndex end) const { return factored_ >= end; }

  /// Lets the updates have this rank's columns before tile `end`.
  void take_over(GlobalTile end) {
    for (; taken_over_ < factored_steps_.size() && factored_steps_[taken_over_].begin < end; ++taken_over_) {
      lookahead_->take_over(static_cast<std::int64_t>(taken_over_));
      if (integers_ == nullptr) continue;
      keep(lookahead_->packing(), factored_steps_[taken_over_]);
      lookahead_->packed();
    }
  }

  /// How the rows of an update are cut. A device is not filled by a block on the diagonal alone: there it goes with
  /// those below; integers have no herk.
  UpdateCut cut(Lane lane, TileRange k, std::int64_t depth, bool by_integers) const {
    return {kernels::is_host<Exec> && !by_integers, lane == Lane::ahead && lookahead_->has_lower_updates(),
            rows_of_a_call<T, MemorySpace>(grid_.size(), rows().extent_of(k) * depth)};
  }

  void subtract(Lane lane, const Update<T, MemorySpace>& update, const UpdatePart& part) {
    const Timed timed(seconds_.update, "tessera::factorize::update");
    auto& queue = queue_of(lane, part);
    const LocalIndex top = rows().local_begin(update.k.begin);
    const View l = a_.view(part.begin, part.end, update.from, update.to);
    const auto target = [&](std::int64_t begin, std::int64_t end) {
      return block(update.target, part.begin - top, part.end - top, begin, end);
    };
    if (grid_.rows() == 1) {
      kernels::gemm<T>(queue, T(-1), kernels::Op::none, l, kernels::Op::conj_transpose,
                       a_.view(top, top + part.columns, update.from, update.to), update.beta, target(0, part.columns));
    } else {
      kernels::gemm<T>(queue, T(-1), kernels::Op::none, l, kernels::Op::none,
                       block(update.row, 0, update.depth(), 0, part.columns), update.beta, target(0, part.columns));
    }
    if (part.triangle == 0) return;
    kernels::herk<T>(queue, T(-1), kernels::Op::none, l, update.beta,
                     target(part.columns, part.columns + part.triangle));
  }

  /// What updates by integers, or null.
  IntegerUpdates<T, Exec>* integers() { return integers_; }

  /// Right operands of `update` from `row`, see IntegerUpdates::make_right.
  void make_right(Lane lane, const IntegerUpdate<T, MemorySpace>& update, const View& row) {
    if (update.right.data == nullptr) return;
    const Timed timed(seconds_.update, "tessera::factorize::update");
    integers_->make_right(packer(lane), update.k, update.to, row, update.right);
    if (lane == Lane::ahead) lookahead_->packed();
  }

  void subtract(Lane lane, const IntegerUpdate<T, MemorySpace>& update, const UpdatePart& part) {
    const Timed timed(seconds_.update, "tessera::factorize::update");
    integers_->subtract(queue_of(lane, part), update, part);
  }

  /// See IntegerUpdates::subtract_together.
  void subtract_together(Lane lane, TileRange k, LocalIndex to) {
    const Timed timed(seconds_.update, "tessera::factorize::update");
    integers_->subtract_together(queue_of(lane, {}), a_, k, to, below(k, k.begin));
  }

  /// Holds back the panels until the device has done the updates that are enqueued, which have events in the slot.
  void updated_ahead(Slot<T, Exec>& slot) {
    slot.update.record(updates_.exec());
    if (lookahead_->has_lower_updates()) slot.rest_update.record(lookahead_->lower_updates().exec());
    if (integers_ != nullptr) slot.rest_update.record(integers_->remainders());
    if (waits_for_device()) return;
    slot.update.hold_back(panel_exec());
    slot.rest_update.hold_back(panel_exec());
  }

  /// L(t, left)^H, of which this rank has all rows, into contiguous memory, and from there to the process rows
  /// that have rows from tile `top` on.
  void send_row(Lane lane, Slot<T, Exec>& slot, GlobalTile top, GlobalTile t, TileRange left, T* packed) {
    const Timed timed(seconds_.exchange, "tessera::factorize::exchange");
    const Exec& exec = packer(lane);
    const LocalIndex begin = columns().local_begin(left.begin);
    const LocalIndex end = columns().local_begin(left.end);
    const std::int64_t depth = messages_.depth(left);
    const std::int64_t height = rows().extent(t);
    const View transposed = make_matrix_view<MemorySpace>(packed, depth, height, depth);
    a_.layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
      kernels::conj_transpose<T>(exec, a_.view(rows().local_begin(t), rows().local_begin(t + 1), from, to),
                                 block(transposed, from - begin, to - begin, 0, height));
    });
    send_down(exec, slot, top, packed, messages_.numbers_of_row(t, left), Tag::factor_row);
    if (lane == Lane::ahead) lookahead_->packed();
  }

  /// A(t,t) = L(t,t) L(t,t)^H on its owner, from where L(t,t) goes down the process column.
  void factor_diagonal(Slot<T, Exec>& slot, GlobalTile t, T* packed) {
    const View diagonal = a_.tile(t, t);
    {
      const Timed timed(seconds_.panel, "tessera::factorize::diagonal");
      kernels::potrf<T>(panels(), diagonal, rows().begin(t).value, failing_);
    }
    if (grid_.rows() == 1) return;
    const Timed timed(seconds_.exchange, "tessera::factorize::exchange");
    const std::int64_t m = rows().extent(t);
    kernels::copy<T>(panel_exec(), diagonal, make_matrix_view<MemorySpace>(packed, m, m, m));
    send_down(panel_exec(), slot, t + 1, packed, messages_.numbers_of_diagonal(t), Tag::diagonal);
  }

  /// A(i,t) = A(i,t) L(t,t)^-H for the tiles i > t; `arrived` is L(t,t) where it is another rank's.
  void divide_below(GlobalTile t, const T* arrived) {
    const Timed timed(seconds_.panel, "tessera::factorize::panel");
    using Const = MatrixView<const T, MemorySpace>;
    const std::int64_t m = rows().extent(t);
    kernels::trsm_right<T>(panels(),
                           rows().is_mine(t) ? Const(a_.tile(t, t)) : make_matrix_view<MemorySpace>(arrived, m, m, m),
                           below({t, t + 1}, t + 1));
    factored_ = columns().local_begin(t + 1);
  }

  /// All tiles of a step of this process column are factored, by what has been enqueued so far.
  void finish_step(const Step& step) {
    if (!lookahead_) {
      if (integers_ != nullptr) keep(panel_exec(), step.k);
      return;
    }
    lookahead_->factored(static_cast<std::int64_t>(factored_steps_.size()));
    factored_steps_.push_back(step.k);
  }

  /// This rank's rows from tile `top` on, in the block column `k`, which it owns.
  View below(TileRange k, GlobalTile top) const {
    return a_.view(rows().local_begin(top), LocalIndex{rows().local_extent()}, columns().local_begin(k.begin),
                   columns().local_begin(k.end));
  }

  /// The order of the first leading minor that is not positive definite, as far as this rank knows, or no_failure; all
  /// that is enqueued is done.
  std::int64_t failing_minor() {
    if (lookahead_) take_over(columns().tiles_end());
    return detail::failing_minor(updates_.exec(), failing_);
  }

 private:
  /// Of columns that are factored, what updates by integers want of them.
  void keep(const Exec& exec, TileRange k) {
    const Timed timed(seconds_.update, "tessera::factorize::update");
    integers_->keep(exec, k, a_);
  }

  kernels::Queue<Exec>& panels() { return lookahead_ ? lookahead_->panels() : updates_; }
  kernels::Queue<Exec>& queue_of(Lane lane, const UpdatePart& part) {
    return lane == Lane::panel ? panels() : part.in_lower_half ? lookahead_->lower_updates() : updates_;
  }

  void send_down(const Exec& exec, Slot<T, Exec>& slot, GlobalTile top, const T* data, std::int64_t count,
                 Tag::Kind kind) {
    for (const int row : messages_.process_rows_from(top)) {
      slot.sent.push_back(transfers_.send(exec, data, count, grid_.rank_of(row, grid_.col()), {kind, slot.number}));
    }
  }

  Matrix& a_;
  const ProcessGrid& grid_;
  FactorizeMessages messages_;
  kernels::Queue<Exec> updates_;
  std::optional<Lookahead<Exec>> lookahead_;  // only a device has two things at hand
  Transfers<Exec> transfers_;
  kernels::FailingMinor<Exec> failing_;
  IntegerUpdates<T, Exec>* integers_;
  PhaseSeconds& seconds_;
  std::deque<Slot<T, Exec>> slots_;

  LocalIndex factored_{0};                 // of this rank's columns, those that are columns of L
  std::vector<TileRange> factored_steps_;  // those of this process column
  std::size_t taken_over_ = 0;             // of them, by the updates
};

}  // namespace tessera::detail
