// SPDX-License-Identifier: BSD-3-Clause
#include "factor_error.hpp"
#include "failing_messages.hpp"
#include "jacobians.hpp"
#include "lapack.hpp"
#include "misuse.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

// Factors that gain rows and columns, beside LAPACK's factor of the whole, and matrices with memory for more.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
using Rows = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

/// A matrix of `sizes.back()` rows, of which the first are factored, and the others come in pieces.
struct Growth {
  std::int64_t tile;
  std::int64_t slab;
  std::vector<std::int64_t> sizes;
};
const Growth growths[] = {
    {7, 0, {0, 5, 37}},             // begins empty, then in the middle of a tile
    {1, 0, {1, 2, 3}},              // less than ranks
    {16, 16, {20, 20, 21, 70}},     // no rows; more than a tile
    {32, 96, {64, 96, 101, 160}},   // whole tiles
    {1000, 0, {0, 1, 40, 41, 42}},  // a tile that is wider than the first matrices
    {0, 0, {50, 90}},
    {48, 48, {30, 330}},  // more than are appended at once
};
std::ostream& operator<<(std::ostream& out, const Growth& growth) {
  out << "tile " << growth.tile << ", sizes";
  for (const std::int64_t n : growth.sizes) out << " " << n;
  return out;
}

template <class T>
struct AppendTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Exec exec;

  template <class F>
  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile, std::int64_t slab, std::int64_t reserve,
                           const F& f) const {
    ShardedMatrix<T> a(ProcessGrid(comm, shape), n, tile, slab, reserve);
    a.fill(exec, f);
    return factorize(exec, std::move(a));
  }

  /// Rows n to n + k of A(i, j) = f(i, j), with NaN above the diagonal and an imaginary part on it.
  template <class View = Rows<T>, class F>
  static View rows(std::int64_t n, std::int64_t k, const F& f) {
    return make_rows<View>({n, n + k}, 0, n + k, f);
  }

  HostMatrix<T> solved(const CholeskyFactor<T>& l) const {
    const Rows<T> x("x", static_cast<std::size_t>(l.n()), 3);
    set_noise(x, 5);
    l.solve(exec, x);
    exec.fence();
    return to_host(x);
  }

  /// It is the factor of A(i, j) = f(i, j) in all that is asked of it.
  template <class F>
  void expect_factor(const CholeskyFactor<T>& l, std::int64_t n, const F& f) const {
    ASSERT_EQ(l.n(), n);
    ASSERT_EQ(l.matrix().rows().n, n);
    EXPECT_LE(factor_error(comm, l.matrix(), f), 2 * (static_cast<double>(n) + 4));
    const auto x = solved(l);
    EXPECT_TRUE(same_on_all_ranks(comm, x));
    const double log_determinant = l.log_determinant();
    EXPECT_TRUE(same_on_all_ranks(comm, &log_determinant, sizeof log_determinant));
    const HostMatrix<T> b("b", x.extent(0), x.extent(1));
    set_noise(b, 5);
    const Rows<T> halves("halves", x.extent(0), x.extent(1));
    set_noise(halves, 5);
    l.solve_lower(exec, halves);
    l.solve_upper(exec, halves);
    EXPECT_TRUE(same_bits(to_host(halves), x));
    l.multiply_upper(exec, halves);
    l.multiply_lower(exec, halves);
    const auto product = to_host(halves);
    for (std::size_t k = 0; k < b.size(); ++k)
      EXPECT_LE(std::abs(wide(product.data()[k]) - wide(b.data()[k])), 40 * epsilon<T>());
    const double condition = l.reciprocal_condition(exec, lapack_norm_one<T>(n, f));
    if (rank > 0 || n == 0) return;
    EXPECT_LE(backward_error(n, f, 0, x, b), (2 + 0.05 * static_cast<double>(n)) * epsilon<T>());
    const Lapack<T> lapack(n, f);
    double expected = 0;
    for (std::int64_t i = 0; i < n; ++i) expected += 2 * std::log(static_cast<double>(detail::real(lapack.l(i, i))));
    EXPECT_NEAR(log_determinant, expected, 8 * epsilon<T>() * static_cast<double>(n + 4));
    EXPECT_NEAR(condition, lapack.reciprocal_condition(lapack_norm_one<T>(n, f)), 0.01 * condition);
  }
};
TYPED_TEST_SUITE(AppendTest, Scalars);

TYPED_TEST(AppendTest, IsTheFactorOfTheWhole) {
  using T = TypeParam;
  std::size_t number = 0;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto& growth : growths) {
      const std::int64_t total = growth.sizes.back();
      // each for some of the scalars, where there are many grids or much to do
      const std::size_t share = total > 200 ? 4 : this->ranks > 3 ? 2 : 1;
      if (++number % share != scalar_number<T> % share) continue;
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", " << growth);
      const Dominant<T> f{total};
      auto l = this->factor(shape, growth.sizes.front(), growth.tile, growth.slab, total - growth.sizes.front(), f);
      for (std::size_t i = 1; i < growth.sizes.size(); ++i) {
        const std::int64_t n = growth.sizes[i - 1];
        l.append(this->exec, TestFixture::rows(n, growth.sizes[i] - n, f));
        EXPECT_EQ(l.matrix().reserve(), total - growth.sizes[i]);
        this->expect_factor(l, growth.sizes[i], f);
      }
    }
  }
}

/// A factor of which nothing is rounded has the bits of that of the whole.
TYPED_TEST(AppendTest, ExactFactorsAreTheSame) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t k : {1, 13, 30, 280}) {
      const std::int64_t n = 21;
      const auto whole = this->factor(shape, n + k, 10, 20, 0, Exact<T>{});
      auto l = this->factor(shape, n, 10, 20, k + 5, Exact<T>{});
      l.append(this->exec, TestFixture::rows(n, k, Exact<T>{}));
      EXPECT_EQ(lower_tiles(l.matrix()), lower_tiles(whole.matrix())) << k << " rows";
      EXPECT_EQ(l.log_determinant(), 0);
      EXPECT_EQ(l.matrix().reserve(), 5);
    }
  }
}

TYPED_TEST(AppendTest, RowsInAnyView) {
  using T = TypeParam;
  const std::int64_t n = 19;
  const std::int64_t k = 12;
  const Dominant<T> f{n + k};
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto appended = [&](const auto& rows) {
      auto l = this->factor(shape, n, 8, 0, k, f);
      l.append(this->exec, rows);
      EXPECT_TRUE(std::isfinite(l.log_determinant()));
      return lower_tiles(l.matrix());
    };
    const Rows<T> rows = TestFixture::rows(n, k, f);
    const auto expected = appended(rows);
    const auto expect_same = [&](const auto& other) {
      copy_elements(rows, other);
      EXPECT_EQ(appended(other), expected);
    };
    const std::size_t height = k;
    const std::size_t width = n + k;
    EXPECT_EQ(appended(Kokkos::View<const T**, Kokkos::LayoutLeft, Space>(rows)), expected);
    expect_same(Kokkos::View<T**, Kokkos::LayoutRight, Space>("rows", height, width));
    expect_same(
        Kokkos::View<T**, Kokkos::LayoutStride, Space>("rows", Kokkos::LayoutStride(height, 2, width, 2 * height + 1)));
    expect_same(Kokkos::subview(Rows<T>("rows", height + 3, width + 2), Kokkos::make_pair(std::size_t{2}, height + 2),
                                Kokkos::make_pair(std::size_t{1}, width + 1)));
    EXPECT_EQ(appended(Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, rows)), expected);
  }
}

/// Row `at` is appended with a defect: its leading minor fails, the factor stays, and what is right is taken then.
TYPED_TEST(AppendTest, WhatIsNotPositiveDefiniteLeavesTheFactor) {
  using T = TypeParam;
  const std::int64_t n = 17;
  std::size_t number = scalar_number<T>;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t k : {9, 270}) {
      if (k == 270 && ++number % 4 != 0) continue;
      auto l = this->factor(shape, n, 10, 10, k, Exact<T>{});
      const auto before = lower_tiles(l.matrix());
      const auto x_before = this->solved(l);
      for (const Defect defect : defects) {
        // in the second piece of many rows, with a first one that is good
        const std::int64_t at = n + std::array{std::int64_t{0}, k / 2, k - 1}[number++ % 3];
        SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", defect "
                                          << static_cast<int>(defect) << " in row " << at << " of " << n + k);
        const auto rows = TestFixture::rows(n, k, Planted<T>{defect, at, number % 2 == 0 ? 3 : at - 1});
        std::int64_t minor = 0;
        try {
          l.append(this->exec, rows);
        } catch (const NotPositiveDefinite& e) {
          minor = e.leading_minor();
        }
        EXPECT_EQ(minor, at + 1);
        EXPECT_EQ(l.n(), n);
        EXPECT_EQ(l.matrix().reserve(), k);
        EXPECT_EQ(l.log_determinant(), 0);
        EXPECT_EQ(lower_tiles(l.matrix()), before);
        EXPECT_TRUE(same_bits(this->solved(l), x_before));
      }
      l.append(this->exec, TestFixture::rows(n, k, Exact<T>{}));
      EXPECT_EQ(lower_tiles(l.matrix()), lower_tiles(this->factor(shape, n + k, 10, 10, 0, Exact<T>{}).matrix()));
    }
  }
}

/// What is reserved has no part in a matrix: in what fills it, in what it is measured by, in messages.
TYPED_TEST(AppendTest, AReserveIsMemoryAlone) {
  using T = TypeParam;
  const std::int64_t n = 43;
  const Dominant<T> f{n};
  const auto rows = make_rows<Rows<T>>(ragged_shards(n, this->ranks), this->rank, n, f);
  const auto samples = make_samples<Rows<T>>(even_shards(n, this->ranks), this->rank, 30, Jacobian<T>{});
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    struct Result {
      std::vector<T> filled, redistributed, factor;
      double norm, product;
      std::int64_t messages, bytes;
      bool operator==(const Result&) const = default;
    };
    const auto result = [&](std::int64_t reserve) {
      Result r;
      ShardedMatrix<T> a(grid, n, 8, 24, reserve);
      EXPECT_EQ(a.reserve(), reserve);
      EXPECT_EQ(a.slab(), 24);
      a.fill(this->exec, f);
      add_gram(this->exec, Gram{samples}, a);
      r.filled = lower_tiles(a);
      redistribute(this->exec, rows, a, 0);
      r.redistributed = lower_tiles(a);
      r.norm = norm_one(this->exec, a);
      r.product = inner_product(this->exec, a, Dominant<T>{n, 3});
      profile::reset_sent();
      const auto l = factorize(this->exec, std::move(a));
      this->solved(l);
      r.messages = profile::sent().messages;
      r.bytes = profile::sent().bytes;
      r.factor = lower_tiles(l.matrix());
      return r;
    };
    const Result without = result(0);
    for (const std::int64_t reserve : {1, 5, 8, 100}) {
      EXPECT_EQ(result(reserve), without) << "reserve " << reserve << ", " << shape.rows << " x " << shape.cols;
    }
  }
}

/// As far as a call has come, the factor is as before, and what has failed works then.
TYPED_TEST(AppendTest, MessagesThatFailOnOneRankLeaveTheFactor) {
  using T = TypeParam;
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  const std::int64_t n = 18;
  const std::int64_t k = 260;  // in two pieces
  int failed_in_all = 0;
  int culprit = static_cast<int>(scalar_number<T>);
  const auto rows = TestFixture::rows(n, k, Exact<T>{});
  for (const GridShape shape : all_grids(this->ranks)) {
    auto l = this->factor(shape, n, 60, 0, k, Exact<T>{});
    const auto before = lower_tiles(l.matrix());
    for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
      culprit = (culprit + 1) % this->ranks;
      for (int skip = 0; ends_everywhere(this->comm, culprit, name, skip, [&] { l.append(this->exec, rows); });
           skip += 1 + skip) {
        ++failed_in_all;
        EXPECT_EQ(l.n(), n);
        EXPECT_EQ(lower_tiles(l.matrix()), before);
      }
      EXPECT_EQ(l.n(), n + k);
      l = this->factor(shape, n, 60, 0, k, Exact<T>{});
    }
  }
  EXPECT_GT(failed_in_all, 2);
}

struct AppendMisuseTest : MisuseTest {};

TEST_F(AppendMisuseTest, RowsAndFactors) {
  using Factor = CholeskyFactor<double>;
  const std::int64_t n = 24;
  const std::int64_t tile = 4;
  const ProcessGrid grid(comm);
  const System<double> system(comm, n);
  const auto with_reserve = [&](std::int64_t tile_size, std::int64_t reserve) {
    ShardedMatrix<double> a(grid, n, tile_size, 0, reserve);
    redistribute(Exec{}, system.a, a, 0);
    return factorize(Exec{}, std::move(a));
  };
  Factor l = with_reserve(tile, 3);
  Factor none = with_reserve(tile, 0);
  Factor other_tile = with_reserve(2 * tile, 3);
  Factor other_reserve = with_reserve(tile, 4);
  Factor moved_from = with_reserve(tile, 3);
  const Factor taken = std::move(moved_from);
  const auto append = [](Factor& to, std::int64_t k, std::int64_t columns) {
    to.append(Exec{}, Kokkos::View<double**>("rows", static_cast<std::size_t>(k), static_cast<std::size_t>(columns)));
  };
  for (const std::int64_t columns : {std::int64_t{0}, std::int64_t{2}, n, n + 1, n + 3}) {
    wrong("rows", {"columns", "\\b24\\b", "\\b" + std::to_string(columns) + "\\b"},
          [&](bool is_wrong) { append(l, 2, is_wrong ? columns : n + 2); });
  }
  wrong("rows", {"\\b4\\b", "reserve", "\\b3\\b"},
        [&](bool is_wrong) { append(l, is_wrong ? 4 : 3, is_wrong ? n + 4 : n + 3); });
  wrong("rows", {"\\b1\\b", "reserve", "\\b0\\b"}, [&](bool is_wrong) { append(is_wrong ? none : l, 1, n + 1); });
  wrong_on_one("rows", {"\\b1\\b", "\\b2\\b"},
               [&](bool is_wrong) { append(l, is_wrong ? 2 : 1, is_wrong ? n + 2 : n + 1); });
  wrong_on_one("rows", {"\\b0\\b", "\\b2\\b"},
               [&](bool is_wrong) { append(l, is_wrong ? 2 : 0, is_wrong ? n + 2 : n); });
  wrong_on_one("tile|factor", {}, [&](bool is_wrong) { append(is_wrong ? other_tile : l, 1, n + 1); });
  wrong_on_one("reserve", {"\\b3\\b", "\\b4\\b"},
               [&](bool is_wrong) { append(is_wrong ? other_reserve : l, 1, n + 1); });
  wrong("rows", {"\\b0\\b", "\\b25\\b"}, [&](bool is_wrong) { append(is_wrong ? moved_from : l, 1, n + 1); });
  double one = 1;
  wrong("rows", {"reserve"}, [&](bool is_wrong) {
    const std::int64_t k = std::int64_t{1} << 61;
    is_wrong ? l.append(Exec{}, repeated(&one, k, n + k)) : append(l, 1, n + 1);
  });
  append(l, 0, n);
  const Kokkos::View<double*> x("x", n);
  Kokkos::deep_copy(x, system.b);
  l.solve(Exec{}, x);
  EXPECT_TRUE(system.is_solved_by(to_host(x)));
  EXPECT_EQ(l.matrix().reserve(), 3);
}

}  // namespace
}  // namespace tessera::testing
