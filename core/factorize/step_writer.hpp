// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/ring_sum.hpp"
#include "core/exchange/task_list.hpp"
#include "core/factorize/block_columns.hpp"
#include "core/factorize/step.hpp"
#include "tessera/detail/schedule.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace tessera::detail {

/// Writes what this rank does of one step as tasks, each of which calls the function of BlockColumns that does it. It
/// lives while the step is written: what it does itself, rather than in a task, happens before any task of the step
/// runs. That is little: buffers of the slot are dealt out, and what others send is received there, so that it may
/// arrive at any time from then on.
template <class T, class Exec>
class StepWriter {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Columns = BlockColumns<T, Exec>;
  using Lane = typename Columns::Lane;
  using View = typename Columns::View;
  using Message = typename Transfers<Exec>::Message;

  /// The step before in this slot is over.
  StepWriter(Columns& a, const Schedule& schedule, const Step& step, int slot, TaskList& tasks)
      : a_(a), schedule_(schedule), step_(step), slot_(a.slot(slot)), tasks_(tasks) {
    slot_.sent.clear();
  }

  /// The block column before k, where it is this rank's: it may still be factored while those before it are subtracted.
  /// None on a rank that has nothing to do meanwhile: the only one, without a device that works on two things.
  TileRange newest() const { return newest_before(step_); }

  /// A(k:,k) -= L(k:,left) L(k,left)^H, this rank's share, for the block columns that are left of the newest one, while
  /// that is still being factored. By integers, of the columns that keep residues: the newest one is too narrow to gain
  /// by them, and making them would hold up the panel.
  void subtract_ahead(TileRange left) {
    if (!a_.looks_ahead()) return subtract_old(Lane::panel, left);
    if (left.empty()) return;
    const LocalIndex end = columns().local_begin(left.end);
    tasks_.when([&a = a_, end] { return a.are_factored(end); }, [&a = a_, left] { a.take_over(left.end); });
    subtract_old(Lane::ahead, left);
    tasks_.then([&a = a_, &slot = slot_] { a.updated_ahead(slot); });
    if (a_.waits_for_device()) {
      tasks_.wait_for([&slot = slot_] { return slot.update.done() && slot.rest_update.done(); });
    }
  }

  /// The same for k, the step's or a part of it, when columns `left` are factored.
  void subtract(TileRange k, TileRange left) { subtract_natively(Lane::panel, k, left); }

  /// Adds what the other process columns have subtracted, on the way to k's owner, in chunks of rows.
  void pass_sum() {
    const auto beside = a_.messages().sum_neighbours(step_.k);
    if (!beside) return;
    const std::vector<RingStop<T, Exec>> stops = stops_of_sum(*beside);
    // Two chunks are on their way at a time: before the next one arrives, the one in its buffer has left.
    struct Moving {
      Message received[2] = {};
      Message sent[2] = {};
    };
    const auto moving = std::make_shared<Moving>();
    auto& transfers = a_.transfers();
    const Exec exec = a_.panel_exec();
    for (std::size_t c = 0; c < stops.size(); ++c) {
      const auto receive = [&transfers, exec, moving, stop = stops[c], c] {
        moving->received[c % 2] = stop.receive(transfers, exec);
      };
      if (c < 2) {
        receive();
      } else {
        tasks_.when([&transfers, moving, c] { return transfers.done(moving->sent[c % 2]); }, receive);
      }
      tasks_.when([&transfers, moving, c] { return transfers.done(moving->received[c % 2]); },
                  [&transfers, exec, moving, stop = stops[c], c, &slot = slot_, &seconds = a_.seconds().exchange] {
                    const Timed timed(seconds, "tessera::factorize::exchange");
                    moving->sent[c % 2] = stop.pass_on(transfers, exec);
                    slot.sent.push_back(moving->sent[c % 2]);
                  });
    }
  }

  /// A(t,t) = L(t,t) L(t,t)^H on its owner; returns L(t,t) as the message that brings it to the ranks below.
  Message factor_diagonal(GlobalTile t) {
    if (!columns().is_mine(t)) return {};
    T* const packed = packed_diagonal(t);
    if (!rows().is_mine(t)) {
      if (rows().local_extent_from(t + 1) == 0) return {};
      return a_.transfers().receive(a_.panel_exec(), packed, a_.messages().numbers_of_diagonal(t),
                                    a_.grid().rank_of(rows().owner(t), a_.grid().col()), {Tag::diagonal, slot_.number});
    }
    tasks_.then([&a = a_, &slot = slot_, t, packed] { a.factor_diagonal(slot, t, packed); });
    return {};
  }

  /// A(i,t) = A(i,t) L(t,t)^-H for the tiles i > t, when L(t,t) is there.
  void divide_below(GlobalTile t, Message diagonal) {
    if (!columns().is_mine(t)) return;
    // A rank without rows here must not run ahead of its own columns before.
    tasks_.when([&a = a_, diagonal,
                 begin = columns().local_begin(t)] { return a.transfers().done(diagonal) && a.are_factored(begin); },
                [&a = a_, t, packed = packed_diagonal(t), step = step_] {
                  a.divide_below(t, packed);
                  if (t + 1 == step.k.end) a.finish_step(step);
                });
  }

  /// The next step in this slot has its buffers when this one is over.
  void finish() {
    if (a_.waits_for_device()) {
      tasks_.then([&a = a_, &slot = slot_] { slot.panel.record(a.panel_exec()); });
    }
    tasks_.wait_for([&a = a_, &slot = slot_] { return a.transfers().done(slot.sent) && slot.panel.done(); });
  }

 private:
  TileRange newest_before(const Step& step) const {
    const bool has_other_work = a_.grid().size() > 1 || a_.looks_ahead();
    return has_other_work ? newest_column(step, columns()) : TileRange{step.k.begin, step.k.begin};
  }

  const BlockCyclic& rows() const { return a_.rows(); }
  const BlockCyclic& columns() const { return a_.columns(); }

  void subtract_old(Lane lane, TileRange left) {
    if (a_.integers() == nullptr) return subtract_natively(lane, step_.k, left);
    if (!step_.together.empty()) return subtract_together(lane, left);
    const TileRange k = step_.k;
    const LocalIndex end = columns().local_begin(left.end);
    if (end == LocalIndex{0} || rows().local_extent_from(k.begin) == 0) return;
    const View row = bring_row(lane, k, left);
    const LocalIndex to = std::min(end, a_.integers()->columns_end());
    // These first: what makes numbers of integers waits for all that its queue has by then.
    subtract_natively(lane, k, to, end, rows_of(row, to.value, end.value));
    if (to == LocalIndex{0}) return;
    const IntegerUpdate<T, MemorySpace> update{k, to, a_.integers()->take_right(k), next_beta(k), share(k)};
    tasks_.then([&a = a_, lane, update, row = rows_of(row, 0, to.value)] { a.make_right(lane, update, row); });
    for (const UpdatePart& part : a_.cut(lane, k, to.value, true).parts(rows(), k)) {
      tasks_.then([&a = a_, lane, update, part] { a.subtract(lane, update, part); });
    }
  }

  /// From this step and those after it that are updated with it, by integers. What these have left then is native.
  void subtract_together(Lane lane, TileRange left) {
    const TileRange k = step_.together;
    if (step_.k.begin > k.begin) {
      return subtract_natively(lane, step_.k, {newest_before({k, step_.before_together}).begin, left.end});
    }
    const LocalIndex to = columns().local_begin(left.end);
    if (to == LocalIndex{0}) return;
    tasks_.when([&a = a_, to] { return a.are_factored(to); },
                [&a = a_, lane, k, to] { a.subtract_together(lane, k, to); });
  }

  void subtract_natively(Lane lane, TileRange k, TileRange left) {
    const LocalIndex begin = columns().local_begin(left.begin);
    const LocalIndex end = columns().local_begin(left.end);
    if (begin == end || rows().local_extent_from(k.begin) == 0) return;
    subtract_natively(lane, k, begin, end, bring_row(lane, k, left));
  }

  /// Of this rank's columns [begin, end), for which `row` is what bring_row returns.
  void subtract_natively(Lane lane, TileRange k, LocalIndex begin, LocalIndex end, const View& row) {
    const View target = share(k);
    a_.matrix().layout().for_each_slab(begin, end, [&](LocalIndex from, LocalIndex to) {
      const Update<T, MemorySpace> update{k, from, to, rows_of(row, from - begin, to - begin), next_beta(k), target};
      for (const UpdatePart& part : a_.cut(lane, k, to - from, false).parts(rows(), k)) {
        tasks_.then([&a = a_, lane, update, part] { a.subtract(lane, update, part); });
      }
    });
  }

  /// Rows [begin, end) of what bring_row returns.
  static View rows_of(const View& row, std::int64_t begin, std::int64_t end) {
    return row.size() == 0 ? row : block(row, begin, end, 0, static_cast<std::int64_t>(row.extent(1)));
  }

  /// What is in share(k) before the next update of it, times this: 0 where that is the first in the slot's sum.
  T next_beta(TileRange k) {
    const bool is_new = !columns().is_mine(k.begin) && std::exchange(sum_is_new_, false);
    return T(is_new ? 0 : 1);
  }

  /// L(k, left)^H, tile by tile, from its owners to the process rows below: a column of it is a row of L, so that
  /// each tile is one message, and lands where gemm wants it. One process row has it in A, and gets an empty view.
  View bring_row(Lane lane, TileRange k, TileRange left) {
    const auto are_factored = [&a = a_, end = columns().local_begin(left.end)] { return a.are_factored(end); };
    if (a_.grid().rows() == 1) {
      tasks_.wait_for(are_factored);
      return make_matrix_view<MemorySpace>(static_cast<T*>(nullptr), 0, 0, 0);
    }
    const std::int64_t depth = a_.messages().depth(left);
    T* const row = slot_.buffers.row + row_used_;
    row_used_ += depth * columns().extent_of(k);
    std::vector<Message> arriving;
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      T* const tile = row + depth * (rows().begin(t) - rows().begin(k.begin));
      if (rows().is_mine(t)) {
        tasks_.when(are_factored, [&a = a_, &slot = slot_, lane, top = k.begin, t, left, tile] {
          a.send_row(lane, slot, top, t, left, tile);
        });
      } else {
        arriving.push_back(a_.transfers().receive(a_.packer(lane), tile, a_.messages().numbers_of_row(t, left),
                                                  a_.grid().rank_of(rows().owner(t), a_.grid().col()),
                                                  {Tag::factor_row, slot_.number}));
      }
    }
    tasks_.wait_for([&a = a_, are_factored, arriving] { return are_factored() && a.transfers().done(arriving); });
    return make_matrix_view<MemorySpace>(row, depth, columns().extent_of(k), depth);
  }

  /// The chunks of rows in which the sum passes.
  std::vector<RingStop<T, Exec>> stops_of_sum(const Neighbours& beside) const {
    const auto rank_of = [this](int col) { return col < 0 ? -1 : a_.grid().rank_of(a_.grid().row(), col); };
    const View mine = share(step_.k);
    const auto height = static_cast<std::int64_t>(mine.extent(0));
    const std::int64_t chunks = a_.messages().chunks_of_sum(step_.k, schedule_.chunk_rows);
    const bool as_it_is = chunks == 1 && beside.previous < 0;
    std::vector<RingStop<T, Exec>> stops;
    for (std::int64_t c = 0; c < chunks; ++c) {
      const std::int64_t begin = c * schedule_.chunk_rows;
      const View some = block(mine, begin, std::min(height, begin + schedule_.chunk_rows), 0,
                              static_cast<std::int64_t>(mine.extent(1)));
      stops.push_back({some,
                       as_it_is ? some.data() : slot_.buffers.chunks[c % 2],
                       {rank_of(beside.previous), rank_of(beside.next)},
                       {Tag::sum, slot_.number}});
    }
    return stops;
  }

  /// Where this rank subtracts from block column k: in A if it owns k, else in the slot's sum.
  View share(TileRange k) const {
    if (columns().is_mine(k.begin)) return a_.below(k, k.begin);
    const std::int64_t height = rows().local_extent_from(k.begin);
    return make_matrix_view<MemorySpace>(slot_.buffers.sum, height, columns().extent_of(k),
                                         std::max<std::int64_t>(1, height));
  }

  /// Where L(t,t) is on its way.
  T* packed_diagonal(GlobalTile t) const {
    if (a_.grid().rows() == 1) return nullptr;
    return slot_.buffers.diagonal + (t - step_.k.begin) * rows().tile * rows().tile;
  }

  Columns& a_;
  const Schedule& schedule_;
  Step step_;
  Slot<T, Exec>& slot_;
  TaskList& tasks_;
  std::int64_t row_used_ = 0;  // of the slot's row
  bool sum_is_new_ = true;     // nothing has been subtracted into the slot's sum
};

}  // namespace tessera::detail
