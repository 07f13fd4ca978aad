#pragma once

#include "core/exchange/task_list.hpp"
#include "core/exchange/transfers.hpp"
#include "core/timed.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/detail/row_shards.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/process_grid.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace tessera::detail {

/// Rows of right-hand sides on their way between the ranks that hold them and the owners of their leaves.
template <class T, class Exec>
class RowExchange {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Message = typename Transfers<Exec>::Message;

  /// Consecutive rows, in one tile and on one rank.
  struct Piece {
    GlobalIndex begin;
    std::int64_t rows;
  };

  /// The rows of this rank at one end of the ways.
  struct End {
    std::function<View(const Piece&)> at;  ///< where they are
    T* memory;                             ///< of their messages
  };

  /// What is on its way for some right-hand sides.
  struct Messages {
    std::vector<Message> received = {};
    std::vector<Message> sent = {};
  };

  RowExchange(const Exec& exec, const ProcessGrid& grid, const BlockCyclic& rows, const BlockCyclic& columns,
              const RowShards& shards, Transfers<Exec>& transfers)
      : exec_(exec),
        me_(grid.rank()),
        transfers_(transfers),
        held_(static_cast<std::size_t>(grid.size())),
        owned_(held_.size()) {
    int holder = 0;
    for (GlobalIndex i{0}; i.value < rows.n;) {
      while (shards.end(holder) <= i.value) ++holder;
      const GlobalTile k = rows.tile_of(i);
      const Piece piece{i, std::min(rows.begin(k + 1).value, shards.end(holder)) - i.value};
      const int owner = grid.rank_of(rows.owner(k), columns.owner(k));
      if (holder == me_) held_[static_cast<std::size_t>(owner)].append(piece);
      if (owner == me_) owned_[static_cast<std::size_t>(holder)].append(piece);
      i = i + piece.rows;
    }
  }

  void to_owners(TaskList& tasks, const std::shared_ptr<Messages>& messages, const End& held, const End& owned,
                 std::int64_t columns, Tag tag) {
    move(tasks, messages, held_, held, owned_, owned, columns, tag);
  }
  void to_holders(TaskList& tasks, const std::shared_ptr<Messages>& messages, const End& owned, const End& held,
                  std::int64_t columns, Tag tag) {
    move(tasks, messages, owned_, owned, held_, held, columns, tag);
  }

 private:
  /// What goes to one rank, or comes from there, in one message.
  struct Way {
    std::vector<Piece> pieces = {};
    std::int64_t rows = 0;

    void append(const Piece& piece) {
      pieces.push_back(piece);
      rows += piece.rows;
    }
  };
  using Ways = std::vector<Way>;  // of each rank

  void move(TaskList& tasks, const std::shared_ptr<Messages>& messages, const Ways& out, const End& from,
            const Ways& in, const End& to, std::int64_t columns, Tag tag) {
    tasks.when([this, messages] { return transfers_.done(messages->sent); },
               [this, messages, &out, from, &in, to, columns, tag] {
                 const Region region("tessera::solve::exchange");
                 messages->received.clear();
                 messages->sent.clear();
                 for_each_message(in, to.memory, columns, [&](int rank, const Way&, const View& message) {
                   messages->received.push_back(transfers_.receive(exec_, message.data(), size_of(message), rank, tag));
                 });
                 for_each_message(out, from.memory, columns, [&](int rank, const Way& way, const View& message) {
                   for_each_piece(way, message,
                                  [&](const Piece& piece, const View& there) { copy(from.at(piece), there); });
                   messages->sent.push_back(
                       transfers_.send(exec_, static_cast<const T*>(message.data()), size_of(message), rank, tag));
                 });
                 for (const Piece& piece : out[static_cast<std::size_t>(me_)].pieces)
                   copy(from.at(piece), to.at(piece));
               });
    tasks.when([this, messages] { return transfers_.done(messages->received); },
               [this, &in, to, columns] {
                 const Region region("tessera::solve::exchange");
                 for_each_message(in, to.memory, columns, [&](int, const Way& way, const View& message) {
                   for_each_piece(way, message,
                                  [&](const Piece& piece, const View& here) { copy(here, to.at(piece)); });
                 });
               });
  }

  /// The messages of the other ranks lie one after the other.
  template <class Body>
  void for_each_message(const Ways& ways, T* memory, std::int64_t columns, const Body& body) const {
    for (int rank = 0; rank < static_cast<int>(ways.size()); ++rank) {
      const Way& way = ways[static_cast<std::size_t>(rank)];
      if (rank == me_ || way.rows == 0) continue;
      body(rank, way, make_matrix_view<MemorySpace>(memory, way.rows, columns, way.rows));
      memory += way.rows * columns;
    }
  }

  template <class Body>
  static void for_each_piece(const Way& way, const View& message, const Body& body) {
    std::int64_t first = 0;
    for (const Piece& piece : way.pieces) {
      body(piece, block(message, first, first + piece.rows, 0, static_cast<std::int64_t>(message.extent(1))));
      first += piece.rows;
    }
  }

  static std::int64_t size_of(const View& message) { return static_cast<std::int64_t>(message.size()); }
  void copy(const View& from, const View& to) const { kernels::copy<T>(exec_, from, to); }

  Exec exec_;
  int me_;
  Transfers<Exec>& transfers_;
  Ways held_;   // by this rank, to and from each owner
  Ways owned_;  // by this rank, from and to each holder
};

}  // namespace tessera::detail
