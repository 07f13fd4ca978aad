// SPDX-License-Identifier: BSD-3-Clause
#include "support.hpp"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

// Index arithmetic against a loop that deals the indices out one by one. No MPI, no storage.
namespace tessera::testing {
namespace {

// Indices of different kinds, and plain numbers, are not taken for each other.
template <class From, class To>
constexpr bool mixes = std::is_convertible_v<From, To>;
static_assert(!mixes<GlobalIndex, LocalIndex> && !mixes<LocalIndex, GlobalIndex>);
static_assert(!mixes<GlobalTile, LocalTile> && !mixes<LocalTile, GlobalTile>);
static_assert(!mixes<GlobalIndex, GlobalTile> && !mixes<GlobalTile, GlobalIndex>);
static_assert(!mixes<LocalIndex, LocalTile> && !mixes<LocalTile, LocalIndex>);
static_assert(!mixes<GlobalIndex, LocalTile> && !mixes<LocalIndex, GlobalTile>);
static_assert(!mixes<std::int64_t, GlobalIndex> && !mixes<GlobalIndex, std::int64_t>);
static_assert(!mixes<int, LocalTile> && !mixes<LocalTile, int>);
template <class A, class B>
concept Comparable = requires(A a, B b) {
  a < b;
};
template <class A, class B>
concept Subtractable = requires(A a, B b) {
  a - b;
};
static_assert(Comparable<LocalIndex, LocalIndex> && !Comparable<LocalIndex, GlobalIndex>);
static_assert(Subtractable<GlobalTile, GlobalTile> && !Subtractable<GlobalTile, GlobalIndex>);
static_assert(std::is_same_v<decltype(GlobalTile{3} - GlobalTile{1}), std::int64_t>);

// All of it is known to the compiler: 10 indices in tiles of 4 (the last one of 2), on process 0 of 2.
constexpr BlockCyclic ten{10, 4, 2, 0};
static_assert(ten.tiles_end() == GlobalTile{3} && ten.begin(GlobalTile{2}) == GlobalIndex{8});
static_assert(ten.extent(GlobalTile{1}) == 4 && ten.extent(GlobalTile{2}) == 2);
static_assert(ten.extent_of(TileRange{GlobalTile{1}, GlobalTile{3}}) == 6);
static_assert(TileRange{GlobalTile{1}, GlobalTile{3}}.size() == 2 && TileRange{GlobalTile{1}, GlobalTile{1}}.empty());
static_assert(ten.tile_of(GlobalIndex{7}) == GlobalTile{1} && ten.owner(GlobalTile{1}) == 1);
static_assert(ten.is_mine(GlobalTile{2}) && !ten.seen_from(1).is_mine(GlobalTile{2}));
static_assert(ten.to_global(LocalTile{1}) == GlobalTile{2} && ten.to_global(LocalIndex{5}) == GlobalIndex{9});
static_assert(ten.to_local(GlobalTile{2}) == LocalTile{1} && ten.to_local(GlobalIndex{9}) == LocalIndex{5});
static_assert(ten.local_lower_bound(GlobalTile{1}) == LocalTile{1} && ten.local_begin(GlobalTile{1}) == LocalIndex{4});
static_assert(ten.local_tiles_end() == LocalTile{2} && ten.local_extent() == 6);
static_assert(ten.seen_from(1).local_tiles_end() == LocalTile{1} && ten.seen_from(1).local_extent() == 4);
static_assert(SlabLayout{ten, ten, 4, 1}.size() == 6 * 4 + 2 * 2);
static_assert(SlabLayout{ten, ten, 10, 1}.size() == 36);

/// The global indices that each of `processes` is dealt, in order.
std::vector<std::vector<std::int64_t>> dealt(std::int64_t n, std::int64_t tile, int processes) {
  std::vector<std::vector<std::int64_t>> hands(static_cast<std::size_t>(processes));
  std::size_t turn = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (i > 0 && i % tile == 0) turn = (turn + 1) % hands.size();
    hands[turn].push_back(i);
  }
  return hands;
}

template <class Body>
void for_each_dimension(const Body& body) {
  for (const std::int64_t n : {0, 1, 2, 3, 5, 8, 9, 16, 23}) {
    for (const std::int64_t tile : {1, 2, 3, 4, 5, 8, 30}) {
      for (int processes = 1; processes <= 5; ++processes) {
        const auto hands = dealt(n, tile, processes);
        for (int p = 0; p < processes; ++p) {
          SCOPED_TRACE(std::to_string(n) + " in tiles of " + std::to_string(tile) + ", process " + std::to_string(p) +
                       " of " + std::to_string(processes));
          body(BlockCyclic{n, tile, processes, p}, hands[static_cast<std::size_t>(p)]);
        }
      }
    }
  }
}

TEST(BlockCyclic, Indices) {
  for_each_dimension([](const BlockCyclic& d, const std::vector<std::int64_t>& mine) {
    ASSERT_EQ(d.local_extent(), static_cast<std::int64_t>(mine.size()));
    for (std::size_t k = 0; k < mine.size(); ++k) {
      const LocalIndex local{static_cast<std::int64_t>(k)};
      EXPECT_EQ(d.to_global(local).value, mine[k]);
      EXPECT_EQ(d.to_local(GlobalIndex{mine[k]}), local);
      EXPECT_EQ(d.seen_from(0).to_local(GlobalIndex{mine[k]}), local) << "its owner's, whoever asks";
      EXPECT_TRUE(d.is_mine(d.tile_of(GlobalIndex{mine[k]})));
    }
    std::int64_t owned = 0;
    for (std::int64_t i = 0; i <= d.n; ++i) {
      const auto behind = std::lower_bound(mine.begin(), mine.end(), i);
      EXPECT_EQ(d.local_lower_bound(GlobalIndex{i}).value, behind - mine.begin());
      if (i == d.n) break;
      EXPECT_EQ(d.tile_of(GlobalIndex{i}).value, i / d.tile);
      if (d.owner(d.tile_of(GlobalIndex{i})) == d.coordinate) ++owned;
    }
    EXPECT_EQ(owned, d.local_extent()) << "what is not mine was counted";
    for (GlobalTile t{0}; t <= d.tiles_end(); ++t) {
      const auto behind = std::lower_bound(mine.begin(), mine.end(), t.value * d.tile);
      EXPECT_EQ(d.local_extent_from(t), mine.end() - behind);
    }
  });
}

TEST(BlockCyclic, Tiles) {
  for_each_dimension([](const BlockCyclic& d, const std::vector<std::int64_t>& mine) {
    std::int64_t tiles = 0;  // those met so far; of them `my_tiles` are this process's, with `my_indices` indices
    std::int64_t my_tiles = 0;
    std::int64_t my_indices = 0;
    for (std::int64_t i = 0; i < d.n; i += d.tile, ++tiles) {
      const GlobalTile t{tiles};
      const std::int64_t end = std::min(i + d.tile, d.n);
      EXPECT_EQ(d.begin(t).value, i);
      EXPECT_EQ(d.extent(t), end - i);
      EXPECT_EQ(d.extent_of(TileRange{GlobalTile{0}, t + 1}), end);
      EXPECT_EQ(d.local_lower_bound(t).value, my_tiles);
      EXPECT_EQ(d.local_begin(t).value, my_indices);
      EXPECT_EQ(d.is_mine(t), std::binary_search(mine.begin(), mine.end(), i));
      if (!d.is_mine(t)) continue;
      EXPECT_EQ(d.to_local(t).value, my_tiles);
      EXPECT_EQ(d.to_global(LocalTile{my_tiles}), t);
      ++my_tiles;
      my_indices += end - i;
    }
    EXPECT_EQ(d.tiles_end().value, tiles);
    EXPECT_EQ(d.begin(d.tiles_end()).value, d.n);
    EXPECT_EQ(d.local_tiles_end().value, my_tiles);
    EXPECT_EQ(d.local_begin(d.tiles_end()).value, my_indices);
    EXPECT_EQ(d.local_begin(d.tiles_end() + d.processes).value, my_indices) << "past the end";
  });
}

/// ScaLAPACK's NUMROC with source process 0, after its definition.
std::int64_t numroc(std::int64_t n, std::int64_t nb, int p, int processes) {
  const std::int64_t blocks = n / nb;
  const std::int64_t extra = blocks % processes;
  return blocks / processes * nb + (p < extra ? nb : p == extra ? n % nb : 0);
}

TEST(BlockCyclic, NumrocOfLargeDimensions) {
  for (const std::int64_t n : {std::int64_t{1} << 20, (std::int64_t{1} << 20) + 17, (std::int64_t{1} << 31) - 1}) {
    for (const std::int64_t tile : {64, 500, 1024}) {
      for (const int processes : {1, 3, 64}) {
        std::int64_t sum = 0;
        for (int p = 0; p < processes; ++p) {
          const BlockCyclic d{n, tile, processes, p};
          EXPECT_EQ(d.local_extent(), numroc(n, tile, p, processes));
          sum += d.local_extent();
          const LocalIndex last{d.local_extent() - 1};
          EXPECT_EQ(d.to_local(d.to_global(last)), last);
          EXPECT_LT(d.to_global(last).value, n);
        }
        EXPECT_EQ(sum, n);
      }
    }
  }
}

template <class Body>
void for_each_layout(const Body& body) {
  for (const std::int64_t n : {0, 1, 5, 16, 23}) {
    for (const std::int64_t tile : {1, 3, 4, 30}) {
      for (const GridShape grid : {GridShape{1, 1}, {2, 1}, {1, 3}, {2, 2}, {3, 2}, {2, 3}, {5, 7}}) {
        for (int p = 0; p < grid.rows; ++p) {
          for (int q = 0; q < grid.cols; ++q) {
            const BlockCyclic rows{n, tile, grid.rows, p};
            const BlockCyclic columns{n, tile, grid.cols, q};
            for (const std::int64_t tiles : {1, 2, 3, 100}) {
              for (const std::int64_t alignment : {1, 8}) {
                SCOPED_TRACE(std::to_string(n) + " in tiles of " + std::to_string(tile) + " on " +
                             std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + " at " +
                             std::to_string(p) + ", " + std::to_string(q) + ", slabs of " + std::to_string(tiles));
                body(SlabLayout{rows, columns, tiles * tile, alignment});
              }
            }
          }
        }
      }
    }
  }
}

TEST(SlabLayout, HoldsEveryLowerTileAndLittleMore) {
  for_each_layout([](const SlabLayout& l) {
    std::int64_t size = 0;
    std::int64_t column = 0;
    for (std::int64_t s = 0; s < l.count(); ++s) {
      EXPECT_EQ(l.column_begin(s).value, column);
      EXPECT_GT(l.width(s), 0);
      EXPECT_LE(l.width(s), l.slab);
      EXPECT_EQ(l.leading_dimension(s) % l.row_alignment, 0);
      EXPECT_GE(l.leading_dimension(s), l.height(s));
      EXPECT_LT(l.leading_dimension(s), l.height(s) + l.row_alignment);
      // the rows begin with the first that the slab's first column needs: those of its tile's row, and below
      const GlobalTile first = l.columns.tile_of(l.columns.to_global(l.column_begin(s)));
      std::int64_t above = 0;
      for (std::int64_t i = 0; i < l.rows.local_extent(); ++i) {
        if (l.rows.tile_of(l.rows.to_global(LocalIndex{i})) < first) ++above;
      }
      EXPECT_EQ(l.row_begin(s).value, s == 0 ? 0 : above);
      EXPECT_EQ(l.height(s), l.rows.local_extent() - l.row_begin(s).value);
      for (std::int64_t j = 0; j < l.width(s); ++j) EXPECT_EQ(l.slab_of(LocalIndex{column + j}), s);
      size += l.leading_dimension(s) * l.width(s);
      column += l.width(s);
    }
    EXPECT_EQ(column, l.columns.local_extent());
    EXPECT_EQ(l.size(), size);
  });
}

TEST(SlabLayout, WhatIsReservedChangesNoPlace) {
  for_each_layout([](const SlabLayout& l) {
    EXPECT_EQ(l.full().size(), l.size());
    for (const std::int64_t n : {std::int64_t{0}, l.rows.n / 2, l.rows.n}) {
      const SlabLayout part = l.resized(n);
      EXPECT_EQ(part.rows.n, n);
      EXPECT_EQ(part.columns.n, n);
      EXPECT_EQ(part.reserve, l.rows.n - n);
      EXPECT_EQ(part.size(), l.size());
      EXPECT_LE(part.count(), l.count());
      for (std::int64_t s = 0; s < part.count(); ++s) {
        EXPECT_EQ(part.row_begin(s), l.row_begin(s));
        EXPECT_EQ(part.column_begin(s), l.column_begin(s));
        EXPECT_EQ(part.leading_dimension(s), l.leading_dimension(s));
        EXPECT_EQ(part.height(s), part.rows.local_extent() - part.row_begin(s).value);
      }
    }
  });
}

TEST(SlabLayout, OneSlabIsScalapacksLocalArray) {
  for_each_layout([](const SlabLayout& given) {
    const SlabLayout l{given.rows, given.columns, std::max<std::int64_t>(1, given.rows.n), 1};
    const std::int64_t m = numroc(l.rows.n, l.rows.tile, l.rows.coordinate, l.rows.processes);
    const std::int64_t n = numroc(l.columns.n, l.columns.tile, l.columns.coordinate, l.columns.processes);
    EXPECT_EQ(l.size(), m * n);
    EXPECT_EQ(l.count(), n > 0 ? 1 : 0);
    if (n > 0) {
      EXPECT_EQ(l.leading_dimension(0), m);
    }
  });
}

TEST(SlabLayout, SlabsOfOneTileHoldTheLowerTilesAlone) {
  for (const std::int64_t n : {1, 7, 23}) {
    for (const std::int64_t tile : {1, 4, 30}) {
      const BlockCyclic d{n, tile, 1, 0};
      std::int64_t lower = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < n; ++j) lower += i / tile >= j / tile ? 1 : 0;
      }
      EXPECT_EQ((SlabLayout{d, d, tile, 1}.size()), lower) << n << " in tiles of " << tile;
    }
  }
}

TEST(SlabLayout, PartsOfARangeOfColumns) {
  for_each_layout([](const SlabLayout& l) {
    for (std::int64_t begin = 0; begin <= l.columns.local_extent(); ++begin) {
      for (std::int64_t end = begin; end <= l.columns.local_extent(); ++end) {
        std::int64_t next = begin;
        l.for_each_slab(LocalIndex{begin}, LocalIndex{end}, [&](LocalIndex from, LocalIndex to) {
          EXPECT_EQ(from.value, next);
          EXPECT_LT(from, to);
          EXPECT_EQ(l.slab_of(from), l.slab_of(to + -1));
          next = to.value;
        });
        EXPECT_EQ(next, end);
      }
    }
  });
}

TEST(SlabLayout, SizesBeyondInt) {
  constexpr std::int64_t n = (std::int64_t{1} << 20) + 3;
  constexpr std::int64_t tile = 1000;
  constexpr BlockCyclic one{n, tile, 1, 0};
  static_assert(SlabLayout{one, one, n, 1}.size() == n * n);
  constexpr std::int64_t tiles = n / tile;  // and a ragged one
  static_assert(SlabLayout{one, one, tile, 1}.size() ==
                tile * tile * (tiles * (tiles + 1) / 2) + (n - tiles * tile) * n);

  // four ranks hold all tiles of a wide-slabbed matrix, about half of it
  std::int64_t sum = 0;
  for (int rank = 0; rank < 4; ++rank) {
    const SlabLayout l{{n, tile, 2, rank / 2}, {n, tile, 2, rank % 2}, 8 * tile, 8};
    EXPECT_GT(l.size(), std::int64_t{1} << 31);
    std::int64_t offset = 0;
    for (std::int64_t s = 0; s < l.count(); ++s) offset += l.leading_dimension(s) * l.width(s);
    EXPECT_EQ(offset, l.size());
    EXPECT_EQ(l.column_begin(l.count() - 1) - LocalIndex{0}, (l.count() - 1) * 8 * tile);
    sum += l.size();
  }
  EXPECT_GT(sum, n / 2 * n);
  EXPECT_LT(static_cast<double>(sum), 0.51 * static_cast<double>(n) * static_cast<double>(n));
}

TEST(Rules, NearlySquare) {
  for (const auto& [ranks, expected] : std::vector<std::pair<int, GridShape>>{{1, {1, 1}},
                                                                              {2, {2, 1}},
                                                                              {3, {3, 1}},
                                                                              {4, {2, 2}},
                                                                              {6, {3, 2}},
                                                                              {7, {7, 1}},
                                                                              {8, {4, 2}},
                                                                              {9, {3, 3}},
                                                                              {12, {4, 3}},
                                                                              {24, {6, 4}},
                                                                              {64, {8, 8}},
                                                                              {128, {16, 8}},
                                                                              {210, {15, 14}},
                                                                              {1024, {32, 32}},
                                                                              {46349, {46349, 1}}}) {
    EXPECT_EQ(nearly_square(ranks), expected) << ranks;
  }
}

TEST(Rules, DefaultTileSize) {
  struct Row {
    std::int64_t n;
    int ranks;
    std::int64_t cap;
    std::int64_t expected;
  };
  for (const Row& row : {Row{0, 4, 512, 0}, Row{1, 4, 512, 1}, Row{63, 1, 512, 63}, Row{64, 4, 512, 64},
                         Row{100, 4, 512, 64}, Row{256, 4, 512, 64}, Row{260, 4, 512, 65}, Row{1000, 3, 512, 333},
                         Row{2048, 4, 512, 512}, Row{100000, 4, 512, 512}, Row{100000, 1, 1024, 1024},
                         Row{1000, 1, 128, 128}, Row{1000, 1, 10, 64}, Row{50, 1, 10, 50}, Row{1000, 100, 0, 64},
                         Row{std::int64_t{1} << 40, 2, std::int64_t{1} << 50, std::int64_t{1} << 39}}) {
    EXPECT_EQ(default_tile_size(row.n, row.ranks, row.cap), row.expected)
        << row.n << " on " << row.ranks << " ranks, cap " << row.cap;
  }
  EXPECT_THROW(default_tile_size(-1, 1, 256), std::invalid_argument);
  for (const int ranks : {0, -1, INT_MIN}) EXPECT_THROW(default_tile_size(100, ranks, 256), std::invalid_argument);
}

}  // namespace
}  // namespace tessera::testing
