// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/ring_sum.hpp"
#include "core/factorize/update.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

// The pure functions that a step of the factorisation is cut and routed by.
namespace tessera::detail {
namespace {

/// How often each number of C, this rank's rows from block column k on, is updated: on the diagonal block only what is
/// in its lower triangle counts.
std::vector<int> times_updated(const std::vector<UpdatePart>& parts, const BlockCyclic& rows, TileRange k) {
  const LocalIndex top = rows.local_begin(k.begin);
  const std::int64_t height = rows.local_extent_from(k.begin);
  std::vector<int> times(static_cast<std::size_t>(height * rows.extent_of(k)));
  for (const UpdatePart& part : parts) {
    for (LocalIndex i = part.begin; i < part.end; ++i) {
      for (std::int64_t j = 0; j < part.columns + part.triangle; ++j) {
        const bool above_diagonal = rows.to_global(i).value < rows.begin(k.begin).value + j;
        if (j >= part.columns && above_diagonal) continue;
        ++times[static_cast<std::size_t>((i - top) + j * height)];
      }
    }
  }
  return times;
}

TEST(UpdateCut, EachNumberOfTheLowerTriangleIsUpdatedOnce) {
  for (const auto& [n, tile] : {std::array<std::int64_t, 2>{1, 4}, {37, 5}, {60, 6}, {700, 64}}) {
    for (int processes = 1; processes <= 4; ++processes) {
      for (int coordinate = 0; coordinate < processes; ++coordinate) {
        const BlockCyclic rows{n, tile, processes, coordinate};
        for (GlobalTile begin{0}; begin < rows.tiles_end(); ++begin) {
          for (const std::int64_t tiles : {1, 3}) {
            const TileRange k{begin, std::min(begin + tiles, rows.tiles_end())};
            for (const UpdateCut& cut : {UpdateCut{true, false, 1 << 30}, UpdateCut{true, false, 7},
                                         UpdateCut{false, false, 7}, UpdateCut{false, true, 100}}) {
              SCOPED_TRACE(::testing::Message()
                           << "n " << n << ", tile " << tile << ", process " << coordinate << " of " << processes
                           << ", k " << k.begin.value << ":" << k.end.value);
              const auto parts = cut.parts(rows, k);
              const auto times = times_updated(parts, rows, k);
              const std::int64_t height = rows.local_extent_from(k.begin);
              for (std::int64_t i = 0; i < height; ++i) {
                const std::int64_t global = rows.to_global(rows.local_begin(k.begin) + i).value;
                for (std::int64_t j = 0; j < rows.extent_of(k); ++j) {
                  const int got = times[static_cast<std::size_t>(i + j * height)];
                  const bool is_lower = global >= rows.begin(k.begin).value + j;
                  ASSERT_LE(got, 1) << i << ", " << j;
                  ASSERT_GE(got, is_lower ? 1 : 0) << i << ", " << j;
                }
              }
              for (const UpdatePart& part : parts) {
                EXPECT_LT(part.begin, part.end);
                EXPECT_TRUE(part.triangle > 0 || part.end - part.begin <= cut.most_rows);
                EXPECT_TRUE(cut.separate_diagonal || part.triangle == 0);
                EXPECT_TRUE(cut.in_halves || !part.in_lower_half);
              }
            }
          }
        }
      }
    }
  }
}

TEST(UpdateCut, HalvesAreAboutEvenAndAligned) {
  const BlockCyclic rows{2000, 128};
  const auto parts = UpdateCut{false, true, 1 << 30}.parts(rows, {GlobalTile{0}, GlobalTile{1}});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_FALSE(parts[0].in_lower_half);
  EXPECT_TRUE(parts[1].in_lower_half);
  EXPECT_EQ(parts[0].end, parts[1].begin);
  EXPECT_EQ(parts[0].end.value % 128, 0);
  EXPECT_NEAR(static_cast<double>(parts[0].end.value), 1000, 128);
}

TEST(Ring, GoesFromBehindTheOwnerToTheOwner) {
  for (int size = 1; size <= 5; ++size) {
    for (int owner = 0; owner < size; ++owner) {
      for (int members = 0; members < 1 << size; ++members) {
        const auto contributes = [members](int coordinate) { return (members >> coordinate & 1) != 0; };
        std::vector<int> ring;
        for (int step = 1; step < size; ++step) {
          if (contributes((owner + step) % size)) ring.push_back((owner + step) % size);
        }
        ring.push_back(owner);
        for (int me = 0; me < size; ++me) {
          const auto beside = ring_neighbours(me, owner, size, contributes);
          const auto at = std::find(ring.begin(), ring.end(), me);
          ASSERT_EQ(beside.has_value(), at != ring.end() && ring.size() > 1);
          if (!beside) continue;
          EXPECT_EQ(beside->previous, at == ring.begin() ? -1 : *(at - 1));
          EXPECT_EQ(beside->next, at + 1 == ring.end() ? -1 : *(at + 1));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tessera::detail
