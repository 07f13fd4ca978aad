// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "grams.hpp"
#include "kernels/moduli.hpp"
#include "kernels/residues.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

// Gram matrices by products of integers: the same as native ones.
namespace tessera::testing {
namespace {

template <class T>
using GramByIntegersTest = GramTest<T>;
TYPED_TEST_SUITE(GramByIntegersTest, Scalars);

TYPED_TEST(GramByIntegersTest, IsWhatItShouldBe) {
  using T = TypeParam;
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    using Shape = std::pair<std::int64_t, std::int64_t>;
    for (const Shape& shape : {Shape{37, several_chunks<Space>(37)}, {5, 3}, {1, 4}, {4, 0}, {0, 4}}) {
      const std::int64_t n = shape.first;
      const std::int64_t depth = shape.second;
      const std::int64_t samples = form == GramForm::j_jh ? n : depth;
      const std::int64_t parameters = form == GramForm::j_jh ? depth : n;
      for (const int means : {0, 1, 2, 3}) {
        if (n < 37 && means > 0) continue;
        const Jacobian<T> f{means == 0 ? 0. : 3.};
        const GramOptions options{form, -0.75, (means & 1) != 0, (means & 2) != 0, Arithmetic::integer};
        const GramReference reference(samples, parameters, f, options);
        const std::vector<Wide> expected = all_of(reference);
        const bool has_one_of_them = means == 1 || means == 2;
        for (const GridShape grid : all_grids(this->ranks)) {
          if (has_one_of_them && grid != nearly_square(this->ranks)) continue;
          SCOPED_TRACE(::testing::Message() << (form == GramForm::j_jh ? "J J^H" : "J^H J") << ", n " << n << ", depth "
                                            << depth << ", means " << means << ", " << grid.rows << " x " << grid.cols);
          const Shards shards = means == 1 ? even_shards(samples, this->ranks) : ragged_shards(samples, this->ranks);
          const auto check = [&](const auto& jacobian) {
            expect_gram(this->assembled(jacobian, options, grid, n, 3, 9), expected, reference, Start<T>{});
          };
          check(make_samples<Kokkos::View<T**, Kokkos::LayoutLeft>>(shards, this->rank, parameters, f));
          if (means > 0 || grid != nearly_square(this->ranks)) continue;
          check(make_samples<Kokkos::View<T**, Kokkos::LayoutRight>>(shards, this->rank, parameters, f));
          check(JacobianOperator<Jacobian<T>>{f, shards, this->rank, parameters});
        }
      }
    }
  }
}

/// Samples of very different sizes, and one of zeros.
template <class T>
struct GradedJacobian {
  KOKKOS_FUNCTION static int exponent(std::int64_t s) {
    return static_cast<int>(s % 5 - 2) * (sizeof(Real<T>) == 4 ? 30 : 265);  // to about 1e-160 and 1e160
  }
  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t k) const {
    if (s % 7 == 3) return T(0);
    return scalar<T>(std::ldexp(noise(s, k, 21), exponent(s)), std::ldexp(noise(s, k, 22), exponent(s)));
  }
};

/// max |dA(i, j)| / (|x(i)| |x(j)|); zeros must be exact.
template <class T>
long double worst_error(MPI_Comm comm, const ShardedMatrix<T>& matrix, const GramReference& reference,
                        const std::vector<Wide>& expected) {
  double worst = 0;
  const auto norm = [&](std::int64_t i) {
    return std::sqrt(std::abs(expected[static_cast<std::size_t>(i * reference.n() + i)]));
  };
  for_each_element(matrix, [&](std::int64_t i, std::int64_t j, const T& x) {
    const long double size = norm(i) * norm(j);
    EXPECT_TRUE(size > 0 || x == T(0)) << i << ", " << j;
    using Limits = std::numeric_limits<Real<T>>;  // beyond which the products of the largest and the smallest are
    if (size > static_cast<long double>(Limits::max())) return;
    if (size < static_cast<long double>(Limits::min() / Limits::epsilon())) {
      EXPECT_LE(std::abs(wide(x)), 2 * size) << i << ", " << j;
      return;
    }
    const long double error = std::abs(wide(x) - expected[static_cast<std::size_t>(i * reference.n() + j)]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, static_cast<double>(error / size));
  });
  MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, comm);
  return worst;
}

/// That of J J^H by add_gram, in tiles of so many rows.
template <class T, class J>
long double error_of_adding(MPI_Comm comm, const J& jacobian, const GramOptions& options, std::int64_t tile,
                            const GramReference& reference, const std::vector<Wide>& expected) {
  ShardedMatrix<T> matrix(ProcessGrid(comm), reference.n(), tile);
  matrix.fill(Exec{}, detail::Shift<T>{0});
  add_gram(Exec{}, Gram{jacobian, options}, matrix);
  return worst_error(comm, matrix, reference, expected);
}

/// So large a matrix that sums are not kept from chunk to chunk on one rank; on several some are.
TYPED_TEST(GramByIntegersTest, TheErrorIsThatOfRoundingRows) {
  using T = TypeParam;
  const std::int64_t n = 100;
  const std::int64_t parameters = several_chunks<Space>(n);
  const GradedJacobian<T> f;
  const Shards shards = ragged_shards(n, this->ranks);
  const auto jacobian = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, f);
  const GramReference reference(n, parameters, f, {});
  const std::vector<Wide> expected = all_of(reference);
  const auto error = [&](const GramOptions& options) {
    return error_of_adding<T>(this->comm, jacobian, options, 32, reference, expected);
  };
  const long double native = error({});
  EXPECT_LE(error({.arithmetic = Arithmetic::integer}), 2.5L * native + 2 * epsilon<T>());
  for (const int moduli : {4, 9, 15}) {
    const double norm = kernels::largest_norm(kernels::make_moduli(moduli), kernels::most_depth, 1);
    const long double of_integers = error({.arithmetic = Arithmetic::integer, .moduli = moduli});
    EXPECT_LE(of_integers, 8 / norm + 2 * epsilon<T>()) << moduli;
    EXPECT_TRUE(moduli > 4 || of_integers > 8 * epsilon<T>());  // so these are integers
  }
}

/// Rows of equal elements, as a bias has them: if they were rounded alike, their errors would add up.
template <class T>
struct RowsOfEqualElements {
  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t) const {
    return scalar<T>(0.1 + 0.2 * static_cast<double>(s), 0.7 - 0.2 * static_cast<double>(s));
  }
};

TYPED_TEST(GramByIntegersTest, EqualElementsDoNotAddUpTheirErrors) {
  using T = TypeParam;
  const std::int64_t n = 4;
  const RowsOfEqualElements<T> f;
  for (const std::int64_t parameters : {1000, 20000}) {
    const auto jacobian = make_samples<Kokkos::View<T**>>(ragged_shards(n, this->ranks), this->rank, parameters, f);
    const GramReference reference(n, parameters, f, {});
    const std::vector<Wide> expected = all_of(reference);
    const auto error = [&](const GramOptions& options) {
      return error_of_adding<T>(this->comm, jacobian, options, 3, reference, expected);
    };
    const long double native = error({.arithmetic = Arithmetic::native});
    const int fewest = sizeof(Real<T>) == 4 ? 6 : 13;
    for (const int moduli : {0, fewest}) {
      EXPECT_LE(error({.arithmetic = Arithmetic::integer, .moduli = moduli}), 2.5L * native + 2 * epsilon<T>())
          << parameters << ", " << moduli;
    }
  }
}

TYPED_TEST(GramByIntegersTest, TheDefaultNumberDependsOnTheTerms) {
  using T = TypeParam;
  const std::int64_t n = 6;
  const std::int64_t many = 32768;
  const GramOptions options{.arithmetic = Arithmetic::integer};
  const auto number = [&](std::int64_t terms) {
    return memory_plan<T, Exec>(n, this->ranks,
                                {.tile_size = 4, .source = Source::buffered_gram, .gram = options, .depth = terms})
        .gram_moduli;
  };
  constexpr bool is_single = sizeof(Real<T>) == 4;
  EXPECT_EQ(number(many - 1), is_single ? 6 : 14);
  EXPECT_EQ(number(many), is_single ? 6 : 13);
  const Jacobian<T> f;
  const auto jacobian = make_samples<Kokkos::View<T**>>(ragged_shards(n, this->ranks), this->rank, many, f);
  const GramReference reference(n, many, f, {});
  // About 6 of 13 moduli, while that of native sums grows with the terms.
  EXPECT_LE(error_of_adding<T>(this->comm, jacobian, options, 4, reference, all_of(reference)), 10 * epsilon<T>());
}

/// X is rounded to the same integers on any ranks, as J J^H or J^H J, where it is or in strips.
TYPED_TEST(GramByIntegersTest, BitsDependOnTheNumbersAlone) {
  using T = TypeParam;
  const std::int64_t n = 37;
  const std::int64_t depth = several_chunks<Space>(n);
  const auto x = [](std::int64_t i, std::int64_t k) { return scalar<T>(noise(i, k, 21), noise(i, k, 22)); };
  const auto adjoint = [&](std::int64_t k, std::int64_t i) {
    return scalar<T>(static_cast<double>(wide(x(i, k)).real()), -static_cast<double>(wide(x(i, k)).imag()));
  };
  ShardedMatrix<T> alone(ProcessGrid(MPI_COMM_SELF), n, 16);
  alone.fill(Exec{}, Start<T>{});
  using View = Kokkos::View<T**, Kokkos::LayoutLeft>;
  add_gram(Exec{}, Gram{make_samples<View>({0, n}, 0, depth, x), {.arithmetic = Arithmetic::integer}}, alone);
  std::vector<T> expected(static_cast<std::size_t>(n * n));
  for_each_element(
      alone, [&](std::int64_t i, std::int64_t j, const T& a) { expected[static_cast<std::size_t>(i * n + j)] = a; });
  const auto expect_same = [&](const View& j, GramForm form, GridShape grid) {
    const ShardedMatrix<T> matrix =
        this->assembled(j, {.form = form, .arithmetic = Arithmetic::integer}, grid, n, 3, 0);
    std::int64_t different = 0;
    for_each_element(matrix, [&](std::int64_t i, std::int64_t k, const T& a) {
      different += a == expected[static_cast<std::size_t>(i * n + k)] ? 0 : 1;
    });
    EXPECT_EQ(different, 0) << (form == GramForm::j_jh ? "J J^H, " : "J^H J, ") << grid.rows << " x " << grid.cols;
  };
  const auto rows = make_samples<View>(ragged_shards(n, this->ranks), this->rank, depth, x);
  const auto columns = make_samples<View>(ragged_shards(depth, this->ranks), this->rank, n, adjoint);
  for (const GridShape grid : all_grids(this->ranks)) {
    expect_same(rows, GramForm::j_jh, grid);
    expect_same(columns, GramForm::jh_j, grid);
  }
}

/// Rounding moves no integers, and they come through scales that are no powers of two.
TYPED_TEST(GramByIntegersTest, IntegersAreExact) {
  using T = TypeParam;
  const std::int64_t n = 60;
  const std::int64_t depth = several_chunks<Space>(n);
  const auto f = [](std::int64_t i, std::int64_t k) {
    return scalar<T>(std::rint(static_cast<double>(2 * i + 9) * noise(i, k, 21)), std::rint(9 * noise(i, k, 22)));
  };
  const auto jacobian = make_samples<Kokkos::View<T**>>(ragged_shards(n, this->ranks), this->rank, depth, f);
  const GramReference reference(n, depth, f, {});
  const std::vector<Wide> expected = all_of(reference);
  for (const int moduli : {0, 15}) {
    EXPECT_EQ(error_of_adding<T>(this->comm, jacobian, {.arithmetic = Arithmetic::integer, .moduli = moduli}, 5,
                                 reference, expected),
              0)
        << moduli;
  }
}

/// In one row of X, or only once in it, a number that is not finite, or so small that no double scales it.
template <class T>
struct JacobianWith {
  Real<T> number;
  bool only_once;
  GramForm form;

  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t k) const {
    const std::int64_t row = form == GramForm::j_jh ? s : k;
    const std::int64_t term = form == GramForm::j_jh ? k : s;
    return row == 11 && (!only_once || term == 300) ? T(number) : scalar<T>(noise(s, k, 21), noise(s, k, 22));
  }
};

TYPED_TEST(GramByIntegersTest, WhatIsNotFiniteIsAsItIsNatively) {
  using T = TypeParam;
  using Limits = std::numeric_limits<Real<T>>;
  const std::int64_t n = 30;
  const std::int64_t depth = several_chunks<Space>(n);
  for (const GramForm form : {GramForm::j_jh, GramForm::jh_j}) {
    for (const Real<T> number : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), Limits::denorm_min()}) {
      SCOPED_TRACE(number);
      const std::int64_t samples = form == GramForm::j_jh ? n : depth;
      const std::int64_t parameters = form == GramForm::j_jh ? depth : n;
      const JacobianWith<T> f{number, number != Limits::denorm_min(), form};
      const auto jacobian =
          make_samples<Kokkos::View<T**>>(ragged_shards(samples, this->ranks), this->rank, parameters, f);
      const GridShape grid = nearly_square(this->ranks);
      const ShardedMatrix<T> native = this->assembled(jacobian, {.form = form}, grid, n, 4, 0);
      const ShardedMatrix<T> by_integers =
          this->assembled(jacobian, {.form = form, .arithmetic = Arithmetic::integer}, grid, n, 4, 0);
      std::vector<T> expected;
      for_each_element(native, [&](std::int64_t, std::int64_t, const T& x) { expected.push_back(x); });
      std::size_t at = 0;
      for_each_element(by_integers, [&](std::int64_t i, std::int64_t j, const T& x) {
        const Wide got = wide(x);
        const Wide want = wide(expected[at++]);
        const auto is_alike = [&](long double a, long double b) {
          if (!std::isfinite(b)) return std::isnan(b) ? std::isnan(a) : a == b;
          return std::abs(a - b) <= 16 * static_cast<long double>(depth) * epsilon<T>();
        };
        EXPECT_TRUE(is_alike(got.real(), want.real()) && is_alike(got.imag(), want.imag()))
            << i << ", " << j << ": " << got << " in place of " << want;
      });
    }
  }
}

/// All numbers of a sample are the same.
template <class T>
struct ConstantRows {
  KOKKOS_FUNCTION T operator()(std::int64_t s, std::int64_t) const {
    return scalar<T>(1 + 0.3 * static_cast<double>(s), 0.7);
  }
};

/// More terms than an int32 holds products of.
TYPED_TEST(GramByIntegersTest, LongSums) {
  using T = TypeParam;
  const std::int64_t depth = 200000;
  const ConstantRows<T> f;
  const auto jacobian = make_samples<Kokkos::View<T**>>(even_shards(3, this->ranks), this->rank, depth, f);
  const GramOptions options{.alpha = 1. / 200000, .arithmetic = Arithmetic::integer};
  const ShardedMatrix<T> matrix = this->assembled(jacobian, options, nearly_square(this->ranks), 3, 2, 0);
  for_each_element(matrix, [&](std::int64_t i, std::int64_t j, const T& x) {
    const Wide expected = wide(f(i, 0)) * std::conj(wide(f(j, 0))) + wide(Start<T>{}(i, j));
    const long double bound = 16 * epsilon<T>() * std::abs(expected);  // although all of a row is the same number
    EXPECT_LE(std::abs(wide(x) - expected), bound) << i << ", " << j;
  });
}

/// The one call's own arithmetic counts, too: J is asked for once more, for its norms.
TYPED_TEST(GramByIntegersTest, InTheOneCall) {
  using T = TypeParam;
  const std::int64_t n = 20;
  const std::int64_t parameters = 30;  // one chunk, whose size depends on the arithmetic
  const Shards shards = ragged_shards(n, this->ranks);
  const JacobianOperator<Jacobian<T>> jacobian{{}, shards, this->rank, parameters};
  const Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
  set_noise(b, 4);
  const auto calls = [&](const GramOptions& gram_options, Arithmetic arithmetic, int moduli) {
    Gram gram{jacobian, gram_options};
    const auto [x, info] = cholesky_distributed(
        this->comm, gram, b, {.local_tile_size = 8, .diag_shift = 1, .arithmetic = arithmetic, .moduli = moduli});
    EXPECT_EQ(info.leading_minor, 0);
    EXPECT_EQ(info.arithmetic, arithmetic == Arithmetic::integer ? Arithmetic::integer : Arithmetic::native);
    const MemoryPlan plan = memory_plan<T, Exec>(n, this->ranks,
                                                 {.tile_size = 8,
                                                  .source = Source::buffered_gram,
                                                  .gram = gram_options,
                                                  .depth = parameters,
                                                  .arithmetic = arithmetic,
                                                  .moduli = moduli});
    EXPECT_EQ(info.gram_moduli, plan.gram_moduli);
    return gram.jacobian.calls.size();
  };
  const std::size_t once = calls({}, Arithmetic::native, 0);
  EXPECT_EQ(calls({}, Arithmetic::integer, 0), 2 * once);
  EXPECT_EQ(calls({.arithmetic = Arithmetic::integer, .moduli = 9}, Arithmetic::native, 0), 2 * once);
  EXPECT_EQ(calls({.arithmetic = Arithmetic::fastest}, Arithmetic::native, 0), once);  // of so small a matrix
  EXPECT_EQ(calls({.arithmetic = Arithmetic::native}, Arithmetic::integer, 0), once);
}

TYPED_TEST(GramByIntegersTest, TheObjectTellsWhatWasUsed) {
  using T = TypeParam;
  const std::int64_t n = 20;
  const Kokkos::View<T*> b("b", static_cast<std::size_t>(n));
  set_noise(b, 4);
  CholeskyDistributed solver{.comm = this->comm,
                             .options = {.local_tile_size = 8,
                                         .diag_shift = -100,  // a try that fails
                                         .on_failure = Failure::fill_nan,
                                         .shifts = {.tries = 2, .first = 101},
                                         .moduli = 8}};
  const auto told = [&](const GramOptions& gram_options, double offset = 0) {
    Gram gram{JacobianOperator<Jacobian<T>>{{offset}, ragged_shards(n, this->ranks), this->rank, 30}, gram_options};
    return solver(gram, b).info.gram_moduli;
  };
  for (const Arithmetic arithmetic : {Arithmetic::integer, Arithmetic::native}) {
    solver.options.arithmetic = arithmetic;
    EXPECT_EQ(told({}), arithmetic == Arithmetic::integer ? 8 : 0);
    EXPECT_EQ(told({.moduli = 11}), arithmetic == Arithmetic::integer ? 11 : 0);
    EXPECT_EQ(told({.arithmetic = Arithmetic::integer, .moduli = 11}), 11);
    EXPECT_EQ(told({.arithmetic = Arithmetic::native}), 0);
    EXPECT_EQ(told({.arithmetic = Arithmetic::integer}, NAN), 0);
  }
}

}  // namespace
}  // namespace tessera::testing
