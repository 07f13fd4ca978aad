// SPDX-License-Identifier: BSD-3-Clause
#include "perf/residual.hpp"
#include "perf/backward_error.hpp"
#include "perf/sum_of_squares.hpp"
#include "support.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

// How tessera-solve and the benchmarks judge a solution, beside long double: numbers of any size, and none.
namespace tessera::perf {
namespace {

namespace tt = tessera::testing;
using Limits = std::numeric_limits<double>;

template <class... Numbers>
long double norm_of(Numbers... numbers) {
  SumOfSquares sum;
  (sum.add(numbers), ...);
  return sum.norm();
}

TEST(SumOfSquares, NeitherOverflowsNorVanishes) {
  EXPECT_EQ(norm_of(0.0, -0.0), 0);
  EXPECT_EQ(norm_of(3.0, -4.0), 5);
  EXPECT_EQ(norm_of(0x3p-700, 0x4p-700), 0x5p-700);
  EXPECT_EQ(norm_of(0x3p800, -0x4p800), 0x5p800);
  EXPECT_EQ(norm_of(Limits::denorm_min()), Limits::denorm_min());
  EXPECT_EQ(norm_of(0x3p-1074, 0x4p-1074), 0x5p-1074);
  EXPECT_EQ(norm_of(1e200, 1.0, 1e-200), norm_of(1e200));
  EXPECT_EQ(norm_of(Limits::max()), Limits::max());
  EXPECT_NEAR(static_cast<double>(norm_of(1e-200, 1e-200, -1e-200, 1e-200) / 2e-200), 1, 4 * Limits::epsilon());
  EXPECT_EQ(norm_of(Kokkos::complex<float>(0x3p120F, 0x4p120F)), 0x5p120);
  EXPECT_EQ(norm_of(Kokkos::complex<double>(0x3p-1000, -0x4p-1000)), 0x5p-1000);
  SumOfSquares twice;
  twice.add(0x1p600, 4);
  EXPECT_EQ(twice.norm(), 0x1p601);
}

TEST(SumOfSquares, KeepsWhatIsNotFinite) {
  for (const double bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    for (const double other : {0.0, 1.0, 1e200, 1e-200, Limits::infinity()}) {
      EXPECT_FALSE(std::isfinite(norm_of(bad, other)));
      EXPECT_FALSE(std::isfinite(norm_of(other, bad)));
    }
  }
}

TEST(SumOfSquares, AddsUpByParts) {
  double parts[SumOfSquares::parts] = {};
  SumOfSquares all;
  for (const double x : {1e-200, 3.0, 1e200, 5e-324, 1e-160}) {
    SumOfSquares one;
    one.add(x);
    one.add_to(parts);
    all.add(x);
  }
  EXPECT_EQ(SumOfSquares(parts).norm(), all.norm());
}

/// A(i, j) = scale D(i, j), as a function and as what cholesky_distributed takes.
template <class T>
struct Scaled {
  tt::Dominant<T> matrix;
  tt::Real<T> scale;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return scale * matrix(i, j); }

  template <class Exec, class Rows>
  void to_dense(const Exec&, std::int64_t first_row, const Rows& rows) const {
    const auto host = Kokkos::create_mirror_view(rows);
    for (std::size_t i = 0; i < rows.extent(0); ++i) {
      for (std::size_t j = 0; j < rows.extent(1); ++j)
        host(i, j) = (*this)(first_row + static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
    }
    Kokkos::deep_copy(rows, host);
  }
};

template <class T>
struct ResidualTest : ::testing::Test {
  using Exec = Kokkos::DefaultExecutionSpace;
  using Matrix = Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace>;
  static constexpr std::int64_t n = 11;
  static constexpr std::int64_t nrhs = 9;  // more than are worked on at once

  Matrix x{"x", n, nrhs};
  Matrix b{"b", n, nrhs};

  /// x of about 1, and a b that it solves but for about one part in a thousand.
  void make(const Scaled<T>& a) {
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t c = 0; c < nrhs; ++c) x(i, c) = tt::scalar<T>(tt::noise(i, c, 5), tt::noise(i, c, 6));
    }
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t c = 0; c < nrhs; ++c) {
        b(i, c) = tt::scalar<T>(1e-3, 0) * a(i, i);
        for (std::int64_t j = 0; j < n; ++j) b(i, c) += a(i, j) * x(j, c);
      }
    }
  }

  double of_function(const Scaled<T>& a) const {
    const Exec exec;
    using Device = Exec::memory_space;
    return backward_error(exec, MPI_COMM_WORLD, a, Kokkos::create_mirror_view_and_copy(Device{}, x),
                          Kokkos::create_mirror_view_and_copy(Device{}, b));
  }

  double of_rows(Scaled<T> a, Triangle triangle) const {
    return residual_of(Exec(), MPI_COMM_WORLD, a, triangle, 0, x, b).backward_error;
  }
};
TYPED_TEST_SUITE(ResidualTest, tt::Scalars);

TYPED_TEST(ResidualTest, NumbersMayBeLargeOrSmall) {
  using Real = tt::Real<TypeParam>;
  constexpr bool is_double = sizeof(Real) == sizeof(double);
  const Real denormal = 1000000 * std::numeric_limits<Real>::denorm_min();
  for (const Real scale :
       {is_double ? Real(1e-200) : Real(1e-30F), Real(1), is_double ? Real(1e200) : Real(1e30F), denormal}) {
    SCOPED_TRACE(scale);
    const Scaled<TypeParam> a{{this->n}, scale};
    this->make(a);
    const double expected = tt::backward_error(this->n, a, 0, this->x, this->b);
    EXPECT_GT(expected, 1e-6);
    EXPECT_NEAR(this->of_function(a) / expected, 1, 1e-4);
    for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
      EXPECT_NEAR(this->of_rows(a, triangle) / expected, 1, 1e-4);
    }
  }
}

TYPED_TEST(ResidualTest, IsZeroOnlyWhereBIsMet) {
  using T = TypeParam;
  const Scaled<T> a{{this->n}, 1};
  EXPECT_EQ(this->of_function(a), 0);  // x and b are
  EXPECT_EQ(this->of_rows(a, Triangle::lower), 0);
  this->b(4, 7) = T(std::numeric_limits<tt::Real<T>>::denorm_min());
  EXPECT_EQ(this->of_function(a), 1);
  EXPECT_EQ(this->of_rows(a, Triangle::upper), 1);
  for (const double bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    this->make(a);
    this->x(this->n - 1, 8) = tt::scalar<T>(0, 0) + T(static_cast<tt::Real<T>>(bad));
    EXPECT_FALSE(std::isfinite(this->of_function(a)));
    EXPECT_FALSE(std::isfinite(this->of_rows(a, Triangle::lower)));
    EXPECT_FALSE(std::isfinite(tt::backward_error(this->n, a, 0, this->x, this->b)));
  }
}

}  // namespace
}  // namespace tessera::perf
