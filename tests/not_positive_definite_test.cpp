// SPDX-License-Identifier: BSD-3-Clause
#include "lapack.hpp"
#include "operators.hpp"
#include "support.hpp"

#include <iterator>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// A matrix without a Cholesky factor: the same leading minor on every rank, as an exception or as a value.
namespace tessera::testing {
namespace {

using Space = Kokkos::DefaultExecutionSpace::memory_space;
template <class T>
using Rows = Kokkos::View<T**, Kokkos::LayoutRight, Space>;
template <class T>
using Columns = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

template <class T>
struct MinusOne {
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == j ? -1 : 0); }
};

template <class T>
bool all_nan(const HostMatrix<T>& x) {
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (!std::isnan(detail::real(x.data()[k]))) return false;
  }
  return true;
}

template <class T>
struct NotPositiveDefiniteTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  std::vector<GridShape> grids = all_grids(ranks);

  template <class F>
  Rows<T> rows(std::int64_t n, const F& f, Triangle triangle = Triangle::lower) const {
    return make_rows<Rows<T>>(ragged_shards(n, ranks), rank, n, f, triangle);
  }
  Columns<T> right_hand_sides(std::int64_t n, std::int64_t nrhs) const {
    const Columns<T> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
    set_noise(b, 2);
    return b;
  }

  /// The order that the call throws, or 0 if it does not.
  template <class A, class B>
  std::int64_t thrown(const A& a, const B& b, const CholeskyOptions& options) const {
    try {
      cholesky_distributed(comm, a, b, options);
    } catch (const NotPositiveDefinite& e) {
      EXPECT_NE(std::string(e.what()).find(std::to_string(e.leading_minor())), std::string::npos) << e.what();
      return e.leading_minor();
    }
    return 0;
  }

  /// Exact, solved: nothing of an earlier failure is left.
  void expect_solved(std::int64_t n, const CholeskyOptions& options) const {
    const auto b = right_hand_sides(n, 1);
    const auto [x, info] = cholesky_distributed(comm, rows(n, Exact<T>{}, options.triangle), b, options);
    EXPECT_EQ(info.leading_minor, 0);
    EXPECT_EQ(info.log_determinant, 0) << "each pivot is exactly 1";
    const auto x_host = to_host(x);
    EXPECT_TRUE(same_on_all_ranks(comm, x_host));
    if (rank == 0) {
      EXPECT_LE(backward_error(n, Exact<T>{}, 0, x_host, to_host(b)), static_cast<double>(n) * epsilon<T>());
    }
  }
};
TYPED_TEST_SUITE(NotPositiveDefiniteTest, Scalars);

TYPED_TEST(NotPositiveDefiniteTest, EveryDefectAtEveryEdge) {
  const std::int64_t n = 150;
  const auto b = this->right_hand_sides(n, 2);
  // the first row, tiles' edges, the last tile, which is ragged; then the edges of the blocks inside a tile
  const std::pair<std::int64_t, std::vector<std::int64_t>> rows_by_tile[] = {{23, {0, 22, 23, 24, 57, 138, 149}},
                                                                             {100, {1, 63, 64, 65, 99, 100, 101}}};
  std::size_t variant = 0;
  for (const auto& [tile, rows] : rows_by_tile) {
    for (const std::int64_t k : rows) {
      for (const Defect defect : defects) {
        if (k == 0 && (defect == Defect::nan_on_left || defect == Defect::inf_on_left)) continue;
        CholeskyOptions options{.local_tile_size = tile};
        options.grid = this->grids[variant % this->grids.size()];
        options.triangle = variant % 2 == 0 ? Triangle::lower : Triangle::upper;
        const std::int64_t left = variant % 3 == 0 ? 0 : variant % 3 == 1 ? k / 2 : k - 1;
        ++variant;
        SCOPED_TRACE("row " + std::to_string(k) + ", defect " + std::to_string(static_cast<int>(defect)) + ", left " +
                     std::to_string(left) + ", tile " + std::to_string(tile) + ", grid rows " +
                     std::to_string(options.grid->rows) + (options.triangle == Triangle::upper ? ", upper" : ""));
        const auto a = this->rows(n, Planted<TypeParam>{defect, k, left}, options.triangle);
        if (variant % 2 == 0) {
          EXPECT_EQ(this->thrown(a, b, options), k + 1);
        } else {
          options.on_failure = Failure::fill_nan;
          const auto [x, info] = cholesky_distributed(this->comm, a, b, options);
          EXPECT_EQ(info.leading_minor, k + 1);
          EXPECT_TRUE(std::isnan(info.log_determinant)) << info.log_determinant;
          EXPECT_EQ(info.tile_size, tile);
          EXPECT_EQ(info.grid, *options.grid);
          EXPECT_TRUE(all_nan(to_host(x)));
        }
        if (variant % 10 == 0) this->expect_solved(n, options);
      }
    }
  }
}

TYPED_TEST(NotPositiveDefiniteTest, TheFirstOfSeveralIsReported) {
  const std::int64_t n = 90;
  const auto b = this->right_hand_sides(n, 1);
  for (const GridShape grid : this->grids) {
    // all pivots are -1 from the first on; then only the later half
    const auto negative = [](std::int64_t i, std::int64_t j) { return scalar<TypeParam>(i == j ? -1 : 0, 0); };
    const auto half = [](std::int64_t i, std::int64_t j) { return scalar<TypeParam>(i != j ? 0 : i < 41 ? 1 : -1, 0); };
    const CholeskyOptions options{.local_tile_size = 16, .grid = grid};
    EXPECT_EQ(this->thrown(this->rows(n, negative), b, options), 1);
    EXPECT_EQ(this->thrown(this->rows(n, half), b, options), 42);
  }
}

TYPED_TEST(NotPositiveDefiniteTest, DiagShiftDecides) {
  using T = TypeParam;
  const std::int64_t n = 37;
  const auto b = this->right_hand_sides(n, 1);
  const auto identity = [](std::int64_t i, std::int64_t j) { return scalar<T>(i == j ? 1 : 0, 0); };
  EXPECT_EQ(this->thrown(this->rows(n, identity), b, {.local_tile_size = 7, .diag_shift = -1}), 1);
  EXPECT_EQ(this->thrown(this->rows(n, identity), b, {.local_tile_size = 7, .diag_shift = -0.75}), 0);
}

TYPED_TEST(NotPositiveDefiniteTest, TheUnreadHalfAndTheImaginaryDiagonalDoNotMatter) {
  // make_rows puts NaN there and an imaginary part here
  for (const GridShape grid : this->grids) {
    for (const std::int64_t tile : {7, 40, 100}) {
      this->expect_solved(100, {.local_tile_size = tile, .grid = grid});
      this->expect_solved(100, {.local_tile_size = tile, .grid = grid, .triangle = Triangle::upper});
    }
  }
}

// An infinite pivot is positive, and so is a denormal one.
TYPED_TEST(NotPositiveDefiniteTest, UnusualPivotsArePositive) {
  using T = TypeParam;
  const std::int64_t n = 100;
  const std::int64_t tile = 23;
  std::size_t variant = 0;
  for (const Real<T> pivot : unusual_pivots<T>()) {
    for (const std::int64_t k : {0, 11, 22, 23, 30, 45, 92, 95, 99}) {  // in the first, second and last tile
      SCOPED_TRACE(::testing::Message() << "row " << k << ", pivot " << pivot);
      const LonePivot<T> f{k, pivot};
      EXPECT_EQ(Lapack<T>(n, f).info(), 0);
      const GridShape grid = this->grids[variant++ % this->grids.size()];
      const Columns<T> b("b", n, 2);
      set(b, [&](std::int64_t e) { return e / 2 == k ? T(1) : T(0); });
      const auto solved =
          cholesky_distributed(this->comm, this->rows(n, f), b, {.local_tile_size = tile, .grid = grid});
      EXPECT_EQ(solved.info.leading_minor, 0);
    }
  }
}

TYPED_TEST(NotPositiveDefiniteTest, FillNanFillsATree) {
  using T = TypeParam;
  const std::int64_t n = 31;
  const Kokkos::View<T, Space> scalar_leaf("scalar");
  const Kokkos::View<T**, Kokkos::LayoutLeft, Space> matrix_leaf("matrix", 4, 5);
  const std::vector<Kokkos::View<T*, Space>> vector_leaf{Kokkos::View<T*, Space>("some", 10)};
  const auto b = std::make_tuple(scalar_leaf, matrix_leaf, vector_leaf);
  for (const GridShape grid : this->grids) {
    const CholeskyOptions options{.local_tile_size = 8, .grid = grid, .on_failure = Failure::fill_nan};
    const auto [x, info] =
        cholesky_distributed(this->comm, this->rows(n, Planted<T>{Defect::zero_pivot, 17}), b, options);
    EXPECT_EQ(info.leading_minor, 18);
    EXPECT_TRUE(all_nan(to_host(std::get<0>(x))));
    EXPECT_TRUE(all_nan(to_host(std::get<1>(x))));
    ASSERT_EQ(std::get<2>(x).size(), 1U);
    EXPECT_EQ(std::get<2>(x)[0].extent(0), 10U);
    EXPECT_TRUE(all_nan(to_host(std::get<2>(x)[0])));
  }
}

/// Noise with a diagonal on which the first leading minor that fails lies somewhere inside.
template <class T>
struct Indefinite {
  Dominant<T> f;
  double diagonal;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    return i == j ? scalar<T>(diagonal, 0) : f(i, j);
  }
};

TYPED_TEST(NotPositiveDefiniteTest, AsLapackSays) {
  using T = TypeParam;
  const std::int64_t n = 180;
  const auto b = this->right_hand_sides(n, 1);
  std::set<int> orders;
  std::size_t variant = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    for (const double diagonal : {0.2, 0.4, 0.55}) {
      const Indefinite<T> f{{n, seed}, diagonal};
      const int expected = Lapack<T>(n, f).info();
      ASSERT_GT(expected, 0) << "the matrix is meant to be indefinite";
      orders.insert(expected);
      const auto a = this->rows(n, f);
      const GridShape grid = this->grids[variant++ % this->grids.size()];
      for (const std::int64_t tile : {16, 100}) {
        EXPECT_EQ(this->thrown(a, b, {.local_tile_size = tile, .grid = grid}), expected)
            << "seed " << seed << ", diagonal " << diagonal << ", tile " << tile;
      }
    }
  }
  EXPECT_GE(orders.size(), 6U) << "the orders are meant to differ";
}

TYPED_TEST(NotPositiveDefiniteTest, ShiftsAreTriedInTurn) {
  using T = TypeParam;
  const std::int64_t n = 90;
  const auto b = this->right_hand_sides(n, 2);
  const Indefinite<T> f{{n, 5}, 0.2};
  const double shifts[] = {-0.0625, 0.0625 - 0.0625, 0.5 - 0.0625, 4 - 0.0625};
  for (const GridShape grid : this->grids) {
    const CholeskyOptions options{.local_tile_size = 16,
                                  .grid = grid,
                                  .diag_shift = shifts[0],
                                  .shifts = {.tries = 6, .first = 0.0625, .factor = 8}};
    Operator<Indefinite<T>> a{f};
    const auto [x, info] = cholesky_distributed(this->comm, a, b, options);
    EXPECT_EQ(info.leading_minor, 0);
    ASSERT_GE(info.tries.size(), 3U) << "the first shifts are meant to fail";
    ASSERT_LE(info.tries.size(), std::size(shifts));
    for (std::size_t t = 0; t < info.tries.size(); ++t) {
      EXPECT_EQ(info.tries[t].diag_shift, shifts[t]) << t;
      EXPECT_EQ(info.tries[t].leading_minor, Lapack<T>(n, Indefinite<T>{{n, 5}, 0.2 + shifts[t]}).info()) << t;
    }
    EXPECT_EQ(info.diag_shift, info.tries.back().diag_shift);
    // A was asked for as often, and nothing is left of the earlier tries.
    std::size_t first_calls = 0;
    for (const auto& call : a.calls) first_calls += call.first_row == a.calls.front().first_row ? 1 : 0;
    if (!a.calls.empty()) {
      EXPECT_EQ(first_calls, info.tries.size());
    }
    const auto [expected, once] = cholesky_distributed(
        this->comm, this->rows(n, f), b, {.local_tile_size = 16, .grid = grid, .diag_shift = info.diag_shift});
    EXPECT_TRUE(same_bits(to_host(x), to_host(expected)));
    EXPECT_EQ(info.log_determinant, once.log_determinant) << "that of the last shift";
    EXPECT_EQ(once.tries.size(), 1U);
  }
}

TYPED_TEST(NotPositiveDefiniteTest, NoShiftIsTriedTwiceInThePrecisionOfTheScalar) {
  using T = TypeParam;
  const std::int64_t n = 20;
  const auto b = this->right_hand_sides(n, 1);
  for (const auto& [diag_shift, first] : {std::pair{0., 1e-60}, {0.5, 1e-12}}) {
    Operator<MinusOne<T>> a{{}};
    const CholeskyOptions options{
        .diag_shift = diag_shift, .on_failure = Failure::fill_nan, .shifts = {.tries = 3, .first = first}};
    const CholeskyInfo info = cholesky_distributed(this->comm, a, b, options).info;
    ASSERT_EQ(info.tries.size(), 3U);
    for (const ShiftTry& attempt : info.tries) EXPECT_EQ(attempt.leading_minor, 1);
    EXPECT_GT(info.tries[2].diag_shift, info.tries[1].diag_shift);
    const bool has_rows = n * (this->rank + 1) / this->ranks > n * this->rank / this->ranks;
    const std::size_t different = std::is_same_v<Real<T>, double> ? 3 : 1;
    EXPECT_EQ(a.calls.size(), has_rows ? different : 0);
  }
}

TYPED_TEST(NotPositiveDefiniteTest, TheLastTryCounts) {
  using T = TypeParam;
  const std::int64_t n = 40;
  const auto b = this->right_hand_sides(n, 1);
  const auto identity = [](std::int64_t i, std::int64_t j) { return scalar<T>(i == j ? 1 : 0, 0); };
  const auto a = this->rows(n, identity);
  CholeskyOptions options{.local_tile_size = 7, .diag_shift = -8, .shifts = {.tries = 3, .first = 1, .factor = 2}};
  EXPECT_EQ(this->thrown(a, b, options), 1);
  options.on_failure = Failure::fill_nan;
  const auto [x, info] = cholesky_distributed(this->comm, a, b, options);
  EXPECT_TRUE(all_nan(to_host(x)));
  EXPECT_TRUE(std::isnan(info.log_determinant)) << info.log_determinant;
  EXPECT_EQ(info.leading_minor, 1);
  EXPECT_EQ(info.diag_shift, -6);
  EXPECT_EQ(info.tries.size(), 3U);
  options.shifts.tries = 5;  // the fifth has 0
  EXPECT_EQ(cholesky_distributed(this->comm, a, b, options).info.tries.size(), 5U);
}

}  // namespace
}  // namespace tessera::testing
