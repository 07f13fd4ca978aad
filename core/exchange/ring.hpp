#pragma once

#include <algorithm>
#include <optional>
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

/// The ranks before and after one in a ring; -1 where there is none.
struct Neighbours {
  int previous = -1;
  int next = -1;
};

/// None, if `rank` is not in the ring.
inline std::optional<Neighbours> neighbours(const Ring& ring, int rank) {
  const auto me = std::find(ring.begin(), ring.end(), rank);
  if (me == ring.end()) return std::nullopt;
  return Neighbours{me == ring.begin() ? -1 : *(me - 1), me + 1 == ring.end() ? -1 : *(me + 1)};
}

}  // namespace tessera::detail
