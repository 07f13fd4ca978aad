// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "support.hpp"

#include "core/assemble/gram_memory.hpp"
#include "core/assemble/redistribute_memory.hpp"
#include "core/factorize/buffers.hpp"
#include "core/factorize/integer_columns.hpp"
#include "core/factorize/traffic.hpp"
#include "core/matrix/leaves.hpp"
#include "core/solve/buffers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
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
    const int gram_moduli = detail::gram_moduli<T, Exec>(options.gram, n, depth);
    const std::int64_t parameters = n == 0 ? 0 : depth;  // of J J^H: where there are no samples, there are none
    const detail::GramChunks chunks(options.gram, j_jh ? parameters : n, first,
                                    detail::terms_per_chunk<Space>(n, true, false, gram_moduli));
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
      const std::int64_t in_a_sector = 32 / static_cast<std::int64_t>(sizeof(T));
      const std::int64_t leading_dimension = (n + in_a_sector - 1) / in_a_sector * in_a_sector;
      EXPECT_EQ(memory.right_hand_sides, bytes(leading_dimension * options.nrhs) + bytes(n * options.nrhs));
      const detail::Schedule schedule;
      const int moduli = detail::moduli_for<T, Exec>(options.arithmetic, options.moduli, n, ranks);
      EXPECT_EQ(memory.factorize, (detail::factorize_bytes<T, Exec>(layout, {moduli, n}, schedule)));
      EXPECT_EQ(memory.solve, (detail::solve_bytes<T, Exec>(layout, options.nrhs, schedule)));
      if (options.source == Source::buffered_gram) {
        const bool in_place = detail::is_multiplied_in_place<T>(options.gram, ranks, detail::order_of_blocks<Exec>);
        EXPECT_EQ(memory.redistribute, (detail::bytes_of<detail::GramBuffers<T, Exec>, Space>(
                                           layout, chunks, rank, true, in_place, gram_moduli)));
        EXPECT_EQ(plan.gram_moduli, gram_moduli);
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
          for (const Arithmetic arithmetic : {Arithmetic::native, Arithmetic::integer}) {
            options.gram = {form, 1, form == GramForm::jh_j, true, arithmetic};
            expect_planned(n, grid, options);
          }
        }
      }
    }
  }
}

// The other order deals out the same places.
TEST(MemoryPlanTest, GridsOfEitherOrder) {
  for (const GridShape shape : grids) {
    for (const bool adopted : {false, true}) {
      MemoryPlanOptions options{.tile_size = 16, .adopted = adopted};
      const MemoryPlan by_rows = memory_plan<double, Exec>(203, shape, options);
      options.order = GridOrder::column_major;
      const MemoryPlan by_columns = memory_plan<double, Exec>(203, shape, options);
      for (int rank = 0; rank < shape.rows * shape.cols; ++rank) {
        const auto here = static_cast<std::size_t>(rank);
        const auto there = static_cast<std::size_t>(rank % shape.rows * shape.cols + rank / shape.rows);
        EXPECT_EQ(by_columns.ranks[here].peak, by_rows.ranks[there].peak) << rank;
        EXPECT_EQ(by_columns.sent[here].bytes, by_rows.sent[there].bytes) << rank;
        EXPECT_EQ(by_columns.sent[here].messages, by_rows.sent[there].messages) << rank;
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

TEST(MemoryPlanTest, FitsWhatItCan) {
  const std::int64_t n = 20000;
  const GridShape grid{2, 2};
  const MemoryPlan roomy = memory_plan<double>(n, grid);
  ASSERT_TRUE(roomy.fits);
  EXPECT_EQ(roomy.tile_size, (detail::tile_size_for<double, Exec::memory_space>(0, n, grid)));
  EXPECT_GT(roomy.peak(), n * n / 2 * 8 / 4);

  const MemoryPlan tight = memory_plan<double>(n, grid, {.bytes_free = roomy.peak() - 1});
  EXPECT_TRUE(tight.fits);
  EXPECT_LT(tight.peak(), roomy.peak());
  EXPECT_TRUE(tight.slab < roomy.slab || tight.tile_size < roomy.tile_size);
  // and what it names is what was planned
  const MemoryPlan named = memory_plan<double>(n, grid, {.tile_size = tight.tile_size, .slab = tight.slab});
  EXPECT_EQ(named.peak(), tight.peak());

  const MemoryPlan without = memory_plan<double>(n, grid, {.nrhs = 0});
  for (const RankMemory& rank : without.ranks) EXPECT_EQ(rank.right_hand_sides, 0);
  EXPECT_LT(without.peak(), roomy.peak());

  const MemoryPlan hopeless = memory_plan<double>(n, grid, {.bytes_free = n * n / 2 * 8 / 4});
  EXPECT_FALSE(hopeless.fits);
  EXPECT_LT(hopeless.peak(), roomy.peak());
  EXPECT_FALSE(memory_plan<double>(0, grid, {.bytes_free = 0}).fits);
}

// As many columns as fit, to the byte, then none, and then smaller tiles and slabs; where that is nearly nothing, the
// fastest would be native.
TEST(MemoryPlanTest, FitsTheIntegersThatItCan) {
  const std::int64_t n = 20000;
  for (const GridShape grid : {GridShape{1, 1}, {2, 1}, {2, 3}}) {
    SCOPED_TRACE(::testing::Message() << grid.rows << " x " << grid.cols);
    const auto plan = [&](std::optional<std::int64_t> bytes) {
      return memory_plan<double>(n, grid, {.bytes_free = bytes, .arithmetic = Arithmetic::integer});
    };
    const MemoryPlan all = plan({});
    EXPECT_EQ(all.integer_columns, n);
    EXPECT_EQ(plan(all.peak()).integer_columns, n);
    MemoryPlan before = all;
    for (int steps = 0; steps < 3; ++steps) {
      const MemoryPlan next = plan(before.peak() - 1);
      EXPECT_TRUE(next.fits);
      EXPECT_EQ(next.moduli, 13);
      EXPECT_LT(next.integer_columns, before.integer_columns);
      EXPECT_GT(next.integer_columns, n - 3 * (steps + 1) * 512);  // at most a step of each process column
      EXPECT_EQ(std::pair(next.tile_size, next.slab), std::pair(all.tile_size, all.slab));
      before = next;
    }
    const MemoryPlan native = memory_plan<double>(n, grid);
    const MemoryPlan half = plan((all.peak() + native.peak()) / 2);
    EXPECT_TRUE(half.fits);
    if (grid.rows * grid.cols == 1) {  // which has residues made anew
      EXPECT_EQ(half.integer_columns, n);
      EXPECT_LT(half.peak(), (all.peak() + native.peak()) / 2);
      continue;
    }
    EXPECT_TRUE(n / 8 < half.integer_columns && half.integer_columns < n / 2) << half.integer_columns;
    const MemoryPlan none = plan(native.peak());
    EXPECT_TRUE(none.fits);
    EXPECT_EQ(std::pair(none.tile_size, none.slab), std::pair(all.tile_size, all.slab));
  }
  EXPECT_EQ(detail::worthwhile<Space>(Arithmetic::fastest, {13, n / 16 - 1}, n).moduli, 0);
  EXPECT_EQ(detail::worthwhile<Space>(Arithmetic::fastest, {13, n / 16}, n).moduli, 13);
  EXPECT_EQ(detail::worthwhile<Space>(Arithmetic::integer, {13, 1}, n).columns, 1);
}

// A rank has its rows of b and x, and buffers that do not grow with the number of right-hand sides.
TEST(MemoryPlanTest, ByRowsTakesAShareOfTheRightHandSides) {
  const std::int64_t n = 20000;
  const GridShape grid{8, 8};
  const auto most = [&](std::int64_t nrhs, bool by_rows) {
    const MemoryPlan plan = memory_plan<double>(n, grid, {.nrhs = nrhs, .by_rows = by_rows, .source = Source::rows});
    std::int64_t solve = 0;
    std::int64_t right_hand_sides = 0;
    for (const RankMemory& rank : plan.ranks) {
      solve = std::max(solve, rank.solve);
      right_hand_sides = std::max(right_hand_sides, rank.right_hand_sides);
    }
    return std::pair{right_hand_sides, solve};
  };
  const auto [some, solve_of_some] = most(2000, true);
  const auto [many, solve_of_many] = most(10000, true);
  const std::int64_t rows = n / 64 + 1;  // the most of 64 ranks
  EXPECT_EQ(many, 8 * ((rows + 3) / 4 * 4 + rows) * 10000);
  EXPECT_EQ(many, 5 * some);
  EXPECT_EQ(solve_of_many, solve_of_some);
  EXPECT_EQ(most(10000, false).first, 2 * 8 * n * 10000);
}

/// Where no rank has a sample, none says how many parameters there are.
TEST(MemoryPlanTest, NoSamplesHaveNoParameters) {
  const auto peak = [](std::int64_t depth) {
    return memory_plan<double>(0, 2, {.source = Source::gram, .depth = depth, .arithmetic = Arithmetic::integer})
        .peak();
  };
  EXPECT_EQ(peak(600), peak(0));
}

TEST(MemoryPlanTest, Misuse) {
  const auto expect = [](const std::string& argument, std::int64_t n, GridShape grid,
                         const MemoryPlanOptions& options) {
    const Thrown thrown = thrown_by([&] { memory_plan<float>(n, grid, options); });
    EXPECT_EQ(thrown.kind, Kind::invalid_argument) << thrown;
    EXPECT_TRUE(thrown.message.starts_with(argument + ": ")) << thrown;
  };
  expect("n", -1, {1, 1}, {});
  expect("grid", 10, {0, 3}, {});
  expect("grid", 10, {100000, 100000}, {});
  expect("tile_size", 10, {1, 1}, {.tile_size = -4});
  expect("slab", 10, {1, 1}, {.slab = -4});
  expect("nrhs", 10, {1, 1}, {.nrhs = -1});
  expect("reserve", 10, {1, 1}, {.reserve = -1});
  expect("reserve", 10, {1, 1}, {.reserve = (std::int64_t{1} << 31) - 10});
  expect("reserve", 10, {1, 1}, {.tile_size = 1 << 20, .reserve = (std::int64_t{1} << 31) - 11});
  expect("order", 10, {1, 1}, {.order = static_cast<GridOrder>(2)});
  expect("adopted", 10, {1, 1}, {.adopted = true});
  expect("adopted", 10, {1, 1}, {.tile_size = 4, .slab = 8, .adopted = true});
  expect("adopted", 10, {1, 1}, {.tile_size = 4, .reserve = 8, .adopted = true});
  expect("adopted", 10, {1, 1}, {.tile_size = 4, .source = Source::rows, .adopted = true});
  expect("depth", 10, {1, 1}, {.depth = -1});
  expect("depth", 10, {1, 1}, {.source = Source::gram, .depth = std::int64_t{1} << 62});
  expect("bytes_free", 10, {1, 1}, {.bytes_free = -1});
  expect("source", 10, {1, 1}, {.source = static_cast<Source>(99)});
  // more bytes than a std::int64_t holds, on a rank or in all
  constexpr std::int64_t most = INT64_MAX;
  for (const Source source : {Source::fill, Source::rows, Source::gram}) {
    for (const std::int64_t nrhs : {most, most / 10, most / 20 / 4, std::int64_t{1} << 61}) {
      expect("nrhs", 10, {2, 2}, {.nrhs = nrhs, .source = source});
    }
    expect("n", (std::int64_t{1} << 31) - 1, {1, 1}, {.tile_size = 1 << 20, .source = source});
    expect("n", (std::int64_t{1} << 31) - 1, {4, 4}, {.tile_size = 1 << 20, .source = source});
  }
  expect("nrhs", 1024, {1, 1}, {.nrhs = std::int64_t{1} << 51, .bytes_free = most});
  EXPECT_EQ(memory_plan<double>(10, 1, {.nrhs = std::int64_t{1} << 55, .bytes_free = most - 1}).fits, true);
  EXPECT_EQ(thrown_by([] {
              using Complex = Kokkos::complex<float>;
              memory_plan<Complex>(910000000, {1, 1}, {.arithmetic = Arithmetic::integer, .moduli = 15});
            }).kind,
            Kind::invalid_argument);
  expect("form", 10, {1, 1}, {.gram = {.form = static_cast<GramForm>(7)}});
  expect("arithmetic", 10, {1, 1}, {.gram = {.arithmetic = static_cast<Arithmetic>(3)}});
  expect("moduli", 10, {1, 1}, {.gram = {.moduli = 16}});
  expect("n", (std::int64_t{1} << 31) - 1, {1, 1},
         {.tile_size = 1 << 20, .source = Source::gram, .gram = {.arithmetic = Arithmetic::integer}});
  expect("arithmetic", 10, {1, 1}, {.arithmetic = static_cast<Arithmetic>(3)});
  for (const int moduli : {-1, 1, 3, 16}) {
    expect("moduli", 10, {1, 1}, {.moduli = moduli});
    expect("moduli", 10, {2, 3}, {.arithmetic = Arithmetic::integer, .moduli = moduli});
  }
  EXPECT_EQ(thrown_by([] { memory_plan<float>(10, 0); }).kind, Kind::invalid_argument);
  EXPECT_EQ(memory_plan<float>(10, 6).grid, (GridShape{3, 2}));
}

}  // namespace
}  // namespace tessera::testing
