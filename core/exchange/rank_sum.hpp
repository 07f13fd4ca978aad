// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/transfers.hpp"
#include "tessera/process_grid.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

// Sums over all ranks, added in the order of the ranks: the same bits on each of them, and each time.
namespace tessera::detail {

/// sums[i] = own[i] + what the other ranks have, at others[r * stride + i]
struct AddInOrder {
  double* sums;
  const double* others;
  std::int64_t stride;
  int rank;
  int ranks;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    double sum = 0;
    for (int r = 0; r < ranks; ++r) sum += r == rank ? sums[i] : others[r * stride + i];
    sums[i] = sum;
  }
};

/// The numbers that each rank adds up, of `count`; the last ranks may have fewer, or none.
constexpr std::int64_t share_of_sums(std::int64_t count, int ranks) { return (count + ranks - 1) / ranks; }

/// `count` numbers at `values` become their sums over the ranks: each rank adds up a share of them, and sends it to
/// all. `room` has ranks * share_of_sums(count, ranks) numbers. All is in the memory of `exec`.
template <class Exec>
void sum_over_ranks(const Exec& exec, const ProcessGrid& grid, Transfers<Exec>& transfers, double* values,
                    std::int64_t count, double* room) {
  const int me = grid.rank();
  const int ranks = grid.size();
  const std::int64_t share = share_of_sums(count, ranks);
  const auto begin = [&](int rank) { return std::min(count, rank * share); };
  const auto size = [&](int rank) { return begin(rank + 1) - begin(rank); };
  std::vector<typename Transfers<Exec>::Message> messages;
  const auto exchange = [&](const auto& send, const auto& receive) {
    messages.clear();
    for (int step = 1; step < ranks; ++step) {
      messages.push_back(receive((me + ranks - step) % ranks));
      messages.push_back(send((me + step) % ranks));
    }
    transfers.wait(messages);
  };
  exchange([&](int to) { return transfers.send(exec, values + begin(to), size(to), to, Tag::sums); },
           [&](int from) { return transfers.receive(exec, room + from * share, size(me), from, Tag::sums); });
  Kokkos::parallel_for("tessera::exchange::add_in_order",
                       Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, size(me)),
                       AddInOrder{values + begin(me), room, share, me, ranks});
  exchange([&](int to) { return transfers.send(exec, values + begin(me), size(me), to, Tag::sums); },
           [&](int from) { return transfers.receive(exec, values + begin(from), size(from), from, Tag::sums); });
}

}  // namespace tessera::detail
