#include "support.hpp"

#include "core/assemble/gram_memory.hpp"
#include "core/assemble/redistribute_memory.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/traffic.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

// memory_plan takes ranks together. Here each rank is asked for itself, on grids that no test can run on.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

constexpr GridShape grids[] = {{1, 1}, {2, 2}, {3, 2}, {2, 3}, {1, 7}, {7, 1}, {5, 5}, {6, 4}, {4, 6}, {12, 3}};
constexpr std::int64_t sizes[] = {0, 1, 2, 33, 203, 1500};
constexpr std::int64_t tiles[] = {3, 16, 64, 300};

template <class T>
struct MemoryPlanTest : ::testing::Test {
  static SlabLayout layout(std::int64_t n, GridShape grid, int rank, std::int64_t tile, std::int64_t slab) {
    return detail::make_layout<T, Space>(grid, rank, n, tile, slab);
  }
};
using PlanScalars = ::testing::Types<double, Kokkos::complex<float>>;
TYPED_TEST_SUITE(MemoryPlanTest, PlanScalars);

/// The messages of one rank, step by step, to those to whom FactorizeMessages has them go.
template <class T>
struct OneRank {
  BlockCyclic rows;
  BlockCyclic columns;
  detail::Step step;
  RankTraffic& sent;
  detail::FactorizeMessages messages{rows, columns};

  TileRange newest() const { return detail::newest_column(step, columns); }
  void subtract_ahead(TileRange left) { subtract(step.k, left); }
  void subtract(TileRange k, TileRange left) {
    for (GlobalTile t = k.begin; t < k.end; ++t) {
      const std::int64_t numbers = messages.numbers_of_row(t, left);
      if (rows.is_mine(t) && numbers > 0) send_down(k.begin, numbers);
    }
  }
  void pass_sum() {
    const auto beside = messages.sum_neighbours(step.k);
    if (!beside || beside->next < 0) return;
    const std::int64_t height = rows.local_extent_from(step.k.begin);
    const std::int64_t chunk_rows = detail::Schedule().chunk_rows;
    sent.messages += (height + chunk_rows - 1) / chunk_rows;
    count(height * columns.extent_of(step.k));
  }
  int factor_diagonal(GlobalTile t) {
    if (columns.is_mine(t) && rows.is_mine(t)) send_down(t + 1, messages.numbers_of_diagonal(t));
    return 0;
  }
  void divide_below(GlobalTile, int) {}

  void send_down(GlobalTile top, std::int64_t numbers) {
    const auto receivers = static_cast<std::int64_t>(messages.process_rows_from(top).size());
    sent.messages += receivers;
    count(receivers * numbers);
  }
  void count(std::int64_t numbers) { sent.bytes += numbers * static_cast<std::int64_t>(sizeof(T)); }
};

TYPED_TEST(MemoryPlanTest, WhatEachRankSends) {
  using T = TypeParam;
  // `moduli`: of integer products; 0: native ones.
  const auto expect_planned = [](std::int64_t n, GridShape grid, std::int64_t tile, std::int64_t slab, int moduli) {
    SCOPED_TRACE(::testing::Message() << "n " << n << ", " << grid.rows << " x " << grid.cols << ", tile " << tile
                                      << ", moduli " << moduli);
    const Arithmetic arithmetic = moduli > 0 ? Arithmetic::integer : Arithmetic::native;
    const MemoryPlan plan =
        memory_plan<T, Exec>(n, grid, {.tile_size = tile, .slab = slab, .arithmetic = arithmetic, .moduli = moduli});
    ASSERT_EQ(plan.sent.size(), static_cast<std::size_t>(grid.rows * grid.cols));
    for (int rank = 0; rank < grid.rows * grid.cols; ++rank) {
      const SlabLayout layout = TestFixture::layout(n, grid, rank, tile, slab);
      RankTraffic expected;
      TileRange previous;
      for (const TileRange k : detail::steps_of<Space>(layout, moduli).all()) {
        const detail::Step step{k, std::exchange(previous, k)};
        OneRank<T> one{layout.rows, layout.columns, step, expected};
        detail::describe(step, one);
      }
      EXPECT_EQ(plan.sent[static_cast<std::size_t>(rank)].messages, expected.messages) << "rank " << rank;
      EXPECT_EQ(plan.sent[static_cast<std::size_t>(rank)].bytes, expected.bytes) << "rank " << rank;
    }
  };
  for (const GridShape grid : grids) {
    for (const std::int64_t n : sizes) {
      for (const std::int64_t tile : tiles) {
        for (const std::int64_t slab : {0, 48}) {
          expect_planned(n, grid, tile, slab, 0);
          expect_planned(n, grid, tile, slab, 13);
        }
      }
    }
    expect_planned(40000, grid, 300, 0, 0);  // sums in several messages
  }
}

TYPED_TEST(MemoryPlanTest, WhatEachRankAllocates) {
  using T = TypeParam;
  constexpr std::int64_t depth = 1100;
  const auto expect_planned = [&](std::int64_t n, GridShape grid, const MemoryPlanOptions& options) {
    SCOPED_TRACE(::testing::Message() << "n " << n << ", " << grid.rows << " x " << grid.cols << ", tile "
                                      << options.tile_size << ", source " << static_cast<int>(options.source));
    const int ranks = grid.rows * grid.cols;
    const bool j_jh = options.gram.form == GramForm::j_jh;
    std::vector<std::int64_t> first;
    for (int r = 0; r <= ranks; ++r) first.push_back(detail::operator_row_begin(j_jh ? n : depth, ranks, r));
    const detail::GramChunks chunks(options.gram, j_jh ? depth : n, first,
                                    detail::terms_per_chunk<Space>(n, true, false));
    const MemoryPlan plan = memory_plan<T, Exec>(n, grid, options);
    ASSERT_EQ(plan.ranks.size(), static_cast<std::size_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank) {
      SCOPED_TRACE(rank);
      const SlabLayout layout = TestFixture::layout(n, grid, rank, options.tile_size, options.slab);
      std::int64_t size = 0;
      for (std::int64_t s = 0; s < layout.count(); ++s) size += layout.leading_dimension(s) * layout.width(s);
      const RankMemory& memory = plan.ranks[static_cast<std::size_t>(rank)];
      const auto bytes = [](std::int64_t numbers) {
        return (numbers * static_cast<std::int64_t>(sizeof(T)) + 7) / 8 * 8;
      };
      EXPECT_EQ(memory.matrix, bytes(size));
      EXPECT_EQ(memory.inverses, bytes(detail::Leaves<Space>(layout).template inverses_size<T>()));
      EXPECT_EQ(memory.right_hand_sides, 2 * bytes(n * options.nrhs));
      const detail::Schedule schedule;
      const int moduli = detail::moduli_for<T, Exec>(options.arithmetic, options.moduli, n);
      EXPECT_EQ(memory.factorize,
                (detail::factorize_bytes<T, Exec>(layout, moduli, schedule)));
      EXPECT_EQ(memory.solve, (detail::bytes_of<detail::SolveBuffers<T, Exec>, Space>(layout, options.nrhs, schedule)));
      if (options.source == Source::buffered_gram) {
        const bool in_place = detail::is_multiplied_in_place<T>(options.gram, ranks, detail::order_of_blocks<Exec>);
        EXPECT_EQ(memory.redistribute,
                  (detail::bytes_of<detail::GramBuffers<T, Exec>, Space>(layout, chunks, rank, true, in_place)));
      } else {
        const std::int64_t rows =
            detail::operator_row_begin(n, ranks, rank + 1) - detail::operator_row_begin(n, ranks, rank);
        EXPECT_EQ(memory.redistribute, (detail::bytes_of<detail::RedistributeBuffers<T, Space>, Space>(
                                           layout, options.triangle == Triangle::upper, rows)));
      }
      EXPECT_EQ(memory.peak, memory.matrix + memory.inverses + memory.right_hand_sides +
                                 std::max({memory.redistribute, memory.factorize, memory.solve}));
    }
  };
  for (const GridShape grid : grids) {
    for (const std::int64_t n : sizes) {
      for (const std::int64_t tile : tiles) {
        MemoryPlanOptions options{.nrhs = 3, .tile_size = tile, .source = Source::buffered_rows, .depth = depth};
        expect_planned(n, grid, options);
        options.arithmetic = Arithmetic::integer;
        expect_planned(n, grid, options);
        options.moduli = 9;
        expect_planned(n, grid, options);
        options.arithmetic = Arithmetic::native;
        options.triangle = Triangle::upper;
        options.nrhs = 300;
        expect_planned(n, grid, options);
        options.source = Source::buffered_gram;
        for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
          options.gram = {form, 1, form == GramForm::jh_j, true};
          expect_planned(n, grid, options);
        }
      }
    }
  }
}

TEST(MemoryPlanOfManyRanksTest, IsMadeOfAllOfThem) {
  const MemoryPlan plan = memory_plan<double, Exec>(1000000, 10000);
  EXPECT_EQ(plan.ranks.size(), 10000U);
  EXPECT_EQ(plan.sent.size(), 10000U);
  EXPECT_GE(plan.total(), std::int64_t{4000000} * 1000000);
  std::int64_t bytes = 0;
  for (const RankTraffic& sent : plan.sent) bytes += sent.bytes;
  const double expected = 8e12 * (100 + 100 - 2) / 2;  // n^2 (P + Q - 2) / 2 numbers
  EXPECT_NEAR(static_cast<double>(bytes), expected, 0.05 * expected);
}

}  // namespace
}  // namespace tessera::testing
