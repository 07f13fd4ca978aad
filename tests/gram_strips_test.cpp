// SPDX-License-Identifier: BSD-3-Clause
#include "core/assemble/gram_strips.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

// Which strip of X lies in the other one, against the sets of tiles themselves, on all grids up to 6 x 6.
namespace tessera::testing {
namespace {

using detail::Nesting;
using detail::Strip;

std::set<std::int64_t> tiles_of(const BlockCyclic& axis) {
  std::set<std::int64_t> tiles;
  for (LocalTile t{0}; t < axis.local_tiles_end(); ++t) tiles.insert(axis.to_global(t).value);
  return tiles;
}

bool lies_in(const std::set<std::int64_t>& some, const std::set<std::int64_t>& all) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

template <class Body>
void for_each_process(const Body& body) {
  constexpr std::int64_t tile = 2;
  constexpr std::int64_t n = 60 * tile + 1;  // more tiles than the least common multiple of 1, ..., 6
  for (int grid_rows = 1; grid_rows <= 6; ++grid_rows) {
    for (int grid_cols = 1; grid_cols <= 6; ++grid_cols) {
      for (int p = 0; p < grid_rows; ++p) {
        for (int q = 0; q < grid_cols; ++q) {
          SCOPED_TRACE(::testing::Message() << "(" << p << ", " << q << ") of " << grid_rows << " x " << grid_cols);
          body(BlockCyclic{n, tile, grid_rows, p}, BlockCyclic{n, tile, grid_cols, q});
        }
      }
    }
  }
}

TEST(GramStripsTest, NestingIsThatOfTheTiles) {
  for_each_process([](const BlockCyclic& rows, const BlockCyclic& columns) {
    const auto row_tiles = tiles_of(rows);
    const auto column_tiles = tiles_of(columns);
    const bool row_in_column = lies_in(row_tiles, column_tiles);
    const bool column_in_row = lies_in(column_tiles, row_tiles);
    const Nesting nesting = detail::nesting_of(rows, columns);
    EXPECT_EQ(nesting == Nesting::same, row_in_column && column_in_row);
    EXPECT_EQ(nesting == Nesting::row_in_column, row_in_column && !column_in_row);
    EXPECT_EQ(nesting == Nesting::column_in_row, column_in_row && !row_in_column);
    EXPECT_EQ(nesting == Nesting::neither, !row_in_column && !column_in_row);
  });
}

// Of strips that are nested the larger one is sent, once.
TEST(GramStripsTest, WhatIsNotSentLiesInWhatIs) {
  for_each_process([](const BlockCyclic& rows, const BlockCyclic& columns) {
    const Nesting nesting = detail::nesting_of(rows, columns);
    const bool row_is_sent = detail::is_sent(Strip::row, nesting);
    const bool column_is_sent = detail::is_sent(Strip::column, nesting);
    EXPECT_TRUE(row_is_sent || column_is_sent);
    EXPECT_EQ(row_is_sent && column_is_sent, nesting == Nesting::neither);
    if (!row_is_sent) {
      EXPECT_TRUE(lies_in(tiles_of(rows), tiles_of(columns)));
    }
    if (!column_is_sent) {
      EXPECT_TRUE(lies_in(tiles_of(columns), tiles_of(rows)));
    }
  });
}

}  // namespace
}  // namespace tessera::testing
