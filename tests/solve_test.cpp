// SPDX-License-Identifier: BSD-3-Clause
#include "lapack.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

// cholesky_distributed on one View of rows and one of right-hand sides: any n, tile, grid, sharding, layout.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T, class Layout>
using Matrix = Kokkos::View<T**, Layout, Space>;

/// Columns, or rows, apart by more than they are long, and elements apart by two.
enum class Order { rows_apart, columns_apart };

template <class T>
Matrix<T, Kokkos::LayoutStride> strided_matrix(std::int64_t rows, std::int64_t cols, Order order) {
  const auto m = static_cast<std::size_t>(rows);
  const auto n = static_cast<std::size_t>(cols);
  return Matrix<T, Kokkos::LayoutStride>("strided", order == Order::rows_apart
                                                        ? Kokkos::LayoutStride(m, 2 * n + 3, n, 2)
                                                        : Kokkos::LayoutStride(m, 2, n, 2 * m + 3));
}

/// All that lies between a View's first element and its last, gaps included. (The span of an empty part of a View is no
/// size in Kokkos 4.7.)
template <class View>
HostMatrix<typename View::non_const_value_type> span_of(const View& v) {
  return to_host(Kokkos::View<const typename View::non_const_value_type*, typename View::memory_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>(v.data(), v.size() == 0 ? 0 : v.span()));
}

/// A backward error that rounding alone explains: measured, at most a fifth of it.
template <class T>
double bound(std::int64_t n) {
  return (2 + 0.05 * static_cast<double>(n)) * epsilon<T>();
}

template <class T>
struct SolveTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// Solves with the rows `a` of A(i, j) = f(i, j) and checks what every call promises; returns x.
  template <class F, class A, class B>
  HostMatrix<T> check(std::int64_t n, const F& f, const A& a, const B& b, const CholeskyOptions& options) const {
    const auto a_before = span_of(a);
    const auto b_before = span_of(b);
    const auto [x, info] = cholesky_distributed(comm, a, b, options);
    static_assert(std::is_same_v<typename std::decay_t<decltype(x)>::value_type, T>);
    EXPECT_TRUE(same_bits(span_of(a), a_before)) << "a was changed";
    EXPECT_TRUE(same_bits(span_of(b), b_before)) << "b was changed";
    EXPECT_EQ(info.leading_minor, 0);
    EXPECT_EQ(info.grid, options.grid.value_or(nearly_square(ranks)));
    EXPECT_EQ(info.diag_shift, options.diag_shift);
    if (options.local_tile_size > 0) {
      EXPECT_EQ(info.tile_size, std::min(options.local_tile_size, n));
    } else {
      const std::int64_t wanted = detail::tile_size_for<T, Space>(0, n, info.grid);
      const std::int64_t cap = detail::tile_size_for<T, Space>(0, std::int64_t{1} << 30, info.grid);
      EXPECT_LE(wanted, default_tile_size(n, ranks, cap));
      const bool for_one =
          detail::is_for_one_device<T, Exec>(n, static_cast<std::int64_t>(b.size()) / std::max<std::int64_t>(1, n),
                                             info.grid, options.arithmetic, options.moduli);
      EXPECT_EQ(info.tile_size, for_one ? n : wanted);
    }
    const PhaseSeconds& s = info.seconds;
    const std::array<double, 7> all{s.redistribute, s.factorize, s.solve, s.update, s.panel, s.exchange, s.waiting};
    for (const double seconds : all) EXPECT_TRUE(seconds >= 0 && std::isfinite(seconds)) << seconds;
    EXPECT_LE(s.update + s.panel + s.exchange + s.waiting, s.factorize) << "the parts are parts of it";
    EXPECT_EQ(x.extent(0), b.extent(0));
    EXPECT_EQ(x.extent(1), b.extent(1));
    const auto x_host = to_host(x);
    EXPECT_TRUE(same_on_all_ranks(comm, x_host));
    if (rank == 0) {  // as x is the same everywhere
      EXPECT_LE(backward_error(n, f, options.diag_shift, x_host, to_host(b)), bound<T>(n));
    }
    return x_host;
  }

  /// The same, with compact Views of its own.
  HostMatrix<T> check(std::int64_t n, std::int64_t nrhs, const Shards& shards, const CholeskyOptions& options) const {
    const Dominant<T> f{n};
    const auto a = make_rows<Matrix<T, Kokkos::LayoutRight>>(shards, rank, n, f, options.triangle);
    const Matrix<T, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
    set_noise(b, 5);
    return check(n, f, a, b, options);
  }
};
TYPED_TEST_SUITE(SolveTest, Scalars);

TYPED_TEST(SolveTest, EveryGridSizeAndTile) {
  unsigned variant = 0;  // its bits: which triangle, shards and right-hand sides; all eight on each grid
  for (const GridShape grid : all_grids(this->ranks)) {
    for (const std::int64_t n : {1, 2, 5, 37, 130, 257}) {
      for (const std::int64_t tile : {0, 1, 7, 32, 64, 1000}) {
        if (tile > 0 && n > 20 * tile) continue;  // many steps, and nothing new
        const Triangle triangle = variant & 1U ? Triangle::upper : Triangle::lower;
        const Shards shards = variant & 2U ? ragged_shards(n, this->ranks) : even_shards(n, this->ranks);
        const std::int64_t nrhs = variant & 4U ? 3 : 1;
        variant += 3;
        SCOPED_TRACE("n " + std::to_string(n) + ", tile " + std::to_string(tile) + ", grid " +
                     std::to_string(grid.rows) + " x " + std::to_string(grid.cols) + ", variant " +
                     std::to_string(variant % 8));
        this->check(n, nrhs, shards, {.local_tile_size = tile, .grid = grid, .triangle = triangle});
      }
    }
  }
}

TYPED_TEST(SolveTest, TheShardsDoNotMatter) {
  const std::int64_t n = 130;
  for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
    const CholeskyOptions options{.local_tile_size = 32, .triangle = triangle};
    const auto x = this->check(n, 3, even_shards(n, this->ranks), options);
    EXPECT_TRUE(same_bits(x, this->check(n, 3, ragged_shards(n, this->ranks), options)));
    for (const int holder : {0, this->ranks - 1}) {  // all rows on one rank
      Shards shards(static_cast<std::size_t>(this->ranks) + 1, 0);
      for (int r = holder; r < this->ranks; ++r) shards[static_cast<std::size_t>(r) + 1] = n;
      EXPECT_TRUE(same_bits(x, this->check(n, 3, shards, options))) << "rows on rank " << holder;
    }
  }
}

TYPED_TEST(SolveTest, LogDeterminant) {
  using T = TypeParam;
  const double shift = 0.25;
  for (const GridShape grid : all_grids(this->ranks)) {
    for (const std::int64_t n : {0, 1, 37, 130}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", grid rows " + std::to_string(grid.rows));
      const Dominant<T> f{n};
      const Lapack<T> lapack(
          n, [&](std::int64_t i, std::int64_t j) { return i == j ? f(i, j) + scalar<T>(shift, 0) : f(i, j); });
      double expected = 0;
      for (std::int64_t i = 0; i < n; ++i) expected += 2 * std::log(static_cast<double>(detail::real(lapack.l(i, i))));
      const auto a = make_rows<Matrix<T, Kokkos::LayoutRight>>(ragged_shards(n, this->ranks), this->rank, n, f);
      const Matrix<T, Kokkos::LayoutRight> b("b", static_cast<std::size_t>(n), 1);
      const CholeskyOptions options{.local_tile_size = 16, .grid = grid, .diag_shift = shift};
      const double ours = cholesky_distributed(this->comm, a, b, options).info.log_determinant;
      EXPECT_NEAR(ours, expected, 4 * epsilon<T>() * static_cast<double>(n + 4));
      EXPECT_TRUE(same_on_all_ranks(this->comm, &ours, sizeof ours));
    }
  }
}

TYPED_TEST(SolveTest, ShardedMatrixTakesTheTileOfTheOneCall) {
  using T = TypeParam;
  const Kokkos::DefaultExecutionSpace exec;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const std::int64_t n : {0, 1, 5, 101, 300}) {
      SCOPED_TRACE("n " + std::to_string(n) + ", grid rows " + std::to_string(shape.rows));
      const Dominant<T> f{n};
      const auto rows = make_rows<Matrix<T, Kokkos::LayoutRight>>(even_shards(n, this->ranks), this->rank, n, f);
      const Matrix<T, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), 2);
      set_noise(b, 5);
      ShardedMatrix<T> a(grid, n);
      // A matrix that is more than solved for is on all devices.
      const std::int64_t tile = kernels::is_host<Exec> ? 0 : a.tile_size();
      const auto [x, info] = cholesky_distributed(this->comm, rows, b, {.local_tile_size = tile, .grid = shape});
      EXPECT_EQ(a.tile_size(), std::max<std::int64_t>(1, info.tile_size));
      EXPECT_EQ(a.tile_size(), std::max<std::int64_t>(1, memory_plan<T>(n, shape).tile_size));
      EXPECT_EQ(a.tile_size(), ShardedMatrix<T>(grid, n, 0).tile_size());
      a.fill(exec, f);
      factorize(exec, std::move(a)).solve(exec, b);
      EXPECT_TRUE(same_bits(to_host(b), to_host(x)));
    }
  }
}

TYPED_TEST(SolveTest, AnEmptyRankPassesAnEmptyView) {
  const std::int64_t n = 37;
  const Dominant<TypeParam> f{n};
  const Shards shards = ragged_shards(n, this->ranks);
  auto a = make_rows<Matrix<TypeParam, Kokkos::LayoutRight>>(shards, this->rank, n, f);
  const Matrix<TypeParam, Kokkos::LayoutRight> b("b", static_cast<std::size_t>(n), 1);
  set_noise(b, 5);
  const auto x = this->check(n, f, a, b, {.local_tile_size = 7});
  if (a.extent(0) == 0) a = {};  // 0 x 0
  EXPECT_TRUE(same_bits(x, this->check(n, f, a, b, {.local_tile_size = 7})));
}

TYPED_TEST(SolveTest, LayoutsDoNotMatter) {
  using T = TypeParam;
  const std::int64_t n = 67;
  const std::int64_t nrhs = 3;
  const Dominant<T> f{n};
  for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
    const CholeskyOptions options{.local_tile_size = 16, .triangle = triangle};
    const auto right =
        make_rows<Matrix<T, Kokkos::LayoutRight>>(ragged_shards(n, this->ranks), this->rank, n, f, triangle);
    const Matrix<T, Kokkos::LayoutRight> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
    set_noise(b, 9);
    const auto expected = this->check(n, f, right, b, options);

    const Matrix<T, Kokkos::LayoutLeft> left("left", right.extent(0), right.extent(1));
    copy_elements(right, left);
    EXPECT_TRUE(same_bits(expected, this->check(n, f, left, b, options)));
    const Matrix<const T, Kokkos::LayoutLeft> of_const = left;
    EXPECT_TRUE(same_bits(expected, this->check(n, f, of_const, b, options)));

    for (const Order order : {Order::rows_apart, Order::columns_apart}) {
      const auto a_strided = strided_matrix<T>(static_cast<std::int64_t>(right.extent(0)), n, order);
      const auto b_strided = strided_matrix<T>(n, nrhs, order);
      copy_elements(right, a_strided);
      copy_elements(b, b_strided);
      EXPECT_TRUE(same_bits(expected, this->check(n, f, a_strided, b_strided, options)));
      const Matrix<const T, Kokkos::LayoutStride> a_const = a_strided;
      const Matrix<const T, Kokkos::LayoutStride> b_const = b_strided;
      EXPECT_TRUE(same_bits(expected, this->check(n, f, a_const, b_const, options)));
    }

    // a part of a larger View: a leading dimension of its own
    const Matrix<T, Kokkos::LayoutRight> parent("parent", right.extent(0) + 4, right.extent(1) + 5);
    const auto rows = Kokkos::make_pair(std::size_t{3}, 3 + right.extent(0));
    const auto part = Kokkos::subview(parent, rows, Kokkos::make_pair(std::size_t{2}, 2 + right.extent(1)));
    copy_elements(right, part);
    EXPECT_TRUE(same_bits(expected, this->check(n, f, part, b, options)));
  }
}

TYPED_TEST(SolveTest, TheSameBitsFromCallToCall) {
  const std::int64_t n = 130;
  for (const GridShape grid : all_grids(this->ranks)) {
    const CholeskyOptions options{.local_tile_size = 7, .grid = grid};
    const Shards shards = even_shards(n, this->ranks);
    const auto x = this->check(n, 2, shards, options);
    for (int call = 0; call < 3; ++call) EXPECT_TRUE(same_bits(x, this->check(n, 2, shards, options)));
  }
}

TYPED_TEST(SolveTest, AnswerOfNanHasNoSmallError) {
  const HostMatrix<TypeParam> x("x", 2, 1);
  const HostMatrix<TypeParam> b("b", 2, 1);
  EXPECT_EQ(backward_error(2, Dominant<TypeParam>{2}, 0, x, b), 0);
  x(1, 0) = scalar<TypeParam>(NAN, NAN);
  EXPECT_TRUE(std::isnan(backward_error(2, Dominant<TypeParam>{2}, 0, x, b)));
}

/// Dominant without its diagonal: not positive definite, until a shift makes it so.
template <class T>
struct Hollow {
  Dominant<T> f;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return i == j ? T(0) : f(i, j); }
};

TYPED_TEST(SolveTest, DiagShift) {
  const std::int64_t n = 67;
  const Shards shards = ragged_shards(n, this->ranks);
  for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
    for (const double shift : {-0.0625, 0.3, 1e3}) {
      this->check(n, 1, shards, {.local_tile_size = 16, .diag_shift = shift, .triangle = triangle});
    }
    const Hollow<TypeParam> f{{n}};
    const auto a = make_rows<Matrix<TypeParam, Kokkos::LayoutRight>>(shards, this->rank, n, f, triangle);
    const Matrix<TypeParam, Kokkos::LayoutRight> b("b", static_cast<std::size_t>(n), 1);
    set_noise(b, 3);
    EXPECT_THROW(cholesky_distributed(this->comm, a, b, {.triangle = triangle}), NotPositiveDefinite);
    this->check(n, f, a, b, {.diag_shift = 3, .triangle = triangle});
  }
}

TYPED_TEST(SolveTest, X0OfAnyTypeIsIgnored) {
  const std::int64_t n = 37;
  const auto a = make_rows<Matrix<TypeParam, Kokkos::LayoutRight>>(even_shards(n, this->ranks), this->rank, n,
                                                                   Dominant<TypeParam>{n});
  const Kokkos::View<TypeParam*, Space> b("b", static_cast<std::size_t>(n));
  set_noise(b, 3);
  const auto first = cholesky_distributed(this->comm, a, b);
  const auto x = to_host(first.x);
  const Kokkos::View<TypeParam*, Space> junk("junk", 3);
  Kokkos::deep_copy(junk, scalar<TypeParam>(NAN, NAN));
  const CholeskyOptions options;
  EXPECT_TRUE(same_bits(x, to_host(cholesky_distributed(this->comm, a, b, options, junk).x)));
  EXPECT_TRUE(same_bits(x, to_host(cholesky_distributed(this->comm, a, b, options, std::string("zero")).x)));
  EXPECT_TRUE(same_bits(x, to_host(cholesky_distributed(this->comm, a, b, options, nullptr).x)));
  EXPECT_TRUE(same_bits(x, to_host(cholesky_distributed(this->comm, a, b, options, first.x).x)));
  EXPECT_TRUE(same_bits(x, to_host(first.x))) << "x0 was changed";
}

TYPED_TEST(SolveTest, NothingToSolve) {
  using T = TypeParam;
  for (const std::int64_t tile : {0, 7}) {
    for (const std::int64_t n : {0, 1, 37}) {
      const auto a =
          make_rows<Matrix<T, Kokkos::LayoutRight>>(even_shards(n, this->ranks), this->rank, n, Dominant<T>{n});
      for (const std::int64_t nrhs : {0, 3}) {
        if (n > 0 && nrhs > 0) continue;
        const Matrix<T, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
        const auto [x, info] = cholesky_distributed(this->comm, a, b, {.local_tile_size = tile});
        EXPECT_EQ(x.extent(0), b.extent(0));
        EXPECT_EQ(x.extent(1), b.extent(1));
        EXPECT_EQ(info.leading_minor, 0);
      }
    }
    const Kokkos::View<T*, Space> b("b", 0);
    EXPECT_EQ(cholesky_distributed(this->comm, Matrix<T, Kokkos::LayoutLeft>{}, b, {.local_tile_size = tile}).x.size(),
              0U);
  }
}

}  // namespace
}  // namespace tessera::testing
