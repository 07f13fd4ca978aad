// SPDX-License-Identifier: BSD-3-Clause
#include "c_interface.hpp"
#include "callers_array.hpp"
#include "calls.hpp"
#include "core/solve/inverse_buffers.hpp"
#include "factor_operations.hpp"
#include "jacobians.hpp"
#include "operators.hpp"
#include "row_numbers.hpp"
#include "watch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>
// What is allocated: what the memory plan says, to the byte.
namespace tessera::testing {
namespace {
using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
struct MemoryTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  std::int64_t planned(std::int64_t n, GridShape grid, const MemoryPlanOptions& options) const {
    const MemoryPlan plan = memory_plan<T, Exec>(n, grid, options);
    EXPECT_EQ(plan.grid, grid);
    return plan.ranks.at(static_cast<std::size_t>(rank)).peak;
  }
};
TYPED_TEST_SUITE(MemoryTest, Scalars);

TYPED_TEST(MemoryTest, ThePlanOfThePiecesIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const std::int64_t n : {0, 5, 203, 700}) {
      for (const auto [tile, slab, nrhs] : {std::array<std::int64_t, 3>{16, 0, 1}, {7, 30, 300}, {64, 64, 3}}) {
        if (n > 50 * tile) continue;  // many steps, and nothing new
        SCOPED_TRACE(::testing::Message()
                     << "n " << n << ", " << shape.rows << " x " << shape.cols << ", tile " << tile);
        const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
        Watch watch;
        ShardedMatrix<T> matrix(grid, n, tile, slab);
        matrix.fill(Exec{}, Dominant<T>{n});
        const auto l = factorize(Exec{}, std::move(matrix));
        for (const FactorOperation operation : factor_operations) {
          call(operation, l, Exec{}, b);
          const std::int64_t planned = this->planned(n, shape, {.nrhs = nrhs, .tile_size = tile, .slab = slab});
          EXPECT_TRUE(planned <= watch.peak() && watch.peak() <= planned + beside_the_plan_of(operation)) << operation;
        }
      }
    }
  }
}

/// As it is made, and when rows have been appended, which takes no more than solves with the larger factor do.
TYPED_TEST(MemoryTest, ThePlanOfAReserveIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const auto [n, reserve, tile, slab, k] : {std::array<std::int64_t, 5>{0, 30, 16, 0, 30},
                                                   {5, 700, 64, 64, 300},
                                                   {203, 50, 16, 0, 1},
                                                   {203, 9, 7, 30, 9},
                                                   {40, 3, 0, 0, 2}}) {
      SCOPED_TRACE(::testing::Message() << "n " << n << ", reserve " << reserve << ", " << shape.rows << " x "
                                        << shape.cols << ", tile " << tile);
      const Dominant<T> f{n + k};
      const auto rows = make_rows<Kokkos::View<T**>>({n, n + k}, 0, n + k, f);
      Watch watch;
      ShardedMatrix<T> matrix(grid, n, tile, slab, reserve);
      matrix.fill(Exec{}, f);
      auto l = factorize(Exec{}, std::move(matrix));
      const MemoryPlanOptions before{.nrhs = 0, .tile_size = tile, .slab = slab, .reserve = reserve};
      EXPECT_EQ(watch.peak(), this->planned(n, shape, before));
      l.append(Exec{}, rows);
      const std::int64_t at_once = std::min<std::int64_t>(k, 256);
      const auto plan = [&](std::int64_t size, std::int64_t left) {
        const MemoryPlanOptions asked{.nrhs = at_once, .tile_size = tile, .slab = slab, .reserve = left};
        return memory_plan<T, Exec>(size, shape, asked).ranks[static_cast<std::size_t>(this->rank)];
      };
      const RankMemory smaller = plan(n, reserve);
      const RankMemory larger = plan(n + k, reserve - k);
      if (k == at_once) {  // else the last ones meet a factor that the first ones have made larger
        const std::int64_t kept = larger.matrix + larger.inverses + larger.right_hand_sides;
        const std::int64_t planned = kept + std::max(smaller.factorize, smaller.solve);
        EXPECT_TRUE(planned <= watch.peak() && watch.peak() <= planned + beside_the_plan) << planned << watch.peak();
      }
      const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n + k),
                                                    static_cast<std::size_t>(at_once));
      l.solve(Exec{}, b);
      EXPECT_LE(watch.peak(), larger.peak + beside_the_plan);
    }
  }
}

TYPED_TEST(MemoryTest, ThePlanOfAnInverseIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const auto [n, tile] : {std::array<std::int64_t, 2>{0, 16}, {5, 7}, {203, 16}, {500, 100}, {700, 300}}) {
      SCOPED_TRACE(::testing::Message() << "n " << n << ", " << shape.rows << " x " << shape.cols << ", tile " << tile);
      const MemoryPlanOptions options{.nrhs = 0, .tile_size = tile, .inverse = true};
      const RankMemory mine = memory_plan<T, Exec>(n, shape, options).ranks[static_cast<std::size_t>(this->rank)];
      const Kokkos::View<detail::RealOf<T>*> d("d", static_cast<std::size_t>(n));
      std::int64_t peak = 0;
      for (const bool whole : {false, true}) {
        Watch watch;
        ShardedMatrix<T> matrix(grid, n, tile);
        matrix.fill(Exec{}, Dominant<T>{n});
        auto l = factorize(Exec{}, std::move(matrix));
        if (whole) {
          const auto inverse = invert(Exec{}, std::move(l));
          EXPECT_EQ(watch.now(), mine.matrix + mine.inverses);
        } else {
          l.inverse_diagonal(Exec{}, d);
        }
        if (this->ranks == 1 && whole && n > 0) {
          const SlabLayout layout = detail::make_layout<T, Space>(grid.numbering(), 0, n, tile, 0, 0);
          const std::int64_t in_place = detail::bytes_of<detail::InPlaceBuffers<T, Exec>, Space>(layout);
          EXPECT_EQ(watch.peak(), mine.matrix + mine.inverses + std::max(mine.factorize, in_place));
          if (kernels::is_host<Exec>) {
            const auto some_rows = 512 * n * static_cast<std::int64_t>(sizeof(T));
            EXPECT_LE(in_place, (some_rows + 255) / 256 * 256);
          }
        } else if (this->ranks > 1) {
          EXPECT_EQ(watch.peak(), mine.peak);
        }
        peak = std::max(peak, watch.peak());
      }
      EXPECT_EQ(peak, mine.peak);  // a rank alone inverts in place, in more or less than the diagonal takes
    }
  }
}

// Of the caller's array nothing is counted; on grids of either order.
TYPED_TEST(MemoryTest, ThePlanOfAnAdoptedMatrixIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const GridOrder order : {GridOrder::row_major, GridOrder::column_major}) {
      const ProcessGrid grid(this->comm, shape, MpiBuffers::automatic, order);
      for (const auto [n, tile] : {std::array<std::int64_t, 2>{0, 16}, {5, 7}, {203, 16}, {331, 64}}) {
        for (const Arithmetic arithmetic : {Arithmetic::native, Arithmetic::integer}) {
          SCOPED_TRACE(::testing::PrintToString(std::array{n, tile, std::int64_t{shape.rows}}));
          const MemoryPlanOptions asked{
              .nrhs = 2, .tile_size = tile, .arithmetic = arithmetic, .inverse = true, .order = order, .adopted = true};
          const MemoryPlan plan = memory_plan<T, Exec>(n, shape, asked);
          const RankMemory& mine = plan.ranks[static_cast<std::size_t>(this->rank)];
          EXPECT_EQ(mine.matrix, 0);
          const CallersArray<T> array(grid, n, tile, Dominant<T>{n});
          const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), 2);
          Watch watch;
          auto l = factorize(Exec{}, ShardedMatrix<T>::adopt(grid, n, tile, array.view()),
                             FactorizeOptions{.arithmetic = arithmetic});
          EXPECT_EQ(watch.peak(), mine.inverses + mine.factorize);
          const std::int64_t kept = plan.moduli > 0 ? 0 : mine.factorize;  // a factor keeps no residues, nor messages
          EXPECT_EQ(watch.now(), mine.inverses + kept);
          l.solve(Exec{}, b);
          const std::int64_t solve = mine.right_hand_sides + std::max(kept, mine.solve);
          EXPECT_EQ(watch.peak(), mine.inverses + std::max(mine.factorize, solve));
          const auto inverse = invert(Exec{}, std::move(l));
          EXPECT_EQ(watch.now(), mine.inverses);
          EXPECT_LE(watch.peak(), mine.peak);
        }
      }
    }
  }
}

/// n x nrhs numbers on all ranks together: this rank's rows of them.
template <class T>
auto rows_of_b(std::int64_t n, std::int64_t nrhs, int ranks, int rank) {
  const Shards shards = even_shards(n, ranks);
  const auto r = static_cast<std::size_t>(rank);
  return ByRows{Kokkos::View<T**, Kokkos::LayoutLeft>("b", static_cast<std::size_t>(shards[r + 1] - shards[r]),
                                                      static_cast<std::size_t>(nrhs))};
}

TYPED_TEST(MemoryTest, ThePlanByRowsIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const auto [n, tile, nrhs] :
         {std::array<std::int64_t, 3>{0, 7, 3}, {5, 7, 3}, {203, 16, 1}, {203, 30, 300}, {203, 30, 1100}}) {
      SCOPED_TRACE(::testing::Message() << "n " << n << ", " << shape.rows << " x " << shape.cols << ", nrhs " << nrhs);
      const auto b = rows_of_b<T>(n, nrhs, this->ranks, this->rank);
      MemoryPlanOptions asked{.nrhs = nrhs, .by_rows = true, .tile_size = tile};
      {
        Watch watch;
        ShardedMatrix<T> matrix(grid, n, tile);
        matrix.fill(Exec{}, Dominant<T>{n});
        const auto l = factorize(Exec{}, std::move(matrix));
        l.solve(Exec{}, b);
        EXPECT_EQ(watch.peak(), this->planned(n, shape, asked));
        l.multiply_upper(Exec{}, b);
        EXPECT_LE(watch.peak(), this->planned(n, shape, asked) + beside_the_plan);
      }
      if (n < this->ranks) continue;  // Kokkos reports its own header for an x of no elements
      asked.source = Source::rows;
      const System<T> system(this->comm, n);
      Watch watch;
      cholesky_distributed(this->comm, system.a, b, {.local_tile_size = tile, .grid = shape});
      EXPECT_EQ(watch.peak(), this->planned(n, shape, asked));
    }
  }
}

TYPED_TEST(MemoryTest, ThePlanOfRowIdsIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto [n, tile, nrhs] : {std::array<std::int64_t, 3>{9, 4, 2}, {203, 16, 1}, {203, 30, 300}}) {
      const RowNumbers numbers = dealt(shuffled(n, 1), even_shards(n, this->ranks));
      const auto b = rows_of_b<T>(n, nrhs, this->ranks, this->rank);
      for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
        const auto a =
            make_row_ids<Kokkos::View<T**>>(numbers[static_cast<std::size_t>(this->rank)], n, Dominant<T>{n}, triangle);
        for (const bool by_rows : {false, true}) {
          SCOPED_TRACE(::testing::Message()
                       << "n " << n << ", " << shape.rows << " x " << shape.cols << (by_rows ? ", by rows" : ""));
          const MemoryPlanOptions asked{.nrhs = nrhs,
                                        .by_rows = by_rows,
                                        .tile_size = tile,
                                        .source = Source::rows,
                                        .triangle = triangle,
                                        .row_ids = true};
          const CholeskyOptions options{.local_tile_size = tile, .grid = shape, .triangle = triangle};
          const Kokkos::View<T**, Kokkos::LayoutLeft> whole("b", static_cast<std::size_t>(n),
                                                            static_cast<std::size_t>(nrhs));
          Watch watch;
          if (by_rows) {
            cholesky_distributed(this->comm, a, ByRows{b.rows, a.ids}, options);
          } else {
            cholesky_distributed(this->comm, a, whole, options);
          }
          EXPECT_EQ(watch.peak(), this->planned(n, shape, asked));
        }
      }
    }
  }
}

// With all residues, with a byte too little, which takes a step from them, and with half. Of few rows the fastest is
// native.
TYPED_TEST(MemoryTest, ThePlanOfIntegersIsRight) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    EXPECT_EQ(this->planned(9, shape, {.arithmetic = Arithmetic::fastest}), this->planned(9, shape, {}));
    for (const auto [n, tile, slab, moduli] : {std::array<std::int64_t, 4>{0, 16, 0, 0},
                                               {5, 16, 0, 15},
                                               {203, 16, 0, 0},
                                               {203, 7, 30, 4},
                                               {331, 64, 64, 9}}) {
      const System<T> system(this->comm, n);
      for (const Source source : n < 10 ? std::vector{Source::fill} : std::vector{Source::fill, Source::rows}) {
        MemoryPlanOptions asked{.tile_size = tile, .slab = source == Source::fill ? slab : 0, .source = source};
        const std::int64_t native = memory_plan<T, Exec>(n, shape, asked).peak();
        asked.arithmetic = Arithmetic::integer;
        asked.moduli = static_cast<int>(moduli);
        const std::int64_t all = memory_plan<T, Exec>(n, shape, asked).peak();
        for (const std::int64_t bytes : {all, all - 1, (all + native) / 2}) {
          SCOPED_TRACE(::testing::PrintToString(std::array{n, tile, slab, moduli, bytes, std::int64_t{shape.rows}}));
          asked.bytes_free = bytes;
          const MemoryPlan plan = memory_plan<T, Exec>(n, shape, asked);
          const RankMemory& mine = plan.ranks[static_cast<std::size_t>(this->rank)];
          EXPECT_TRUE(source == Source::rows || (plan.integer_columns == n) == (bytes >= all || n == 0));
          Watch watch;
          if (source == Source::fill) {
            ShardedMatrix<T> matrix(ProcessGrid(this->comm, shape), n, tile, plan.slab);
            matrix.fill(Exec{}, Dominant<T>{n});
            const FactorizeOptions options{{}, asked.arithmetic, asked.moduli, bytes};
            factorize(Exec{}, std::move(matrix), options).solve(Exec{}, system.b);
          } else {
            CholeskyOptions options{.local_tile_size = tile, .grid = shape, .arithmetic = Arithmetic::integer};
            options.moduli = asked.moduli;
            options.bytes_free = bytes;
            const CholeskyInfo info = cholesky_distributed(this->comm, system.a, system.b, options).info;
            EXPECT_EQ(std::pair(info.moduli, info.integer_columns), std::pair(plan.moduli, plan.integer_columns));
          }
          EXPECT_EQ(watch.peak(), mine.peak);
        }
      }
    }
  }
}

TYPED_TEST(MemoryTest, ThePlanOfOneCallIsRight) {
  using T = TypeParam;
  for (const GridShape grid : all_grids(this->ranks)) {
    for (const std::int64_t n : {5, 203}) {
      const System<T> system(this->comm, n);
      for (const std::int64_t tile : {std::int64_t{0}, std::int64_t{9}}) {
        SCOPED_TRACE(::testing::Message() << "n " << n << ", " << grid.rows << " x " << grid.cols << ", tile " << tile);
        const CholeskyOptions options{.local_tile_size = tile, .grid = grid};
        MemoryPlanOptions asked{.tile_size = tile, .source = Source::rows};
        {
          Watch watch;
          cholesky_distributed(this->comm, system.a, system.b, options);
          EXPECT_EQ(watch.peak(), this->planned(n, grid, asked));
        }
        Operator<Dominant<T>> op{system.f};
        asked.source = Source::buffered_rows;
        {
          Watch watch;
          cholesky_distributed(this->comm, op, system.b, options);
          EXPECT_EQ(watch.peak(), this->planned(n, grid, asked));
        }
        for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
          for (const int choice : tile == 0 ? std::vector{0, 1} : std::vector{0, 1, 2, 3}) {
            const bool means = choice % 2 == 1;
            asked.depth = choice < 2 ? 1100 : 100;
            const std::int64_t samples = form == GramForm::j_jh ? n : asked.depth;
            const std::int64_t parameters = form == GramForm::j_jh ? asked.depth : n;
            const Shards shards = even_shards(samples, this->ranks);
            asked.gram = {form, 1, means, means, choice < 2 ? Arithmetic::native : Arithmetic::integer, 4};
            const CholeskyOptions shifted{.local_tile_size = tile, .grid = grid, .diag_shift = 1};
            const JacobianOperator<Jacobian<T>> asked_for{{}, shards, this->rank, parameters};
            const auto there = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, asked_for.f);
            const auto expect_planned = [&](Source source, const auto& jacobian) {
              asked.source = source;
              Watch watch;
              cholesky_distributed(this->comm, Gram{jacobian, asked.gram}, system.b, shifted);
              EXPECT_EQ(watch.peak(), this->planned(n, grid, asked));
            };
            expect_planned(Source::gram, there);
            expect_planned(Source::buffered_gram, asked_for);
          }
        }
      }
    }
  }
}

TYPED_TEST(MemoryTest, ThePlanOfTheCInterfaceIsRight) {
  using T = TypeParam;
  const int handle = MPI_Comm_c2f(this->comm);
  for (const GridShape grid : all_grids(this->ranks)) {
    for (const auto [n, tile, by_rows] : {std::array<std::int64_t, 3>{5, 0, 0}, {203, 9, 0}, {203, 16, 1}}) {
      SCOPED_TRACE(::testing::Message() << "n " << n << ", " << grid.rows << " x " << grid.cols << ", tile " << tile);
      const System<T> system(this->comm, n);
      const tessera_array a = c::array(system.a);
      const Kokkos::View<T**> rows("b", by_rows == 1 ? system.a.extent(0) : system.b.extent(0), 3);
      const tessera_array b = c::array(rows, static_cast<int>(by_rows));
      const tessera_options options = c::options(tile, grid);
      tessera_plan_options asked;
      tessera_plan_options_init(&asked, sizeof asked);
      asked.nrhs = 3;
      asked.tile_size = tile;
      asked.grid_rows = grid.rows;
      asked.grid_cols = grid.cols;
      asked.by_rows = b.by_rows;
      tessera_plan plan;
      std::vector<tessera_rank_plan> each(static_cast<std::size_t>(this->ranks));
      c::require(tessera_memory_plan(a.scalar, n, this->ranks, &asked, &plan, each.data()));
      const tessera_rank_plan& mine = each[static_cast<std::size_t>(this->rank)];
      EXPECT_GE(plan.peak, mine.peak);
      {
        Watch watch;
        c::require(tessera_cholesky_distributed(handle, &a, &b, &options, nullptr));
        EXPECT_EQ(watch.peak(), mine.peak);
        EXPECT_EQ(watch.now(), 0);
      }
      Watch watch;
      c::Factor l;
      c::require(tessera_factorize(handle, n, &a, &options, nullptr, &l.handle));
      c::require(tessera_solve(l.handle, &b));
      EXPECT_EQ(watch.peak(), mine.peak);
    }
  }
}

}  // namespace
}  // namespace tessera::testing
