// SPDX-License-Identifier: BSD-3-Clause
#include "integer_accuracy.hpp"
#include "calls.hpp"
#include "jacobians.hpp"
#include "operators.hpp"
#include "watch.hpp"

#include "kernels/moduli.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

// A factorisation by integers is as accurate as a native one, and its error falls as the number of moduli says.
namespace tessera::testing {
namespace {

template <class T>
struct IntegerAccuracyTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// Ragged ones, with several tiles in a step, one, and one that is a step and more.
  std::vector<Size> sizes() const {
    if (!has_narrow_steps) return {wide_steps};
    if (ranks == 1) return {{37, 7}, {203, 7}, {331, 32}, {is_complex<T> ? 100 : 500, 45}};
    if (ranks <= 4) return {{37, 7}, {150, 16}, {203, 33}};
    return {{61, 7}, {150, 16}};
  }
};
TYPED_TEST_SUITE(IntegerAccuracyTest, Scalars);

TYPED_TEST(IntegerAccuracyTest, TheDefaultNumberKeepsNativeAccuracy) {
  using T = TypeParam;
  for (const Size& size : this->sizes()) {
    for (const Hard hard : all_hard) {
      const HardMatrix<T> a(hard, size.n);
      for (const GridShape shape : all_grids(this->ranks)) {
        SCOPED_TRACE(::testing::Message() << hard << ", " << size << ", " << shape.rows << " x " << shape.cols);
        const ProcessGrid grid(this->comm, shape);
        const double native = native_error(grid, a, size.tile);
        EXPECT_LE(error_of(grid, a, size.tile, {.arithmetic = Arithmetic::integer}), most(native))
            << "native: " << native;
      }
    }
  }
}

TYPED_TEST(IntegerAccuracyTest, OneModulusFewerDoesNot) {
  using T = TypeParam;
  if (!has_narrow_steps || this->ranks > 1) GTEST_SKIP() << "integers do too little in a small matrix";
  const ProcessGrid grid(this->comm);
  int too_inaccurate = 0;
  for (const Size& size : {Size{37, 7}, Size{100, 7}}) {
    for (const Hard hard : all_hard) {
      const HardMatrix<T> a(hard, size.n);
      const FactorizeOptions fewer{.arithmetic = Arithmetic::integer, .moduli = default_number(size.n, T()) - 1};
      const double native = native_error(grid, a, size.tile);
      if (error_of(grid, a, size.tile, fewer) > most(native)) ++too_inaccurate;
    }
  }
  EXPECT_GT(too_inaccurate, 0);
}

// Where native sums are long, one modulus less will do, of matrices whose native error is small.
TEST(IntegerAccuracyOfManyRowsTest, TheDefaultNumberIsTheSmallest) {
  if (!has_narrow_steps || size_of(MPI_COMM_WORLD) > 1) GTEST_SKIP() << "takes long, and is the same on all ranks";
  const std::int64_t n = 1031;
  const int number = default_number(n, 0.);
  EXPECT_LT(number, default_number(n / 2, 0.));
  const ProcessGrid grid(MPI_COMM_WORLD);
  for (const Hard hard : {Hard::graded, Hard::tridiagonal}) {
    SCOPED_TRACE(::testing::Message() << hard);
    const HardMatrix<double> a(hard, n);
    const double native = native_error(grid, a, 128);
    EXPECT_LE(error_of(grid, a, 128, {.arithmetic = Arithmetic::integer}), most(native));
    EXPECT_GT(error_of(grid, a, 128, {.arithmetic = Arithmetic::integer, .moduli = number - 1}), most(native));
  }
}

/// (log2 P - 1) / 2, the bits that the largest rows of integers may have.
double bits_of(int count) {
  const kernels::Moduli moduli = kernels::make_moduli(count);
  double bits = -1;
  for (int t = 0; t < count; ++t) bits += std::log2(moduli.modulus[t]);
  return bits / 2;
}

TYPED_TEST(IntegerAccuracyTest, TheErrorFallsWithTheNumberOfModuli) {
  using T = TypeParam;
  const Size size = has_narrow_steps ? Size{131, 16} : wide_steps;
  const HardMatrix<T> a(Hard::wishart, size.n);
  const ProcessGrid grid(this->comm);
  const double native = native_error(grid, a, size.tile);
  for (int moduli = kernels::Moduli::least; moduli <= kernels::Moduli::most; ++moduli) {
    SCOPED_TRACE(moduli);
    const double error = error_of(grid, a, size.tile, {.arithmetic = Arithmetic::integer, .moduli = moduli});
    const double of_rounding = std::exp2(-bits_of(moduli)) / (epsilon<T>() / 2);
    EXPECT_LE(error, 6 * of_rounding + most(native));
    if (of_rounding > 10 * native) {
      EXPECT_GE(error, 0.5 * of_rounding) << "no integers were used";
    }
  }
}

// No residues (which is native), those of the first step, of about a half, and of all columns but the last step's.
TYPED_TEST(IntegerAccuracyTest, AnyPartOfTheColumnsMayKeepResidues) {
  using T = TypeParam;
  const Size size = has_narrow_steps ? Size{131, 16} : wide_steps;
  const std::int64_t step = has_narrow_steps ? 32 : wide_steps.tile;
  std::size_t variant = scalar_number<T>;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    for (const Hard hard : {Hard::wishart, Hard::graded, Hard::correlated_rows}) {
      if (this->ranks > 1 && ++variant % 3 != 0) continue;
      const HardMatrix<T> a(hard, size.n);
      const double native = native_error(grid, a, size.tile);
      for (const std::int64_t most_columns : {step - 17, step, size.n / 2, size.n - 1}) {
        SCOPED_TRACE(::testing::Message()
                     << hard << ", " << shape.rows << " x " << shape.cols << ", columns up to " << most_columns);
        const auto factored = [&](const FactorizeOptions& options, std::int64_t most) {
          ShardedMatrix<T> matrix(grid, size.n, size.tile);
          matrix.fill(Exec{}, a.stored());
          detail::Memory<Space> memory;
          return detail::try_factorize<T>(Exec{}, std::move(matrix), options, memory, {.most_integer_columns = most});
        };
        const auto some = factored({.arithmetic = Arithmetic::integer}, most_columns);
        ASSERT_EQ(some.leading_minor, 0);
        EXPECT_LE(factor_error(this->comm, some.factor.matrix(), a), most(native)) << "native: " << native;
        const std::int64_t unit = shape.cols > 1 ? size.tile : step;  // of one process column, several tiles are a step
        const std::int64_t expected = most_columns / unit * unit;
        EXPECT_EQ(some.integers.columns, expected);
        if (expected == 0) {
          EXPECT_EQ(some.integers.moduli, 0);
          EXPECT_EQ(lower_tiles(some.factor.matrix()), lower_tiles(factored({}, size.n).factor.matrix()));
          continue;
        }
        if (hard != Hard::wishart) continue;  // few moduli show that integers were used
        const auto coarse = factored({.arithmetic = Arithmetic::integer, .moduli = 4}, most_columns);
        EXPECT_GE(factor_error(this->comm, coarse.factor.matrix(), a), 0.1 * std::exp2(-bits_of(4)) / epsilon<T>());
      }
    }
  }
}

TYPED_TEST(IntegerAccuracyTest, ResiduesMayBeMadeAnew) {
  using T = TypeParam;
  if (this->ranks > 1) GTEST_SKIP() << "one rank alone does that";
  const Size size = has_narrow_steps ? Size{203, 16} : wide_steps;
  const ProcessGrid grid(this->comm);
  for (const Hard hard : {Hard::wishart, Hard::graded, Hard::correlated_rows}) {
    const HardMatrix<T> a(hard, size.n);
    const double native = native_error(grid, a, size.tile);
    for (const auto& tiles : {std::pair{0, 2}, {0, 5}, {3, 4}, {7, 4}, {13, 13}}) {
      const std::int64_t slab = tiles.first * size.tile;
      const std::int64_t width = tiles.second * size.tile;
      SCOPED_TRACE(::testing::Message() << hard << ", slab " << slab << ", updates of " << width);
      const auto error = [&](int moduli) {
        ShardedMatrix<T> matrix(grid, size.n, size.tile, slab);
        matrix.fill(Exec{}, a.stored());
        detail::Memory<Space> memory;
        const auto factored =
            detail::try_factorize<T>(Exec{}, std::move(matrix), {.arithmetic = Arithmetic::integer, .moduli = moduli},
                                     memory, {.integer_width = width});
        EXPECT_EQ(factored.leading_minor, 0);
        EXPECT_EQ(factored.integers.width, width);
        return factor_error(this->comm, factored.factor.matrix(), a);
      };
      EXPECT_LE(error(0), most(native)) << "native: " << native;
      if (hard == Hard::wishart && width < size.n / 2) {  // few moduli show that integers were used
        EXPECT_GE(error(4), 0.1 * std::exp2(-bits_of(4)) / epsilon<T>());
      }
    }
  }
}

// To the byte, and with the bits that such updates come to.
TYPED_TEST(IntegerAccuracyTest, LittleMemoryHasResiduesMadeAnew) {
  using T = TypeParam;
  if (!has_narrow_steps || this->ranks > 1 || is_complex<T>) {
    GTEST_SKIP() << "one rank alone does that, and a device, or for complex numbers, with more rows";
  }
  constexpr std::int64_t n = 520;
  constexpr std::int64_t tile = 16;
  const ProcessGrid grid(this->comm);
  MemoryPlanOptions asked{.nrhs = 0, .tile_size = tile, .arithmetic = Arithmetic::integer};
  const std::int64_t all = memory_plan<T, Exec>(n, 1, asked).peak();
  asked.bytes_free = (all + memory_plan<T, Exec>(n, 1, {.nrhs = 0, .tile_size = tile}).peak()) / 2;
  const MemoryPlan plan = memory_plan<T, Exec>(n, 1, asked);
  EXPECT_TRUE(plan.fits);
  EXPECT_EQ(plan.integer_columns, n);
  const auto factored = [&](const FactorizeOptions& options, const detail::Schedule& schedule) {
    ShardedMatrix<T> matrix(grid, n, tile);
    matrix.fill(Exec{}, Dominant<T>{n});
    detail::Memory<Space> memory;
    Watch watch;
    auto result = detail::try_factorize<T>(Exec{}, std::move(matrix), options, memory, schedule);
    if (options.bytes_free) {
      EXPECT_EQ(watch.peak(), plan.ranks[0].factorize);
    }
    EXPECT_GT(result.integers.width, 0);
    return lower_tiles(result.factor.matrix());
  };
  EXPECT_EQ(factored({.arithmetic = Arithmetic::integer, .bytes_free = asked.bytes_free}, {}),
            factored({.arithmetic = Arithmetic::integer}, {.integer_width = 64}));
}

/// b with x's numbers of a size that the scaling of the rows of A asks for.
template <class T>
Kokkos::View<T**, Kokkos::LayoutLeft> right_hand_sides(const HardMatrix<T>& a) {
  const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(a.n), 2);
  set(b, [&a](std::int64_t k) {
    const auto size = static_cast<double>(std::sqrt(detail::real(a(k / 2, k / 2))));
    return scalar<T>(size * noise(k, 0, 4), size * noise(k, 1, 4));
  });
  return b;
}

/// Of one call: what it says that it did, and how well.
template <class T>
struct SolvedByIntegers {
  MPI_Comm comm;
  std::int64_t n;
  CholeskyOptions options;

  /// `call(options)` solves A x = b, A(i, j) = f(i, j).
  template <class F, class B, class Call>
  void expect(const F& f, const B& b, double shift, const Call& call) const {
    const auto error = [&](const auto& solved) {
      const auto x = to_host(solved.x);
      EXPECT_TRUE(same_on_all_ranks(comm, x));
      return rank_in(comm) == 0 ? backward_error(n, f, shift, x, to_host(b)) : 0;
    };
    const auto native = call(options);
    EXPECT_EQ(native.info.arithmetic, Arithmetic::native);
    EXPECT_EQ(native.info.moduli, 0);
    CholeskyOptions by_integers = options;
    by_integers.arithmetic = Arithmetic::integer;
    const auto integer = call(by_integers);
    EXPECT_EQ(integer.info.arithmetic, Arithmetic::integer);
    EXPECT_EQ(integer.info.moduli, default_number(n, T()));
    EXPECT_EQ(integer.info.leading_minor, 0);
    ASSERT_EQ(integer.info.tries.size(), native.info.tries.size());
    for (std::size_t t = 0; t < native.info.tries.size(); ++t) {
      EXPECT_EQ(integer.info.tries[t].leading_minor, native.info.tries[t].leading_minor) << t;
    }
    EXPECT_LE(error(integer), std::max(2.5 * error(native), (2 + 0.05 * static_cast<double>(n)) * epsilon<T>()));
  }
};

TYPED_TEST(IntegerAccuracyTest, RowsAndOperatorsAreSolvedAsNatively) {
  using T = TypeParam;
  const Size size = has_narrow_steps ? Size{150, 16} : wide_steps;
  const auto grids = all_grids(this->ranks);
  std::size_t variant = 0;
  for (const Hard hard : all_hard) {
    const HardMatrix<T> a(hard, size.n);
    const auto b = right_hand_sides(a);
    const auto rows = make_rows<Kokkos::View<T**>>(ragged_shards(size.n, this->ranks), this->rank, size.n, a);
    Operator<Stored<T>> op{a.stored()};
    const GridShape grid = grids[variant++ % grids.size()];
    SCOPED_TRACE(::testing::Message() << hard << ", " << grid.rows << " x " << grid.cols);
    const SolvedByIntegers<T> solved{this->comm, size.n, {.local_tile_size = size.tile, .grid = grid}};
    solved.expect(a, b, 0, [&](const auto& options) { return cholesky_distributed(this->comm, rows, b, options); });
    solved.expect(a, b, 0, [&](const auto& options) { return cholesky_distributed(this->comm, op, b, options); });
  }
}

TYPED_TEST(IntegerAccuracyTest, GramsAndLaddersAreSolvedAsNatively) {
  using T = TypeParam;
  const Size size = has_narrow_steps ? Size{131, 10} : wide_steps;
  const Shards shards = even_shards(size.n, this->ranks);
  const std::int64_t parameters = size.n + 50;
  const auto samples = make_samples<Kokkos::View<T**>>(shards, this->rank, parameters, Jacobian<T>{});
  const GramOptions gram{.alpha = 1. / static_cast<double>(parameters), .subtract_column_means = true};
  const GramReference reference(size.n, parameters, Jacobian<T>{}, gram);
  const HardMatrix<T> a(Hard::wishart, size.n);
  const auto b = right_hand_sides(a);
  for (const GridShape grid : all_grids(this->ranks)) {
    SCOPED_TRACE(::testing::Message() << grid.rows << " x " << grid.cols);
    const SolvedByIntegers<T> of_gram{
        this->comm, size.n, {.local_tile_size = size.tile, .grid = grid, .diag_shift = 0.5}};
    of_gram.expect(reference, b, 0.5, [&](const auto& options) {
      return cholesky_distributed(this->comm, Gram{samples, gram}, b, options);
    });
    // The first minor, one inside, and then none.
    const SolvedByIntegers<T> of_ladder{this->comm,
                                        size.n,
                                        {.local_tile_size = size.tile,
                                         .grid = grid,
                                         .diag_shift = -4,
                                         .shifts = {.tries = 4, .first = 3.9375, .factor = 1.25}}};
    Operator<Stored<T>> op{a.stored()};
    of_ladder.expect(a, b, -4 + 3.9375 * 1.25, [&](const auto& options) {
      const auto solved = cholesky_distributed(this->comm, op, b, options);
      EXPECT_EQ(solved.info.tries.size(), 3U);
      return solved;
    });
  }
}

TYPED_TEST(IntegerAccuracyTest, TheCallSaysWhatItUsed) {
  using T = TypeParam;
  const System<T> system(this->comm, 50);
  for (int moduli = kernels::Moduli::least; moduli <= kernels::Moduli::most; ++moduli) {
    for (const Arithmetic arithmetic : {Arithmetic::native, Arithmetic::integer, Arithmetic::fastest}) {
      const CholeskyOptions options{.local_tile_size = 9, .arithmetic = arithmetic, .moduli = moduli};
      const CholeskyInfo info = cholesky_distributed(this->comm, system.a, system.b, options).info;
      const bool by_integers = arithmetic == Arithmetic::integer;  // the fastest for such an n are native everywhere
      EXPECT_EQ(info.arithmetic, by_integers ? Arithmetic::integer : Arithmetic::native);
      EXPECT_EQ(info.moduli, by_integers ? moduli : 0);
      EXPECT_EQ(info.gram_moduli, 0);
    }
  }
}

TYPED_TEST(IntegerAccuracyTest, TheFactorSaysWhatItUsed) {
  using T = TypeParam;
  const std::int64_t n = 50;
  const Dominant<T> f{n + 3};
  const Exec exec;
  const auto expect = [](const CholeskyFactor<T>& l, Arithmetic arithmetic, int moduli, std::int64_t columns) {
    EXPECT_EQ(l.arithmetic(), arithmetic);
    EXPECT_EQ(l.moduli(), moduli);
    EXPECT_EQ(l.integer_columns(), columns);
  };
  for (const int moduli : {0, 5}) {
    const auto factored = [&](Arithmetic arithmetic, std::optional<std::int64_t> bytes_free = std::nullopt) {
      ShardedMatrix<T> a(ProcessGrid(this->comm), n, 9, 0, 3);
      a.fill(exec, f);
      const FactorizeOptions options{.arithmetic = arithmetic, .moduli = moduli, .bytes_free = bytes_free};
      return factorize(exec, std::move(a), options);
    };
    auto native = factored(Arithmetic::native);
    expect(native, Arithmetic::native, 0, 0);
    expect(factored(Arithmetic::fastest), Arithmetic::native, 0, 0);
    const int used = moduli == 0 ? default_number(n, T()) : moduli;
    MemoryPlanOptions asked{.nrhs = 0, .tile_size = 9, .reserve = 3, .arithmetic = Arithmetic::integer};
    asked.moduli = moduli;
    asked.bytes_free = memory_plan<T, Exec>(n, this->ranks, asked).peak() - 1;
    const std::int64_t some = memory_plan<T, Exec>(n, this->ranks, asked).integer_columns;
    EXPECT_TRUE(some < n || !has_narrow_steps) << some;
    expect(factored(Arithmetic::integer, asked.bytes_free), some > 0 ? Arithmetic::integer : Arithmetic::native,
           some > 0 ? used : 0, some);
    auto l = factored(Arithmetic::integer);
    expect(l, Arithmetic::integer, used, n);
    l.append(exec, make_rows<Kokkos::View<T**>>({n, n + 3}, 0, n + 3, f));
    expect(l, Arithmetic::integer, used, n);
    CholeskyFactor<T> moved(std::move(l));
    expect(moved, Arithmetic::integer, used, n);
    native = std::move(moved);
    expect(native, Arithmetic::integer, used, n);
  }
  ShardedMatrix<T> l(ProcessGrid(this->comm), n, 9);
  l.fill(exec, f);
  expect(CholeskyFactor<T>::adopt(std::move(l)), Arithmetic::native, 0, 0);
}

}  // namespace
}  // namespace tessera::testing
