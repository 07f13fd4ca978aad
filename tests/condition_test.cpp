// SPDX-License-Identifier: BSD-3-Clause
#include "failing_messages.hpp"
#include "lapack.hpp"
#include "measured.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

// The condition number that is estimated from a factor, beside LAPACK's pocon and beside the inverse.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

/// S A S, where A is Dominant and S is diagonal with powers of 2 down to 2^-most: its condition number is about 4^most.
template <class T>
struct Graded {
  Dominant<T> f;
  int most;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    return f(i, j) *
           static_cast<Real<T>>(1. / static_cast<double>(std::int64_t{1} << (i % (most + 1) + j % (most + 1))));
  }
};

/// scale f
template <class T, class F>
struct Scaled {
  F f;
  double scale;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return f(i, j) * static_cast<Real<T>>(scale); }
};

template <class T>
struct ConditionTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// Measured before it is factored, as a caller does.
  template <class F>
  double condition(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, const F& f,
                   std::int64_t slab = 0) const {
    auto matrix = measured<T>(grid, n, tile, slab, f);
    const double norm = norm_one(Exec{}, matrix);
    matrix.fill(Exec{}, f);  // the factorisation multiplies by what is above the diagonal
    return factorize(Exec{}, std::move(matrix)).reciprocal_condition(Exec{}, norm);
  }
};
TYPED_TEST_SUITE(ConditionTest, Scalars);

/// ||A^-1||_1, each column solved for.
template <class T>
double norm_of_inverse(std::int64_t n, const Lapack<T>& lapack) {
  double norm = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    std::vector<T> column(static_cast<std::size_t>(n));
    column[static_cast<std::size_t>(j)] = T(1);
    lapack.solve(column.data());
    double sum = 0;
    for (const T& x : column) sum += static_cast<double>(std::abs(wide(x)));
    norm = std::max(norm, sum);
  }
  return norm;
}

TYPED_TEST(ConditionTest, IsLapacksOnEveryLayout) {
  using T = TypeParam;
  for_each_layout(this->comm, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile, std::int64_t slab) {
    if (n == 0) return;
    for (const int most : {0, std::is_same_v<Real<T>, float> ? 3 : 9}) {
      const Graded<T> f{{n}, most};
      const Lapack<T> lapack(n, f);
      const Real<T> norm = lapack_norm_one<T>(n, f);
      const auto theirs = static_cast<double>(lapack.reciprocal_condition(norm));
      const double exact = 1 / norm_of_inverse(n, lapack) / static_cast<double>(norm);
      const double ours = this->condition(grid, n, tile, f, slab);
      EXPECT_TRUE(same_on_all_ranks(this->comm, &ours, sizeof ours));
      const double rounding = 10 * epsilon<T>() * static_cast<double>(n) / exact;
      ASSERT_LE(rounding, 0.5);
      EXPECT_NEAR(ours / theirs, 1, rounding) << "LAPACK has " << theirs;
      EXPECT_GE(ours, exact * (1 - rounding));
      EXPECT_LE(ours, 3 * exact);
    }
  });
}

// Where A is tiny its inverse is more than the scalar holds. All numbers are powers of 2, or small multiples.
TYPED_TEST(ConditionTest, TheScaleDoesNotMatter) {
  using T = TypeParam;
  const bool is_float = std::is_same_v<Real<T>, float>;
  const std::int64_t n = 24;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    const double expected = this->condition(grid, n, 5, Exact<T>{});
    EXPECT_TRUE(expected > 0 && expected < 1) << expected;
    for (const int exponent : is_float ? std::vector{-144, -120, 60, 122} : std::vector{-1070, -1000, 500, 1018}) {
      const double ours = this->condition(grid, n, 5, Scaled<T, Exact<T>>{{}, std::ldexp(1., exponent)});
      EXPECT_DOUBLE_EQ(ours, expected) << "2^" << exponent;
    }
  }
}

TYPED_TEST(ConditionTest, SpecialValues) {
  using T = TypeParam;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const ProcessGrid grid(this->comm);
  const auto factor_of = [&](std::int64_t n, double scale) {
    ShardedMatrix<T> matrix(grid, n, 5);
    matrix.fill(Exec{}, Scaled<T, Exact<T>>{{}, scale});
    return factorize(Exec{}, std::move(matrix));
  };
  const auto l = factor_of(12, 1);
  EXPECT_EQ(l.reciprocal_condition(Exec{}, 0), 0);
  EXPECT_EQ(l.reciprocal_condition(Exec{}, infinity), 0);
  EXPECT_EQ(factor_of(1, 4).reciprocal_condition(Exec{}, 4), 1);
  for (const double norm : {0., 1., infinity}) EXPECT_EQ(factor_of(0, 1).reciprocal_condition(Exec{}, norm), 1);
  // a norm of another matrix, with which the inverse overflows
  const double tiny = std::ldexp(1., std::is_same_v<Real<T>, float> ? -144 : -1070);
  EXPECT_EQ(factor_of(12, tiny).reciprocal_condition(Exec{}, 1), 0);
}

// It works in the memory of the solves.
TYPED_TEST(ConditionTest, BetweenSolves) {
  using T = TypeParam;
  const std::int64_t n = 37;
  ShardedMatrix<T> matrix(ProcessGrid(this->comm), n, 7);
  matrix.fill(Exec{}, Dominant<T>{n});
  const double norm = norm_one(Exec{}, matrix);
  const auto l = factorize(Exec{}, std::move(matrix));
  const Kokkos::View<T**> b("b", static_cast<std::size_t>(n), 3);
  const Kokkos::View<T**> again("b", static_cast<std::size_t>(n), 3);
  set_noise(b, 3);
  set_noise(again, 3);
  const double first = l.reciprocal_condition(Exec{}, norm);
  l.solve(Exec{}, b);
  EXPECT_EQ(l.reciprocal_condition(Exec{}, norm), first) << "not the same bits";
  l.solve(Exec{}, again);
  EXPECT_TRUE(same_bits(to_host(b), to_host(again)));
}

TYPED_TEST(ConditionTest, FailingMessages) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  using T = TypeParam;
  ShardedMatrix<T> matrix(ProcessGrid(this->comm), 20, 3);
  matrix.fill(Exec{}, Dominant<T>{20});
  const auto l = factorize(Exec{}, std::move(matrix));
  for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
    int calls = 0;
    for (int skip = 0; ends_everywhere(this->comm, 0, name, skip, [&] { l.reciprocal_condition(Exec{}, 1); });
         skip += 1 + skip / 2) {
      ++calls;
    }
    EXPECT_GT(calls, 0) << name << " is not called at all";
  }
  EXPECT_GT(l.reciprocal_condition(Exec{}, 1), 0);
}

}  // namespace
}  // namespace tessera::testing
