// SPDX-License-Identifier: BSD-3-Clause
#include "armed.hpp"
#include "c_interface.hpp"
#include "callers_array.hpp"
#include "calls.hpp"
#include "environment.hpp"
#include "jacobians.hpp"
#include "operators.hpp"
#include "row_numbers.hpp"

#include "kernels/backend.hpp"

#include <array>
#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Memory that does not suffice on one rank, at each allocation in turn, of Views and of the host's heap; and kernels
// that can't be launched, which is how a device's error shows. All ranks must throw, wherever they are by then, and the
// next call must work.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

struct AllocationTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// `call` does the same each time: on each rank in turn its allocation, or kernel, number 1, 2, 3, ... fails, until a
  /// call needs no more. Where a call can do without what failed, `check` looks at what came of it. `stride` leaves
  /// some out, others on each rank.
  template <class Call, class Check>
  void each_fails_in_turn(Failing& what, Kind expected, const Call& call, const Check& check, int stride = 1) const {
    int thrown_in_all = 0;
    for (int culprit = 0; culprit < ranks; ++culprit) {
      int number = 1 + culprit % stride;
      for (bool any = true; any; number += stride) {
        Thrown thrown;
        {
          std::optional<Armed> armed;
          if (rank == culprit) armed.emplace(what, number);
          thrown = thrown_by(call);
        }
        SCOPED_TRACE("number " + std::to_string(number) + " on rank " + std::to_string(culprit) + " " + what.label);
        int failed = rank == culprit && what.failed ? 1 : 0;
        MPI_Bcast(&failed, 1, MPI_INT, culprit, comm);
        any = failed == 1;
        auto kind = static_cast<int>(thrown.kind);
        MPI_Bcast(&kind, 1, MPI_INT, culprit, comm);
        EXPECT_EQ(static_cast<int>(thrown.kind), kind) << thrown << ", unlike the culprit";
        if (thrown.kind == Kind::nothing) {
          check();
        } else {
          EXPECT_TRUE(any && thrown.kind == expected) << thrown;
          ++thrown_in_all;
        }
        if (!any) {
          EXPECT_TRUE(solves(comm));
        }
      }
    }
    EXPECT_GT(thrown_in_all, 1) << "hardly anything could fail";
  }

  template <class Call, class Check>
  void all_fail_in_turn(const Call& call, const Check& check) const {
    const int stride = 1 + (ranks - 1) * (ranks - 1) / 3;  // each on up to two ranks, where a call takes no time
    {
      SCOPED_TRACE("Views");
      each_fails_in_turn(view, Kind::bad_alloc, call, check, 1 + ranks / 4);
    }
    {
      SCOPED_TRACE("kernels");
      each_fails_in_turn(kernel, Kind::runtime_error, call, check, stride);
    }
    // Where a device's instance, or the freeing of a View, takes from the heap, Kokkos ends the program if that fails.
    if (!kernels::is_host<Exec> || !frees_without_heap()) return;
    SCOPED_TRACE("heap");
    each_fails_in_turn(heap, Kind::bad_alloc, call, check, stride);
  }
};

TEST_F(AllocationTest, Solve) {
  const System<double> system(comm);
  Kokkos::View<double*> x;
  for (const GridShape grid : {GridShape{ranks, 1}, GridShape{1, ranks}, nearly_square(ranks)}) {
    SCOPED_TRACE(::testing::Message() << grid.rows << " x " << grid.cols);
    all_fail_in_turn(
        [&] { x = cholesky_distributed(comm, system.a, system.b, {.local_tile_size = 8, .grid = grid}).x; },
        [&] { EXPECT_TRUE(system.is_solved_by(to_host(x))); });
  }
}

TEST_F(AllocationTest, SolveWithAnOperator) {
  const System<double> system(comm);
  Kokkos::View<double*> x;
  all_fail_in_turn(
      [&] {
        Operator<Dominant<double>> a{system.f};
        x = cholesky_distributed(comm, a, system.b, {.local_tile_size = 8}).x;
      },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(x))); });
}

// The first try fails, and so do further ones; b is a tree.
TEST_F(AllocationTest, Ladder) {
  System<double> system(comm);
  system.spoil();
  const std::vector<Kokkos::View<double*>> b{Kokkos::View<double*>("b", 20), Kokkos::View<double*>("b", 4)};
  const CholeskyOptions options{
      .local_tile_size = 8, .on_failure = Failure::fill_nan, .shifts = {.tries = 3, .first = 1e-3}};
  CholeskyInfo info;
  all_fail_in_turn([&] { info = cholesky_distributed(comm, system.a, b, options).info; },
                   [&] { EXPECT_EQ(info.tries.size(), 3U); });
}

TEST_F(AllocationTest, SolverObject) {
  const System<double> system(comm);
  Kokkos::View<double*> x;
  all_fail_in_turn(
      [&] {
        const CholeskyDistributed solver{comm, {.local_tile_size = 8}};
        solver(system.a, system.b);
        x = solver(system.a, system.b).x;
      },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(x))); });
}

TEST_F(AllocationTest, Pieces) {
  using T = Kokkos::complex<double>;
  const System<T> system(comm);
  const Exec exec;
  const Kokkos::View<T**> b("b", system.b.extent(0), 3);
  const auto first = Kokkos::subview(b, Kokkos::ALL, 0);
  all_fail_in_turn(
      [&] {
        const int left = std::exchange(heap.left, 0);
        Kokkos::deep_copy(first, system.b);
        heap.left = left;
        const ProcessGrid grid(comm);
        ShardedMatrix<T> matrix(grid, system.n, 7);
        redistribute(exec, system.a, matrix, 0);
        const auto l = factorize(exec, std::move(matrix));
        l.solve(exec, b);
        l.multiply_upper(exec, b);
        l.multiply_lower(exec, b);
        l.solve_lower(exec, b);
        l.solve_upper(exec, b);
      },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(first))); });
}

TEST_F(AllocationTest, Append) {
  using T = Kokkos::complex<double>;
  const std::int64_t n = 5;
  const std::int64_t k = 4;
  const Dominant<T> f{n + k};
  const Exec exec;
  const ProcessGrid grid(comm);
  const auto rows = make_rows<Kokkos::View<T**>>(even_shards(n, ranks), rank, n, f);
  const auto more = make_rows<Kokkos::View<T**, Kokkos::LayoutRight>>({n, n + k}, 0, n + k, f);
  std::optional<CholeskyFactor<T>> l;
  const auto append = [&] {
    ShardedMatrix<T> matrix(grid, n, 3, 0, k);
    redistribute(exec, rows, matrix, 0);
    l = factorize(exec, std::move(matrix));
    l->append(exec, more);
  };
  append();
  const auto expected = lower_tiles(l->matrix());
  all_fail_in_turn(append, [&] { EXPECT_EQ(lower_tiles(l->matrix()), expected); });
}

TEST_F(AllocationTest, ByRows) {
  const System<double> system(comm);
  const Shards shards = even_shards(system.n, ranks);
  const auto mine =
      Kokkos::make_pair(shards[static_cast<std::size_t>(rank)], shards[static_cast<std::size_t>(rank) + 1]);
  const Kokkos::View<double**> b("b", system.a.extent(0), 2);
  Kokkos::deep_copy(Kokkos::subview(b, Kokkos::ALL, 0), Kokkos::subview(system.b, mine));
  const CholeskyOptions options{.local_tile_size = 5};
  Kokkos::View<double**> x;
  const auto solve = [&] {
    x = cholesky_distributed(comm, system.a, ::tessera::ByRows{b}, options).x.rows;
    const ProcessGrid grid(comm);
    ShardedMatrix<double> matrix(grid, system.n, 5);
    redistribute(Exec{}, system.a, matrix, 0);
    const auto l = factorize(Exec{}, std::move(matrix));
    l.multiply_upper(Exec{}, ::tessera::ByRows{x});
    l.solve_upper(Exec{}, ::tessera::ByRows{x});
  };
  solve();
  const auto expected = to_host(x);
  all_fail_in_turn(solve, [&] { EXPECT_TRUE(same_bits(to_host(x), expected)); });
}

TEST_F(AllocationTest, RowIds) {
  const System<double> system(comm);
  const auto mine = round_robin(system.n, ranks + 1)[static_cast<std::size_t>(rank)];
  auto numbers = mine;
  if (rank == 0) {
    const auto others = round_robin(system.n, ranks + 1).back();
    numbers.insert(numbers.begin(), others.begin(), others.end());
  }
  const auto a = make_row_ids<Kokkos::View<double**>>(numbers, system.n, system.f);
  const Kokkos::View<double*> b("b", numbers.size());
  Kokkos::deep_copy(b, 1.);
  Kokkos::View<double*> x;
  const auto solve = [&] {
    x = cholesky_distributed(comm, a, ::tessera::ByRows{b, a.ids}, {.local_tile_size = 5}).x.rows;
  };
  solve();
  const auto expected = to_host(x);
  all_fail_in_turn(solve, [&] { EXPECT_TRUE(same_bits(to_host(x), expected)); });
}

TEST_F(AllocationTest, Measures) {
  using T = Kokkos::complex<double>;
  const std::int64_t n = 6;
  const Exec exec;
  const auto matrix_on = [&](const ProcessGrid& grid) {
    ShardedMatrix<T> matrix(grid, n, 3);
    matrix.fill(exec, Dominant<T>{n});
    return matrix;
  };
  const ProcessGrid grid(comm);
  const auto matrix = matrix_on(grid);
  const auto l = factorize(exec, matrix_on(grid));  // which has no memory for solves yet
  const Kokkos::View<double*> d("d", n);
  const auto measures = [&](const CholeskyFactor<T>& factor) {
    factor.inverse_diagonal(exec, d);
    return std::array{norm_one(exec, matrix), inner_product(exec, matrix, Dominant<T>{n, 2}),
                      factor.reciprocal_condition(exec, 2)};
  };
  const auto expected = measures(factorize(exec, matrix_on(grid)));
  const auto diagonal = to_host(d);
  std::array<double, 3> result = {};
  all_fail_in_turn([&] { result = measures(l); },
                   [&] {
                     EXPECT_EQ(result, expected);
                     EXPECT_TRUE(same_bits(to_host(d), diagonal));
                   });
}

TEST_F(AllocationTest, CInterface) {
  const System<double> system(comm);
  const tessera_array a = c::array(system.a);
  const tessera_options options = c::options(8);
  const int handle = MPI_Comm_c2f(comm);
  const Kokkos::View<double*> b("b", system.b.extent(0));
  const Kokkos::View<double*> d("d", system.b.extent(0));
  all_fail_in_turn(
      [&] {
        const int left = std::exchange(heap.left, 0);
        Kokkos::deep_copy(b, system.b);
        heap.left = left;
        const tessera_array x = c::array(b);
        const tessera_array diagonal = c::array(d);
        c::Factor l;
        c::require(tessera_factorize(handle, system.n, &a, &options, nullptr, &l.handle));
        c::require(tessera_multiply_upper(l.handle, &x));
        c::require(tessera_multiply_lower(l.handle, &x));
        c::require(tessera_solve(l.handle, &x));
        c::require(tessera_inverse_diagonal(l.handle, &diagonal));
        c::require(tessera_cholesky_distributed(handle, &a, &x, &options, nullptr));
      },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(b))); });
}

TEST_F(AllocationTest, Inverse) {
  const System<double> system(comm, 6);
  const Exec exec;
  const ProcessGrid grid(comm);
  std::vector<double> inverse;
  const auto call = [&] {
    ShardedMatrix<double> matrix(grid, system.n, 2);
    redistribute(exec, system.a, matrix, 0);
    const auto result = invert(exec, factorize(exec, std::move(matrix)));
    const int left = std::exchange(heap.left, 0);
    inverse = lower_tiles(result);
    heap.left = left;
  };
  call();
  const auto expected = inverse;
  all_fail_in_turn(call, [&] { EXPECT_EQ(inverse, expected); });
}

// In the caller's array, by integers, which keep what stands above the diagonal, and between arrays.
TEST_F(AllocationTest, ScalapackArrays) {
  using View = Kokkos::View<double**, Kokkos::LayoutLeft, Exec::memory_space>;
  const std::int64_t n = 12;
  const std::int64_t tile = 5;
  const Exec exec;
  const ProcessGrid grid(comm);
  const CallersArray<double> source(grid, n, tile, Dominant<double>{n});
  const CallersArray<double> array(grid, n, tile, Dominant<double>{n});
  std::vector<double> factor;
  const auto call = [&] {
    const ScalapackArray<View> from{grid, source.view(), n, n, tile, tile};
    const ScalapackArray<View> to{grid, array.view(), n, n, tile, tile};
    auto matrix = ShardedMatrix<double>::adopt(grid, n, tile, array.view());
    from_scalapack(exec, from, matrix);
    auto l = factorize(exec, std::move(matrix), FactorizeOptions{.arithmetic = Arithmetic::integer});
    to_scalapack(exec, l.matrix(), to);
    const auto again = CholeskyFactor<double>::adopt(exec, ShardedMatrix<double>::adopt(grid, n, tile, array.view()));
    const int left = std::exchange(heap.left, 0);
    EXPECT_EQ(again.log_determinant(), l.log_determinant());
    factor = lower_tiles(l.matrix());
    heap.left = left;
  };
  call();
  const auto expected = factor;
  all_fail_in_turn(call, [&] { EXPECT_EQ(factor, expected); });
  EXPECT_TRUE(array.keeps_the_rest());
}

// Several steps, so that there are old columns to subtract by integers.
TEST_F(AllocationTest, Integers) {
  const std::int64_t tile = kernels::is_host<Exec> ? 32 : 300;
  const System<double> system(comm, 2 * tile + 8);
  Kokkos::View<double*> x;
  all_fail_in_turn(
      [&] {
        const CholeskyOptions options{
            .local_tile_size = tile, .grid = GridShape{1, ranks}, .arithmetic = Arithmetic::integer};
        x = cholesky_distributed(comm, system.a, system.b, options).x;
      },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(x))); });
}

TEST_F(AllocationTest, Gram) {
  const std::int64_t n = 12;
  const std::int64_t parameters = 300;  // more than a chunk has
  const Exec exec;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    SCOPED_TRACE(static_cast<int>(form));
    const bool kernel_matrix = form == GramForm::j_jh;
    const auto j = make_samples<Kokkos::View<double**>>(even_shards(kernel_matrix ? n : parameters, ranks), rank,
                                                        kernel_matrix ? parameters : n, Jacobian<double>{});
    const System<double> system(comm, n);
    Kokkos::View<double*> x;
    const auto solve = [&] {
      const CholeskyOptions options{.local_tile_size = 5, .diag_shift = 1};
      const Arithmetic arithmetic = kernel_matrix ? Arithmetic::native : Arithmetic::integer;
      const GramOptions of_gram{form, 1., true, true, arithmetic};
      x = cholesky_distributed(exec, comm, ::tessera::Gram<decltype(j)&>{j, of_gram}, system.b, options).x;
    };
    solve();
    const auto expected = to_host(x);
    all_fail_in_turn(solve, [&] { EXPECT_TRUE(same_bits(to_host(x), expected)); });
  }
}

// Messages by way of host memory, which is made as they are sent: where there is none of one kind, other memory will
// do.
TEST_F(AllocationTest, StagedMessages) {
  const Variable variable(buffers, "staged");
  const System<double> system(comm);
  Kokkos::View<double*> x;
  each_fails_in_turn(
      view, Kind::bad_alloc, [&] { x = cholesky_distributed(comm, system.a, system.b, {.local_tile_size = 8}).x; },
      [&] { EXPECT_TRUE(system.is_solved_by(to_host(x))); });
}

}  // namespace
}  // namespace tessera::testing
