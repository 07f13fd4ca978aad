// SPDX-License-Identifier: BSD-3-Clause
#include "entries.hpp"
#include "lapack.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

// What is no number, numbers of every size, and sizes of every kind, through every entry of the interface.
namespace tessera::testing {
namespace {

constexpr std::int64_t n = 23;
constexpr std::int64_t tile = 5;
constexpr double not_finite[] = {NAN, INFINITY, -INFINITY};
/// The first, middle and last row of the first tile, of one in the middle, and of the last, which is ragged.
constexpr std::int64_t edges[] = {0, 2, 4, 10, 12, 14, 20, 21, 22};

/// f, but for one element. (For a Hermitian one: and for its mirror image.)
template <class F, class T>
struct But {
  F f;
  std::int64_t i;
  std::int64_t j;
  T value;
  bool hermitian = true;

  KOKKOS_FUNCTION T operator()(std::int64_t p, std::int64_t q) const {
    return (p == i && q == j) || (hermitian && p == j && q == i) ? value : f(p, q);
  }
};

/// f, with `value` in the triangle that is not read.
template <class F, class T>
struct Beside {
  F f;
  Triangle triangle;
  T value;

  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    const bool read = triangle == Triangle::lower ? i >= j : i <= j;
    return read ? f(i, j) : value;
  }
};

template <class T>
struct Scaled {
  Dominant<T> f;
  Real<T> scale;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return scale * f(i, j); }
};

template <class T>
struct ScaledJacobian {
  Real<T> scale;
  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t k) const { return scale * Jacobian<T>{}(s, k); }
};

/// 2 in one place
template <class T>
struct Two {
  std::int64_t k;
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const { return T(i == k && j == k ? 2 : 0); }
};

template <class T>
bool finite(const T& x) {
  const Wide w = wide(x);
  return std::isfinite(w.real()) && std::isfinite(w.imag());
}

template <class T>
struct NumbersTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  std::vector<GridShape> grids = all_grids(ranks);
  std::size_t variant = scalar_number<T>;

  /// Another grid, and another way to fail, each time.
  Question<T> next_question(std::int64_t nrhs = 1) {
    Question<T> q = question<T>(comm, n, nrhs);
    const std::size_t by = variant++ / 4;
    q.options = {.local_tile_size = tile, .grid = grids[by % grids.size()]};
    q.options.on_failure = by % 2 == 0 ? Failure::raise : Failure::fill_nan;
    return q;
  }

  template <class F>
  void expect_solved(const Answer<T>& answer, const F& f, double shift, const Question<T>& q, double bound) const {
    EXPECT_EQ(answer.leading_minor, 0);
    ASSERT_EQ(answer.x.size(), q.b.size());
    EXPECT_TRUE(same_on_all_ranks(comm, answer.x));
    EXPECT_LE(backward_error(q.n(), f, shift, answer.x, to_host(q.b)), bound);
  }
};
TYPED_TEST_SUITE(NumbersTest, Scalars);

// The rows are tried in not_positive_definite_test.
TYPED_TEST(NumbersTest, NotPositiveDefiniteAtEveryEdge) {
  using T = TypeParam;
  constexpr std::array others{Entry::op, Entry::object, Entry::pieces, Entry::fill, Entry::append, Entry::c};
  const auto expect = [&](const auto& f, std::int64_t k, bool fails) {
    const Entry entry = others[this->variant % others.size()];
    const Answer<T> answer = testing::answer(entry, this->next_question(), f);
    EXPECT_EQ(answer.leading_minor, fails ? k + 1 : 0) << entry;
  };
  for (const std::int64_t k : edges) {
    for (const double pivot : {-1., 0., double{NAN}, double{-INFINITY}, double{INFINITY}}) {
      SCOPED_TRACE(::testing::Message() << "row " << k << ", pivot " << pivot);
      expect(LonePivot<T>{k, static_cast<Real<T>>(pivot)}, k, !(pivot > 0));
    }
    for (const double value : not_finite) {
      if (k == 0) continue;
      SCOPED_TRACE(::testing::Message() << "row " << k << ", left of the diagonal " << value);
      expect(But<Exact<T>, T>{{}, k, k / 2, scalar<T>(value, 0)}, k, true);
    }
  }
}

TYPED_TEST(NumbersTest, TheTriangleThatIsNotReadMayHoldAnything) {
  using T = TypeParam;
  const Dominant<T> f{n};
  for (const Entry entry : {Entry::rows, Entry::op, Entry::object, Entry::pieces, Entry::c}) {
    for (const double value : not_finite) {
      for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
        SCOPED_TRACE(::testing::Message() << entry << ", " << value);
        Question<T> q = this->next_question();
        q.options.triangle = triangle;
        const Beside<Dominant<T>, T> a{f, triangle, scalar<T>(value, value)};
        this->expect_solved(answer(entry, q, a), f, 0, q, 100 * epsilon<T>());
      }
    }
  }
}

TYPED_TEST(NumbersTest, GramThatIsNotPositiveDefinite) {
  using T = TypeParam;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    for (const std::int64_t k : edges) {
      const auto expect = [&](const auto& f, const GramOptions& options, std::int64_t first, std::int64_t last) {
        const GramEntry entry = gram_entries[this->variant % std::size(gram_entries)];
        Question<T> q = this->next_question();
        q.options.diag_shift = 1;
        const Answer<T> answer = testing::answer(entry, q, f, n, options);
        EXPECT_GE(answer.leading_minor, first) << entry;
        EXPECT_LE(answer.leading_minor, last) << entry;
      };
      SCOPED_TRACE(::testing::Message() << (form == GramForm::j_jh ? "J J^H" : "J^H J") << ", row " << k);
      expect(Two<T>{k}, {.form = form, .alpha = -1}, k + 1, k + 1);
      for (const double value : not_finite) {
        SCOPED_TRACE(value);
        But<Jacobian<T>, T> f{{}, k, 7, scalar<T>(value, 0), false};
        if (form == GramForm::jh_j) std::swap(f.i, f.j);
        // An infinite number makes its diagonal element infinite, which is positive, and all beside it fail.
        const std::int64_t all = std::isnan(value) ? 1 : 2;
        expect(f, {.form = form}, k + 1, k == 0 ? all : k + 1);
        if (k % tile != 2) continue;
        // The mean that belongs to one row of A stays there; the other mean is in all of A.
        const bool kernel_matrix = form == GramForm::j_jh;
        expect(f, {.form = form, .subtract_column_means = !kernel_matrix, .subtract_row_means = kernel_matrix}, k + 1,
               k + 1);
        expect(f, {.form = form, .subtract_column_means = kernel_matrix, .subtract_row_means = !kernel_matrix}, 1, all);
      }
    }
  }
}

// x is finite where LAPACK's is, and the other columns do not change by a bit.
TYPED_TEST(NumbersTest, WhatIsNotFiniteInBStaysInItsColumn) {
  using T = TypeParam;
  constexpr std::int64_t nrhs = 3;
  const Dominant<T> f{n};
  const Lapack<T> lapack(n, f);
  const auto expect = [&](const auto& solve) {
    Question<T> q = this->next_question(nrhs);
    const HostMatrix<T> expected = solve(q).x;
    const std::int64_t k = edges[3 * (this->variant % 3)];
    for (const std::int64_t column : {0, 1, 2}) {
      const double value = not_finite[static_cast<std::size_t>(column)];
      SCOPED_TRACE(::testing::Message() << value << " in row " << k << ", column " << column);
      const auto b = to_host(q.b);
      b(k, column) = scalar<T>(value, 0);
      Question<T> spoilt = q;
      spoilt.b = typename Question<T>::B("b", n, nrhs);
      set(spoilt.b, [&](std::int64_t e) { return b(e / nrhs, e % nrhs); });
      const HostMatrix<T> x = solve(spoilt).x;
      std::vector<T> lapacks;
      for (std::int64_t i = 0; i < n; ++i) lapacks.push_back(b(i, column));
      lapack.solve(lapacks.data());
      for (std::int64_t i = 0; i < n; ++i) {
        EXPECT_EQ(finite(x(i, column)), finite(lapacks[static_cast<std::size_t>(i)])) << i;
        for (std::int64_t c = 0; c < nrhs; ++c) {
          EXPECT_TRUE(c == column || x(i, c) == expected(i, c)) << i << ", " << c;
        }
      }
    }
  };
  for (const Entry entry : entries) {
    SCOPED_TRACE(entry);
    expect([&](const Question<T>& q) { return answer(entry, q, f); });
  }
  for (const GramEntry entry : gram_entries) {
    SCOPED_TRACE(entry);
    expect([&](Question<T> q) {
      q.options.diag_shift = 1;
      return answer(entry, q, Jacobian<T>{}, 7, {});
    });
  }
}

// So large and so small that squares of the elements over- or underflow, and such that A itself has denormal numbers.
TYPED_TEST(NumbersTest, EveryScale) {
  using T = TypeParam;
  using Limits = std::numeric_limits<Real<T>>;
  const int digits = Limits::digits;
  for (const int exponent : {Limits::max_exponent - 8, Limits::min_exponent + 8, Limits::min_exponent - digits / 2}) {
    const int even = exponent / 2 * 2;
    const Real<T> scale = std::ldexp(Real<T>(1), even);
    // what an element is rounded to, relative to a large one
    const double rounding = std::max(epsilon<T>(), static_cast<double>(Limits::denorm_min() / scale));
    const Scaled<T> f{{n}, scale};
    const auto scaled_question = [&] {
      Question<T> q = this->next_question();
      set(q.b, [scale](std::int64_t k) { return scale * scalar<T>(noise(k, 0, 2), noise(k, 1, 2)); });
      return q;
    };
    for (const Entry entry : entries) {
      SCOPED_TRACE(::testing::Message() << entry << ", scale " << scale);
      const Question<T> q = scaled_question();
      this->expect_solved(answer(entry, q, f), f, 0, q, 100 * rounding);
    }
    const ScaledJacobian<T> jacobian{std::ldexp(Real<T>(1), even / 2)};
    for (const GramEntry entry : gram_entries) {
      SCOPED_TRACE(::testing::Message() << entry << ", scale " << scale);
      Question<T> q = scaled_question();
      q.options.diag_shift = static_cast<double>(scale);
      const GramOptions options{.alpha = 0.25};
      const GramReference reference(n, 7, jacobian, options);
      const auto a = [&](std::int64_t i, std::int64_t j) { return reference(i, j); };
      this->expect_solved(answer(entry, q, jacobian, 7, options), a, static_cast<double>(scale), q, 200 * rounding);
    }
  }
}

// None, one, fewer rows than ranks; rows on the last rank alone; no right-hand side.
TYPED_TEST(NumbersTest, EveryNumberOfRowsAndRightHandSides) {
  using T = TypeParam;
  for (const std::int64_t size : {0, 1, 2, this->ranks - 1, this->ranks, 2 * this->ranks + 1}) {
    for (const std::int64_t nrhs : {0, 1, 2}) {
      Question<T> q = question<T>(this->comm, size, nrhs);
      q.options.grid = this->grids[this->variant++ % this->grids.size()];
      if (this->variant % 2 == 0) {
        q.shards.assign(q.shards.size(), 0);
        q.shards.back() = size;
      }
      const Dominant<T> f{size};
      for (const Entry entry : entries) {
        SCOPED_TRACE(::testing::Message() << entry << ", n " << size << ", nrhs " << nrhs);
        this->expect_solved(answer(entry, q, f), f, 0, q, 100 * epsilon<T>());
      }
      q.options.diag_shift = 1;
      for (const GramEntry entry : gram_entries) {
        const std::int64_t depth = this->variant % 3 == 0 ? 0 : 3;
        SCOPED_TRACE(::testing::Message() << entry << ", n " << size << ", nrhs " << nrhs << ", depth " << depth);
        const GramReference reference(size, depth, Jacobian<T>{}, {});
        const auto a = [&](std::int64_t i, std::int64_t j) { return reference(i, j); };
        this->expect_solved(answer(entry, q, Jacobian<T>{}, depth, {}), a, 1, q, 200 * epsilon<T>());
      }
    }
  }
}

}  // namespace
}  // namespace tessera::testing
