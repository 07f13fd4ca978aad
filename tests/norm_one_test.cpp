// SPDX-License-Identifier: BSD-3-Clause
#include "failing_messages.hpp"
#include "lapack.hpp"
#include "measured.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

// The 1-norm, beside LAPACK's and beside sums in long double.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

template <class T>
struct NormOneTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
};
TYPED_TEST_SUITE(NormOneTest, Scalars);

TYPED_TEST(NormOneTest, OnEveryLayout) {
  using T = TypeParam;
  const Noise<T> f;
  for_each_layout(this->comm, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile, std::int64_t slab) {
    long double expected = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      long double sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += std::abs(wide(f(i, j)));
      expected = std::max(expected, sum);
    }
    const auto matrix = measured<T>(grid, n, tile, slab, f);
    const auto before = lower_tiles(matrix);
    const double norm = norm_one(Exec{}, matrix);
    const auto exact = static_cast<double>(expected);
    EXPECT_NEAR(norm, exact, 0x1p-52 * static_cast<double>(n) * exact);
    EXPECT_NEAR(norm, static_cast<double>(lapack_norm_one<T>(n, f)), epsilon<T>() * static_cast<double>(n) * exact);
    EXPECT_TRUE(same_on_all_ranks(this->comm, &norm, sizeof norm));
    EXPECT_EQ(norm_one(Exec{}, matrix), norm);
    EXPECT_TRUE(lower_tiles(matrix) == before) << "the matrix was changed";
  });
}

/// f, but for one number and its mirror image.
template <class T, class F>
struct WithOne {
  F f;
  std::int64_t row;
  std::int64_t column;
  double re;
  double im;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    return i == row && j == column ? scalar<T>(re, im) : f(i, j);
  }
};

TYPED_TEST(NormOneTest, WhatIsNotFiniteIsAsForLapack) {
  using T = TypeParam;
  const std::int64_t n = 37;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const auto& [row, column] : {std::pair<int, int>{0, 0}, {36, 0}, {36, 36}, {20, 3}, {15, 14}}) {
      for (const auto& [re, im] : {std::pair<double, double>{NAN, 0}, {0, NAN}, {infinity, 0}, {-infinity, 1}}) {
        SCOPED_TRACE(::testing::Message() << row << ", " << column << ": " << re << " + " << im << " i");
        const WithOne<T, Noise<T>> f{{}, row, column, re, im};
        const double norm = norm_one(Exec{}, measured<T>(grid, n, 7, 0, f));
        const auto expected = static_cast<double>(lapack_norm_one<T>(n, f));
        EXPECT_TRUE(std::isnan(expected) ? std::isnan(norm) : std::abs(norm - expected) <= 1e-4 || norm == expected)
            << norm << ", LAPACK has " << expected;
        const bool has_imaginary_part = is_complex<T> && row != column;
        EXPECT_EQ(std::isfinite(norm), re == 0 && !has_imaginary_part);
      }
    }
    // nothing is added to a NaN of column 0, but what another column has must not hide it
    const WithOne<T, Noise<T>> first{{}, 0, 0, NAN, 0};
    const WithOne<T, WithOne<T, Noise<T>>> both{first, 36, 36, infinity, 0};
    EXPECT_TRUE(std::isnan(norm_one(Exec{}, measured<T>(grid, n, 7, 0, both))));
  }
}

TYPED_TEST(NormOneTest, MagnitudesAtTheEndsOfTheRange) {
  using T = TypeParam;
  using Limits = std::numeric_limits<Real<T>>;
  const ProcessGrid grid(this->comm);
  const double half = static_cast<double>(Limits::max()) / 2;
  const double tiny = static_cast<double>(Limits::denorm_min());
  const double length = is_complex<T> ? std::sqrt(2.) : 1;
  for (const double size : {half, tiny}) {
    const WithOne<T, detail::Shift<T>> f{{}, 11, 2, size, -size};
    EXPECT_NEAR(norm_one(Exec{}, measured<T>(grid, 12, 5, 0, f)) / size, length, size == half ? 1e-6 : 0.5);
  }
}

TYPED_TEST(NormOneTest, FailingMessages) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  const auto matrix = measured<TypeParam>(ProcessGrid(this->comm), 20, 3, 0, Noise<TypeParam>{});
  for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
    const int culprit = this->ranks - 1;
    int skip = 0;
    while (ends_everywhere(this->comm, culprit, name, skip, [&] { norm_one(Exec{}, matrix); })) ++skip;
    EXPECT_GT(skip, 0) << name << " is not called at all";
  }
}

}  // namespace
}  // namespace tessera::testing
