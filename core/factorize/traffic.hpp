#pragma once

#include "core/exchange/ring.hpp"
#include "core/factorize/buffers.hpp"
#include "tessera/detail/schedule.hpp"
#include "tessera/distribution.hpp"
#include "tessera/memory_plan.hpp"

#include <cstdint>
#include <vector>

namespace tessera::detail {

/// What one rank sends in a factorisation: the verbs of BlockColumns, as far as they send.
template <class T, class MemorySpace>
class FactorizeTraffic {
 public:
  static RankTraffic of(const SlabLayout& layout, const Schedule& schedule) {
    FactorizeTraffic traffic(layout);
    const std::vector<TileRange> steps = Steps<MemorySpace>(layout).all();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const TileRange k = steps[i];
      const bool has_newest = i > 0 && layout.columns.is_mine(steps[i - 1].begin);
      const TileRange newest = has_newest ? steps[i - 1] : TileRange{k.begin, k.begin};
      traffic.send_row(k, {GlobalTile{0}, newest.begin});
      traffic.send_row(k, newest);
      traffic.pass_sum(k, schedule.chunk_rows);
      traffic.factor(k);
    }
    return traffic.sum_;
  }

 private:
  explicit FactorizeTraffic(const SlabLayout& layout) : rows_(layout.rows), columns_(layout.columns) {}

  void factor(TileRange k) {
    if (k.size() == 1) {
      const std::int64_t m = rows_.extent(k.begin);
      if (columns_.is_mine(k.begin) && rows_.is_mine(k.begin)) send_down(k.begin + 1, m * m);
      return;
    }
    const GlobalTile middle = k.begin + k.size() / 2;
    factor({k.begin, middle});
    send_row({middle, k.end}, {k.begin, middle});
    factor({middle, k.end});
  }

  /// L(k, left), this rank's columns of it, where it has the rows.
  void send_row(TileRange k, TileRange left) {
    const std::int64_t depth = columns_.local_begin(left.end) - columns_.local_begin(left.begin);
    if (depth == 0) return;
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      if (rows_.is_mine(t)) send_down(k.begin, depth * rows_.extent(t));
    }
  }

  /// To the other process rows that have rows from tile `top` on.
  void send_down(GlobalTile top, std::int64_t numbers) {
    for (int row = 0; row < rows_.processes; ++row) {
      if (row != rows_.coordinate && rows_.seen_from(row).local_extent_from(top) > 0) count(1, numbers);
    }
  }

  /// This rank's share of block column k, to the next one that has some.
  void pass_sum(TileRange k, std::int64_t chunk_rows) {
    const std::int64_t height = rows_.local_extent_from(k.begin);
    if (columns_.processes == 1 || height == 0) return;
    const Ring ring = make_ring(
        columns_.owner(k.begin), columns_.processes,
        [&](int col) { return columns_.seen_from(col).local_begin(k.begin).value > 0; }, [](int col) { return col; });
    const auto beside = neighbours(ring, columns_.coordinate);
    if (beside && beside->next >= 0) count((height + chunk_rows - 1) / chunk_rows, height * columns_.extent_of(k));
  }

  void count(std::int64_t messages, std::int64_t numbers) {
    sum_.messages += messages;
    sum_.bytes += numbers * std::int64_t{sizeof(T)};
  }

  BlockCyclic rows_;
  BlockCyclic columns_;
  RankTraffic sum_;
};

}  // namespace tessera::detail
