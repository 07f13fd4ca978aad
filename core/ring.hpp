#pragma once

#include "core/exchange.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/matrix_view.hpp"

#include <algorithm>
#include <vector>

namespace tessera::detail {

/// The ranks that add to a sum, in the order in which it visits them; it ends at its owner, the last one.
using Ring = std::vector<int>;

/// Along a process row or column of `size`: the coordinates after `owner`, then those from 0 on, for which
/// `contributes(coordinate)`; then the owner. `rank_at(coordinate)` is the rank there.
template <class Contributes, class RankAt>
Ring make_ring(int owner, int size, const Contributes& contributes, const RankAt& rank_at) {
  Ring ring;
  for (int step = 1; step < size; ++step) {
    const int coordinate = (owner + step) % size;
    if (contributes(coordinate)) ring.push_back(rank_at(coordinate));
  }
  ring.push_back(rank_at(owner));
  return ring;
}

/// Adds to `mine` what the ranks before `rank` have summed, and passes the sum on: the owner ends up with all of it.
/// `mine` is contiguous but on the owner; `arriving` has room for as much. For members of the ring.
template <class T, class Exec>
void sum_along(const Ring& ring, int rank, kernels::Queue<Exec>& queue, Transfers<Exec>& transfers, Tag tag,
               const MatrixView<T, typename Exec::memory_space>& mine, T* arriving) {
  const auto me = std::find(ring.begin(), ring.end(), rank);
  const auto rows = static_cast<std::int64_t>(mine.extent(0));
  const auto columns = static_cast<std::int64_t>(mine.extent(1));
  if (me != ring.begin()) {
    transfers.receive(arriving, rows * columns, *(me - 1), tag);
    transfers.wait();
    kernels::add<T>(queue, make_matrix_view<typename Exec::memory_space>(arriving, rows, columns, rows), mine);
  }
  if (me + 1 != ring.end()) {
    transfers.send(mine.data(), rows * columns, *(me + 1), tag);
    transfers.wait();
  }
}

}  // namespace tessera::detail
