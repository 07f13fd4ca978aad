#pragma once

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

}  // namespace tessera::detail
