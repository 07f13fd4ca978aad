// SPDX-License-Identifier: BSD-3-Clause
#include "lapack.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

// Where A is not positive definite, or strange, a factorisation by integers says what a native one does: no sum that is
// beyond the residues' range, and nothing that is not finite, is taken for a number; whether all columns keep residues,
// or the first ones, or all are made anew.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// A device's steps, within which all is native, are wider: tiles of more than half of them are steps of their own.
constexpr std::int64_t unit = kernels::is_host<Exec> ? 1 : 13;

template <class T>
struct IntegerFailureTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  std::vector<ProcessGrid> grids;
  std::size_t variant = 0;
  std::size_t number = 0;

  IntegerFailureTest() {
    for (const GridShape shape : all_grids(ranks)) grids.emplace_back(comm, shape);
  }

  /// On several ranks each scalar has some of the cases.
  bool leaves_out_next() { return ranks > 2 && ++number % 5 != scalar_number<T>; }
  /// Another one each time.
  const ProcessGrid& next_grid() { return grids[++variant % grids.size()]; }
  FactorizeOptions next_options() const {
    return {.arithmetic = Arithmetic::integer, .moduli = std::array{0, 4, 0, 15, 9}[variant % 5]};
  }

  /// All columns, some of the first steps, one step, and all but one.
  std::int64_t next_columns(std::int64_t n) const { return std::array{n, n / 2, n, 40 * unit, n - 1}[variant / 2 % 5]; }

  /// On one rank residues are kept, or made anew for updates that are so wide.
  std::int64_t next_width() const { return variant % 3 == 1 ? 50 * unit : 0; }

  template <class F>
  detail::Factored<T, Space> factored(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, const F& f,
                                      const FactorizeOptions& options) const {
    ShardedMatrix<T> matrix(grid, n, tile);
    matrix.fill(Exec{}, f);
    detail::Memory<Space> memory;
    return detail::try_factorize<T>(Exec{}, std::move(matrix), options, memory,
                                    {.most_integer_columns = next_columns(n), .integer_width = next_width()});
  }

  /// The order of the minor at which both fail, on every rank, or 0.
  template <class F>
  std::int64_t minor(std::int64_t n, std::int64_t tile, const F& f) {
    const ProcessGrid& grid = next_grid();
    const FactorizeOptions options = next_options();
    SCOPED_TRACE(::testing::Message() << grid.rows() << " x " << grid.cols() << ", tile " << tile << ", moduli "
                                      << options.moduli << ", columns " << next_columns(n) << ", width "
                                      << next_width());
    const std::int64_t native = factored(grid, n, tile, f, {}).leading_minor;
    const std::int64_t integer = factored(grid, n, tile, f, options).leading_minor;
    EXPECT_EQ(integer, native);
    EXPECT_TRUE(same_on_all_ranks(comm, &integer, sizeof integer));
    return integer;
  }

  /// Both succeed, with the same factor up to `tolerance`.
  template <class F>
  void expect_the_native_factor(std::int64_t n, std::int64_t tile, const F& f, const FactorizeOptions& options,
                                double tolerance) {
    const ProcessGrid& grid = next_grid();
    SCOPED_TRACE(::testing::Message() << grid.rows() << " x " << grid.cols() << ", tile " << tile << ", moduli "
                                      << options.moduli << ", columns " << next_columns(n) << ", width "
                                      << next_width());
    const auto native = factored(grid, n, tile, f, {});
    const auto integer = factored(grid, n, tile, f, options);
    EXPECT_EQ(native.leading_minor, 0);
    EXPECT_EQ(integer.leading_minor, 0);
    const std::vector<T> expected = lower_tiles(native.factor.matrix());
    const std::vector<T> numbers = lower_tiles(integer.factor.matrix());
    ASSERT_EQ(numbers.size(), expected.size());
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      if (numbers[k] == expected[k]) continue;
      EXPECT_LE(std::abs(wide(numbers[k]) - wide(expected[k])), tolerance) << k;
    }
  }
};
TYPED_TEST_SUITE(IntegerFailureTest, Scalars);

template <class T>
bool all_nan(const HostMatrix<T>& x) {
  return std::all_of(x.data(), x.data() + x.size(), [](const T& element) { return std::isnan(detail::real(element)); });
}

TYPED_TEST(IntegerFailureTest, EveryDefectAtEveryEdge) {
  using T = TypeParam;
  const std::int64_t n = 150 * unit;
  // the first row, tiles' edges, the last tile, which is ragged; the edges of steps of several tiles, and insides
  const std::pair<std::int64_t, std::vector<std::int64_t>> rows_by_tile[] = {
      {23 * unit, {0, 1, 22 * unit, 23 * unit, 23 * unit + 1, 57 * unit, 138 * unit, n - 1}},
      {5 * unit, {29, 30, 31, 77, 120, n - 1}},
      {100 * unit, {63, 99 * unit, 100 * unit, 100 * unit + 1, n - 1}}};
  for (const auto& [tile, rows] : rows_by_tile) {
    for (const std::int64_t k : rows) {
      for (const Defect defect : defects) {
        if (k == 0 && (defect == Defect::nan_on_left || defect == Defect::inf_on_left)) continue;
        for (const std::int64_t left : {std::int64_t{0}, k - 1}) {
          if (this->leaves_out_next()) continue;
          SCOPED_TRACE(::testing::Message()
                       << "row " << k << ", defect " << static_cast<int>(defect) << ", left " << left);
          EXPECT_EQ(this->minor(n, tile, Planted<T>{defect, k, std::max<std::int64_t>(left, 0)}), k + 1);
          if (defect != Defect::nan_on_left && defect != Defect::inf_on_left) break;
        }
      }
    }
  }
}

TYPED_TEST(IntegerFailureTest, OneCallThrowsOrFillsX) {
  using T = TypeParam;
  const std::int64_t n = 90 * unit;
  const std::int64_t k = 70 * unit;
  const Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
  set_noise(b, 2);
  for (const Defect defect : defects) {
    const auto a =
        make_rows<Kokkos::View<T**>>(ragged_shards(n, this->ranks), rank_in(this->comm), n, Planted<T>{defect, k, 11});
    CholeskyOptions options{.local_tile_size = 16 * unit,
                            .grid = this->next_grid().shape(),
                            .on_failure = Failure::fill_nan,
                            .arithmetic = Arithmetic::integer};
    const auto [x, info] = cholesky_distributed(this->comm, a, b, options);
    EXPECT_EQ(info.leading_minor, k + 1);
    EXPECT_EQ(info.arithmetic, Arithmetic::integer);
    EXPECT_TRUE(all_nan(to_host(x)));
    options.on_failure = Failure::raise;
    try {
      cholesky_distributed(this->comm, a, b, options);
      ADD_FAILURE() << "it did not throw";
    } catch (const NotPositiveDefinite& e) {
      EXPECT_EQ(e.leading_minor(), k + 1);
    }
  }
}

TYPED_TEST(IntegerFailureTest, UnusualPivotsArePositive) {
  using T = TypeParam;
  const FactorizeOptions options{.arithmetic = Arithmetic::integer};
  for (const Real<T> pivot : unusual_pivots<T>()) {
    for (const std::int64_t k : {0, 22, 23, 45, 60, 92, 99}) {
      if (this->leaves_out_next()) continue;
      SCOPED_TRACE(::testing::Message() << "row " << k << ", pivot " << pivot);
      this->expect_the_native_factor(100 * unit, 23 * unit, LonePivot<T>{k * unit, pivot}, options, 10 * epsilon<T>());
    }
  }
}

/// Exact with rows and columns scaled by powers of two, to both ends of the exponents: from denormal numbers on. No
/// arithmetic rounds its factor.
template <class T>
struct ScaledExact {
  std::int64_t n;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const T value = Exact<T>{}(i, j);
    const int exponent = exponent_of(i) + exponent_of(j);
    return scalar<T>(std::ldexp(static_cast<double>(detail::real(value)), exponent),
                     std::ldexp(static_cast<double>(imaginary(value)), exponent));
  }

 private:
  static constexpr bool single = std::is_same_v<Real<T>, float>;

  KOKKOS_FUNCTION static Real<T> imaginary(const T& x) {
    if constexpr (is_complex<T>) return x.imag();
    return 0;
  }
  /// A(i, i) is up to 2 of a square: 2^-1074, the smallest number, to 2^1023.
  KOKKOS_FUNCTION int exponent_of(std::int64_t i) const {
    const int least = single ? -74 : -537;
    const int most = single ? 63 : 511;
    return least + static_cast<int>(i * 59 % n * (most - least) / (n - 1));
  }
};

TYPED_TEST(IntegerFailureTest, ScalesAtTheEndsOfTheExponents) {
  using T = TypeParam;
  const std::int64_t n = 101 * unit;
  for (std::size_t grid = 0; grid < this->grids.size(); ++grid) {
    for (const std::int64_t tile : {16 * unit, 40 * unit}) {
      this->expect_the_native_factor(n, tile, ScaledExact<T>{n}, this->next_options(), 0);
    }
  }
}

/// Exact, but that in row k, and in those below if `below`, each number left of column k is 2^exponent: sums of squares
/// of L there that are far beyond A(i, i), which is 2^diagonal.
template <class T>
struct Outgrown {
  std::int64_t k;
  int exponent;
  int diagonal;
  bool below;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const std::int64_t row = i > j ? i : j;
    const std::int64_t column = i > j ? j : i;
    if (row == k || (below && row > k)) {
      if (row == column) return scalar<T>(std::ldexp(1., diagonal), 0);
      if (column < k) return scalar<T>(std::ldexp(1., exponent), 0);
    }
    return Exact<T>{}(i, j);
  }
};

// Scaled for A(k, k), the squares add up to more than the moduli's product by any factor, where the residues are those
// of any other sum.
TYPED_TEST(IntegerFailureTest, RowsThatOutgrowTheirDiagonal) {
  using T = TypeParam;
  const int most = std::is_same_v<Real<T>, float> ? 50 : 400;  // whose squares' sum is finite, for native products
  for (const std::int64_t k : {20, 57, 96, 109}) {
    for (const int exponent : {0, 1, 3, 8, 17, 25, 26, 27, 30, 40, 50, most}) {
      for (const auto& [diagonal, below] : {std::pair{0, true}, {0, false}, {-most, true}, {most / 2, false}}) {
        if (this->leaves_out_next()) continue;
        SCOPED_TRACE(::testing::Message() << "row " << k << ", 2^" << exponent << ", diagonal 2^" << diagonal);
        const std::int64_t minor = this->minor(110 * unit, 12 * unit, Outgrown<T>{k * unit, exponent, diagonal, below});
        if (2 * exponent >= diagonal) {
          EXPECT_EQ(minor, k * unit + 1);
        }
      }
    }
  }
}

/// I - 1.001 v v^H for a vector of norm 1 whose elements get smaller: of norm 1, with an eigenvalue of -1e-3.
template <class T>
struct Indefinite {
  Kokkos::View<double*> v;

  Indefinite(std::int64_t n, double rows, std::uint64_t seed) : v("v", static_cast<std::size_t>(n)) {
    const auto element = [=](std::int64_t i) {
      return (1.5 + noise(i, 0, seed)) * std::exp(-static_cast<double>(i) / rows);
    };
    double squares = 0;
    for (std::int64_t i = 0; i < n; ++i) squares += element(i) * element(i);
    set(v, [&](std::int64_t i) { return element(i) / std::sqrt(squares); });
  }

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const double value = (i == j ? 1 : 0) - 1.001 * v(i) * v(j);
    if constexpr (is_complex<T>) {  // D A D^H with 1 and i on D's diagonal
      if ((i - j) % 2 != 0) return scalar<T>(0, i % 2 == 0 ? -value : value);
    }
    return scalar<T>(value, 0);
  }
};

TYPED_TEST(IntegerFailureTest, IndefiniteBeyondRounding) {
  using T = TypeParam;
  if (!kernels::is_host<Exec>) GTEST_SKIP() << "LAPACK would read from the device";
  const std::int64_t n = 180;
  std::set<std::int64_t> orders;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    for (const double rows : {5., 12., 20., 30., 45.}) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", about " << rows);
      const Indefinite<T> f(n, rows, seed);
      const int expected = Lapack<T>(n, f).info();
      ASSERT_GT(expected, 0);
      orders.insert(expected);
      for (const std::int64_t tile : {7, 16, 50}) {
        if (this->leaves_out_next()) continue;
        const ProcessGrid& grid = this->next_grid();
        const auto by = [&](const FactorizeOptions& options) {
          return this->factored(grid, n, tile, f, options).leading_minor;
        };
        EXPECT_EQ(by({}), expected);
        EXPECT_EQ(by({.arithmetic = Arithmetic::integer}), expected);
      }
    }
  }
  EXPECT_GE(orders.size(), 10U) << "the orders are meant to differ";
}

/// Pivots of -1 in all rows from `first` on, NaNs in row `nan`, and a row that outgrows its diagonal.
template <class T>
struct Several {
  std::int64_t first;
  std::int64_t nan;
  std::int64_t outgrown;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const std::int64_t row = i > j ? i : j;
    if (row == nan) return scalar<T>(NAN, 0);
    if (row == outgrown && i != j) return scalar<T>(std::ldexp(1., 30), 0);
    return scalar<T>(i != j ? 0 : i < first ? 1 : -1, 0);
  }
};

TYPED_TEST(IntegerFailureTest, TheFirstOfSeveralIsReported) {
  using T = TypeParam;
  const std::int64_t n = 120 * unit;
  for (const std::int64_t tile : {7 * unit, 16 * unit, 40 * unit}) {
    for (const auto& [first, nan, outgrown] :
         {std::array<std::int64_t, 3>{0, 50, 60}, {41, 80, 119}, {100, 42, 80}, {100, 110, 96}, {119, 118, 117}}) {
      SCOPED_TRACE(::testing::Message() << first << ", " << nan << ", " << outgrown);
      EXPECT_EQ(this->minor(n, tile, Several<T>{first * unit, nan * unit, outgrown * unit}),
                std::min({first, nan, outgrown}) * unit + 1);
    }
  }
}

}  // namespace
}  // namespace tessera::testing
