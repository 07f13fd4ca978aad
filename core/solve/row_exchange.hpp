// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/solve/buffers.hpp"
#include "core/timed.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/detail/row_shards.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/process_grid.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tessera::detail {

/// B(to_rows[i], :) = A(from_rows[i], :); all rows in order, where there is no list.
template <class T, class MemorySpace>
struct CopyRows {
  MatrixView<T, MemorySpace> from;
  MatrixView<T, MemorySpace> to;
  const std::int64_t* from_rows;
  const std::int64_t* to_rows;

  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t column) const {
    to(to_rows == nullptr ? i : to_rows[i], column) = from(from_rows == nullptr ? i : from_rows[i], column);
  }
};

/// Rows of right-hand sides on their way between the ranks that hold them and the owners of their leaves: all of one
/// way in one message, in the order in which the holder has them.
template <class T, class Exec>
class RowExchange {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Message = typename Transfers<Exec>::Message;

  /// The rows of this rank at one end of the ways.
  struct End {
    View b;                    ///< where they are
    const std::int64_t* rows;  ///< which of RowLists they are
    T* memory;                 ///< of their messages
  };

  /// What is on its way for some right-hand sides.
  struct Messages {
    std::vector<Message> received = {};
    std::vector<Message> sent = {};
  };

  RowExchange(const Exec& exec, const ProcessGrid& grid, const BlockCyclic& rows, const BlockCyclic& columns,
              const RowShards& shards, Transfers<Exec>& transfers, const RowLists& there)
      : exec_(exec),
        me_(grid.rank()),
        transfers_(transfers),
        held_(static_cast<std::size_t>(grid.size())),
        owned_(held_.size()) {
    std::vector<std::vector<std::int64_t>> held(held_.size());
    std::vector<std::int64_t> at_rows;
    std::vector<std::int64_t> at_columns;
    for (int holder = 0; holder < grid.size(); ++holder) {
      Way& from_there = owned_[static_cast<std::size_t>(holder)];
      from_there.begin = static_cast<std::int64_t>(at_rows.size());
      for (std::int64_t row = shards.begin(holder); row < shards.end(holder); ++row) {
        const GlobalIndex i{shards.number(row)};
        const GlobalTile k = rows.tile_of(i);
        const int owner = grid.rank_of(rows.owner(k), columns.owner(k));
        if (holder == me_) held[static_cast<std::size_t>(owner)].push_back(row - shards.begin(me_));
        if (owner != me_) continue;
        at_rows.push_back(rows.to_local(i).value);
        at_columns.push_back(columns.to_local(i).value);
        ++from_there.rows;
      }
    }
    std::int64_t begin = 0;
    for (std::size_t owner = 0; owner < held.size(); ++owner) {
      const auto count = static_cast<std::int64_t>(held[owner].size());
      held_[owner] = {begin, count};
      copy_from_host(exec, held[owner].data(), there.held + begin, count);
      begin += count;
    }
    copy_from_host(exec, at_rows.data(), there.owned_at_rows, static_cast<std::int64_t>(at_rows.size()));
    copy_from_host(exec, at_columns.data(), there.owned_at_columns, static_cast<std::int64_t>(at_columns.size()));
  }

  void to_owners(TaskList& tasks, const std::shared_ptr<Messages>& messages, const End& held, const End& owned,
                 Tag tag) {
    move(tasks, messages, held_, held, owned_, owned, tag);
  }
  void to_holders(TaskList& tasks, const std::shared_ptr<Messages>& messages, const End& owned, const End& held,
                  Tag tag) {
    move(tasks, messages, owned_, owned, held_, held, tag);
  }

 private:
  /// What goes to one rank, or comes from there, in one message.
  struct Way {
    std::int64_t begin = 0;  ///< in the list of rows
    std::int64_t rows = 0;
  };
  using Ways = std::vector<Way>;  // of each rank

  void move(TaskList& tasks, const std::shared_ptr<Messages>& messages, const Ways& out, const End& from,
            const Ways& in, const End& to, Tag tag) {
    tasks.when([this, messages] { return transfers_.done(messages->sent); },
               [this, messages, &out, from, &in, to, tag] {
                 const Region region("tessera::solve::exchange");
                 messages->received.clear();
                 messages->sent.clear();
                 for_each_message(in, to, [&](int rank, const Way&, const View& message) {
                   messages->received.push_back(transfers_.receive(exec_, message.data(), size_of(message), rank, tag));
                 });
                 for_each_message(out, from, [&](int rank, const Way& way, const View& message) {
                   copy(way.rows, from.b, from.rows + way.begin, message, nullptr);
                   messages->sent.push_back(
                       transfers_.send(exec_, static_cast<const T*>(message.data()), size_of(message), rank, tag));
                 });
                 const Way& mine = out[static_cast<std::size_t>(me_)];
                 copy(mine.rows, from.b, from.rows + mine.begin, to.b,
                      to.rows + in[static_cast<std::size_t>(me_)].begin);
               });
    tasks.when([this, messages] { return transfers_.done(messages->received); },
               [this, &in, to] {
                 const Region region("tessera::solve::exchange");
                 for_each_message(in, to, [&](int, const Way& way, const View& message) {
                   copy(way.rows, message, nullptr, to.b, to.rows + way.begin);
                 });
               });
  }

  /// The messages of the other ranks lie one after the other.
  template <class Body>
  void for_each_message(const Ways& ways, const End& end, const Body& body) const {
    T* memory = end.memory;
    const auto columns = static_cast<std::int64_t>(end.b.extent(1));
    for (int rank = 0; rank < static_cast<int>(ways.size()); ++rank) {
      const Way& way = ways[static_cast<std::size_t>(rank)];
      if (rank == me_ || way.rows == 0) continue;
      body(rank, way, make_matrix_view<MemorySpace>(memory, way.rows, columns, way.rows));
      memory += way.rows * columns;
    }
  }

  static std::int64_t size_of(const View& message) { return static_cast<std::int64_t>(message.size()); }

  void copy(std::int64_t rows, const View& from, const std::int64_t* from_rows, const View& to,
            const std::int64_t* to_rows) const {
    kernels::for_each_index("tessera::solve::rows", exec_, rows, static_cast<std::int64_t>(from.extent(1)),
                            CopyRows<T, MemorySpace>{from, to, from_rows, to_rows});
  }

  Exec exec_;
  int me_;
  Transfers<Exec>& transfers_;
  Ways held_;   // by this rank, to and from each owner
  Ways owned_;  // by this rank, from and to each holder
};

}  // namespace tessera::detail
