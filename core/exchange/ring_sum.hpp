// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/transfers.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/matrix_view.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// A sum that several ranks have a share of: it goes from rank to rank, each of which adds its own, and ends at its
// owner.
namespace tessera::detail {

/// The processes before and after one in a ring; -1 where there is none.
struct Neighbours {
  int previous = -1;
  int next = -1;
};

/// Along a process row or column of `size` the ring begins behind `owner`, visits those for which
/// `contributes(coordinate)`, and ends at the owner. None, if `me` is not in it, or nobody else is.
template <class Contributes>
std::optional<Neighbours> ring_neighbours(int me, int owner, int size, const Contributes& contributes) {
  Neighbours beside;
  bool is_in = false;
  int before = -1;
  const auto visit = [&](int coordinate) {
    if (coordinate == me) {
      is_in = true;
      beside.previous = before;
    } else if (before == me) {
      beside.next = coordinate;
    }
    before = coordinate;
  };
  for (int step = 1; step < size; ++step) {
    const int coordinate = (owner + step) % size;
    if (contributes(coordinate)) visit(coordinate);
  }
  visit(owner);
  if (!is_in || (beside.previous < 0 && beside.next < 0)) return std::nullopt;
  return beside;
}

/// A chunk of a sum where it passes one rank. Ranks add in the order of the ring: the same bits each time.
template <class T, class Exec>
struct RingStop {
  using View = MatrixView<T, typename Exec::memory_space>;
  using Message = typename Transfers<Exec>::Message;

  View share;         ///< what this rank adds; at the end of the ring it becomes the sum
  T* buffer;          ///< contiguous room for as much, or share.data(), if nothing arrives and the share is contiguous
  Neighbours beside;  ///< ranks
  Tag tag;

  std::int64_t count() const { return static_cast<std::int64_t>(share.size()); }

  /// What the rank before sends, if there is one.
  Message receive(Transfers<Exec>& transfers, const Exec& exec) const {
    if (beside.previous < 0) return {};
    return transfers.receive(exec, buffer, count(), beside.previous, tag);
  }

  /// When that is there: adds, and sends the sum to the rank behind, if there is one.
  Message pass_on(Transfers<Exec>& transfers, const Exec& exec) const {
    const auto rows = static_cast<std::int64_t>(share.extent(0));
    const View passing =
        make_matrix_view<typename Exec::memory_space>(buffer, rows, static_cast<std::int64_t>(share.extent(1)), rows);
    if (beside.next < 0) {
      if (beside.previous >= 0) kernels::add<T>(exec, passing, share);
      return {};
    }
    if (beside.previous >= 0) {
      kernels::add<T>(exec, share, passing);
    } else if (buffer != share.data()) {
      kernels::copy<T>(exec, share, passing);
    }
    return transfers.send(exec, static_cast<const T*>(buffer), count(), beside.next, tag);
  }
};

}  // namespace tessera::detail
