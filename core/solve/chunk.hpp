// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/transfers.hpp"
#include "core/solve/row_exchange.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::detail {

/// Right-hand sides [begin, end), on their way through the sweeps.
///
/// They may be the unit vectors of some leaves, of which all sweeps leave out what is above the first. At a leaf only
/// those up to its own are worked on: L^-1 has zeros right of them, and A^-1 what is known from its lower triangle.
template <class T, class Exec>
struct RightHandSidesChunk {
  using Message = typename Transfers<Exec>::Message;

  std::int64_t begin;
  std::int64_t end;
  int slot;
  std::optional<std::int64_t> unit_leaf = std::nullopt;  ///< the first leaf that has one
  int turn = 0;                                          ///< of the two buffers each way
  Message received[2] = {};
  std::vector<Message> sent[2] = {};
  typename RowExchange<T, Exec>::Messages rows = {};

  std::int64_t size() const { return end - begin; }
};

}  // namespace tessera::detail
