// SPDX-License-Identifier: BSD-3-Clause
#include "environment.hpp"
#include "fuzz_case.hpp"
#include "fuzz_data.hpp"
#include "jacobians.hpp"
#include "lapack.hpp"
#include "mpi_profile.hpp"
#include "operators.hpp"
#include "own_communicator.hpp"
#include "poison.hpp"
#include "row_numbers.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// Random systems, each from a seed, beside LAPACK and the backward error in long double.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
class Fuzz {
 public:
  explicit Fuzz(const FuzzCase& fuzz_case) : c_(fuzz_case) {}

  void run() const {
    const std::string bytes = std::to_string(c_.largest_message);
    const Variable setting(largest_message, c_.largest_message > 0 ? std::optional(bytes) : std::nullopt);
    switch (c_.way) {
      case Way::rows_left:
        return with_rows<Way::rows_left, Kokkos::LayoutLeft>();
      case Way::rows_right:
        return with_rows<Way::rows_right, Kokkos::LayoutRight>();
      case Way::rows_strided:
        return with_rows<Way::rows_strided, Kokkos::LayoutStride>();
      case Way::rows_operator: {
        Operator<Passed<T>> a{passed_};
        return run<Way::rows_operator>(a);
      }
      case Way::gram_view: {
        const auto samples = shard<Kokkos::LayoutStride>(c_.parameters(), j_);
        const Gram a{samples.view, c_.gram};
        return run<Way::gram_view>(a);
      }
      case Way::gram_operator: {
        Gram a{JacobianOperator<FuzzJacobian<T>>{j_, c_.shards, rank_, c_.parameters()}, c_.gram};
        return run<Way::gram_operator>(a);
      }
      case Way::fill:
        return in_pieces([&](ShardedMatrix<T>& matrix) {
          matrix.fill(exec_, Shifted<Passed<T>, T>{passed_, scalar<T>(c_.diag_shift(), 0)});
        });
    }
  }

 private:
  /// This rank's rows of f(i, j).
  template <class Layout, class F>
  Framed<Kokkos::View<T**, Layout, Space>> shard(std::int64_t columns, const F& f) const {
    const std::int64_t begin = c_.shards[static_cast<std::size_t>(rank_)];
    const std::int64_t end = c_.shards[static_cast<std::size_t>(rank_) + 1];
    const Framed<Kokkos::View<T**, Layout, Space>> rows(end - begin, columns, c_.strides);
    set(rows.view, [&](std::int64_t at) { return f(begin + at / columns, at % columns); });
    return rows;
  }

  template <Way way, class Layout>
  void with_rows() const {
    if constexpr (way == Way::rows_right) {
      if (c_.any_order) return with_row_ids();
    }
    const auto a = shard<Layout>(c_.n, passed_);
    const auto before = a.all();
    run<way>(a.view);
    EXPECT_TRUE(same_bits(a.all(), before)) << "a was changed";
  }

  void with_row_ids() const {
    const RowNumbers numbers = dealt(shuffled(c_.n, c_.seed), c_.shards);
    const auto a = make_row_ids<Kokkos::View<T**, Kokkos::LayoutRight, Space>>(numbers[static_cast<std::size_t>(rank_)],
                                                                               c_.n, passed_, c_.triangle);
    run<Way::rows_right>(a);
  }

  template <Way way, class A>
  void run(A& a) const {
    if (!c_.pieces) return in_one_call<beside(way)>(a);
    in_pieces([&](ShardedMatrix<T>& matrix) {
      if constexpr (way == Way::gram_view || way == Way::gram_operator) {
        matrix.fill(exec_, Shifted<Zero<T>, T>{{}, scalar<T>(c_.diag_shift(), 0)});
        add_gram(exec_, a, matrix);
      } else {
        redistribute(exec_, a, matrix, c_.diag_shift(), c_.triangle);
      }
    });
  }

  /// The right-hand sides of a kind, whose gaps must not change.
  template <RightHandSides kind, class Call>
  void with_b(const Call& call) const {
    using Layout =
        std::conditional_t<kind == RightHandSides::right, Kokkos::LayoutRight,
                           std::conditional_t<kind == RightHandSides::strided || kind == RightHandSides::strided_vector,
                                              Kokkos::LayoutStride, Kokkos::LayoutLeft>>;
    using Numbers =
        std::conditional_t<kind == RightHandSides::vector || kind == RightHandSides::strided_vector, T*, T**>;
    const Framed<Kokkos::View<Numbers, Layout, Space>> b(c_.n, c_.nrhs, c_.strides);
    const double scale = std::ldexp(1., c_.b_exponent);
    const auto number = [&](std::int64_t k) {
      return scalar<T>(scale * noise(k, 0, c_.seed), scale * noise(k, 1, c_.seed));
    };
    set(b.view, number);
    const auto before = b.all();
    call(b.view);
    set(b.view, number);
    EXPECT_TRUE(same_bits(b.all(), before)) << "something around or between the numbers of b was changed";
  }

  template <RightHandSides kind, class A>
  void in_one_call(A& a) const {
    with_b<kind>([&](const auto& b) {
      const auto right = to_host(b);
      const CholeskyDistributed solver{.comm = comm_,
                                       .options = {.local_tile_size = c_.tile,
                                                   .grid = c_.grid,
                                                   .diag_shift = c_.diag_shift(),
                                                   .on_failure = c_.fill_nan ? Failure::fill_nan : Failure::raise,
                                                   .triangle = c_.triangle,
                                                   .arithmetic = c_.arithmetic}};
      HostMatrix<T> first;
      for (const int delay : {c_.delay, 0}) {  // the second call works in the memory of the first
        HostMatrix<T> x;
        const std::int64_t minor = with_delay(delay, [&] {
          const auto solution = solver(a, b);
          x = to_host(solution.x);
          EXPECT_EQ(solution.info.grid, c_.grid);
          EXPECT_EQ(solution.info.diag_shift, c_.diag_shift());
          return solution.info.leading_minor;
        });
        EXPECT_EQ(minor, c_.minor);
        EXPECT_TRUE(same_bits(to_host(b), right)) << "b was changed";
        if (delay == c_.delay) first = x;
        EXPECT_TRUE(same_bits(x, first)) << "another call, other bits";
      }
      if (c_.minor == 0) return expect_solved(first, right);
      for (std::size_t k = 0; k < first.size(); ++k) EXPECT_TRUE(std::isnan(detail::real(first.data()[k]))) << k;
    });
    if (rank_ == 0 && !c_.is_gram() && c_.is_finite()) {
      EXPECT_EQ(lapack().info(), c_.minor);
    }
  }

  ShardedMatrix<T> matrix_of_pieces() const {
    const ProcessGrid grid(comm_, c_.grid, MpiBuffers::automatic, c_.order);
    if (!c_.adopted) return {grid, c_.n - c_.appended, c_.tile, c_.slab, c_.appended};
    const std::int64_t rows = BlockCyclic{c_.n, c_.tile, grid.rows(), grid.row()}.local_extent();
    const std::int64_t columns = BlockCyclic{c_.n, c_.tile, grid.cols(), grid.col()}.local_extent();
    using View = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;
    return ShardedMatrix<T>::adopt(
        grid, c_.n, c_.tile, View("array", static_cast<std::size_t>(rows + 1), static_cast<std::size_t>(columns)));
  }

  template <class TakeIn>
  void in_pieces(const TakeIn& take_in) const {
    ShardedMatrix<T> matrix = matrix_of_pieces();
    std::optional<CholeskyFactor<T>> l;
    const std::int64_t minor = with_delay(c_.delay, [&] {
      take_in(matrix);
      if (c_.adopted) poison_above_diagonal(exec_, matrix);
      auto factor = factorize(exec_, std::move(matrix), c_.factorize_options());
      append(factor);
      l.emplace(std::move(factor));
      return 0;
    });
    EXPECT_EQ(minor, c_.minor);
    if (rank_ == 0 && !c_.is_gram() && c_.is_finite()) expect_lapacks(l);
    if (!l) return;
    switch (c_.b) {
      case RightHandSides::left:
        with_factor<RightHandSides::left>(*l);
        break;
      case RightHandSides::right:
        with_factor<RightHandSides::right>(*l);
        break;
      case RightHandSides::strided:
        with_factor<RightHandSides::strided>(*l);
        break;
      case RightHandSides::vector:
        with_factor<RightHandSides::vector>(*l);
        break;
      case RightHandSides::strided_vector:
        with_factor<RightHandSides::strided_vector>(*l);
        break;
    }
    expect_inverse(std::move(*l));
  }

  /// The diagonal of the inverse by both calls, the first of them while messages are late, and once more.
  void expect_inverse(CholeskyFactor<T>&& l) const {
    const Kokkos::View<Real<T>*, Space> d("d", static_cast<std::size_t>(c_.n));
    HostMatrix<Real<T>> first;
    for (const int delay : {c_.delay, 0}) {
      EXPECT_EQ(with_delay(delay, [&] { return l.inverse_diagonal(exec_, d), 0; }), 0);
      if (delay == c_.delay) first = to_host(d);
      EXPECT_TRUE(same_bits(to_host(d), first)) << "another call, other bits";
    }
    EXPECT_TRUE(same_on_all_ranks(comm_, first));
    std::optional<ShardedMatrix<T>> inverse;
    EXPECT_EQ(with_delay(c_.delay, [&] { return inverse.emplace(invert(exec_, std::move(l))), 0; }), 0);
    if (!inverse) return;
    const HostTiles tiles(*inverse);
    const double bound = (8 + static_cast<double>(c_.n)) * epsilon<T>();
    for (GlobalTile j{0}; j < inverse->columns().tiles_end(); ++j) {
      if (!inverse->has_tile(j, j)) continue;
      const auto tile = tiles(j, j);
      for (std::size_t i = 0; i < tile.extent(0); ++i) {
        const double expected = first(static_cast<std::size_t>(inverse->rows().begin(j).value) + i, 0);
        EXPECT_NEAR(static_cast<double>(detail::real(tile(i, i))), expected, bound * expected);
      }
    }
  }

  /// What is missing of A's rows. If it fails, the factor is as before.
  void append(CholeskyFactor<T>& l) const {
    const Shifted<Passed<T>, T> f{passed_, scalar<T>(c_.diag_shift(), 0)};
    while (l.n() < c_.n) {
      const std::int64_t before = l.n();
      const std::int64_t width = before + std::min(c_.at_once, c_.n - before);
      const Framed<Kokkos::View<T**, Kokkos::LayoutStride, Space>> rows(width - before, width, c_.strides);
      set(rows.view, [&](std::int64_t at) { return f(before + at / width, at % width); });
      const auto numbers = lower_tiles(l.matrix());
      try {
        l.append(exec_, rows.view);
      } catch (...) {
        EXPECT_EQ(l.n(), before);
        EXPECT_EQ(lower_tiles(l.matrix()), numbers);
        throw;
      }
    }
  }

  template <RightHandSides kind>
  void with_factor(const CholeskyFactor<T>& l) const {
    const double log_determinant = l.log_determinant();
    EXPECT_TRUE(same_on_all_ranks(comm_, &log_determinant, sizeof log_determinant));
    with_b<kind>([&](const auto& b) {
      const auto right = to_host(b);
      HostMatrix<T> first;
      for (const int delay : {c_.delay, 0}) {
        set(b, [&](std::int64_t k) { return right.data()[k]; });
        const std::int64_t minor = with_delay(delay, [&] {
          l.solve(exec_, b);
          return 0;
        });
        EXPECT_EQ(minor, 0);
        const auto x = to_host(b);
        if (delay == c_.delay) first = x;
        EXPECT_TRUE(same_bits(x, first)) << "another solve, other bits";
      }
      expect_solved(first, right);
      set(b, [&](std::int64_t k) { return right.data()[k]; });
      expect_same_by_rows(l, b, first);
    });
  }

  /// This rank's rows of b alone come to those of x.
  template <class B>
  void expect_same_by_rows(const CholeskyFactor<T>& l, const B& b, const HostMatrix<T>& x) const {
    const Shards shards = c_.is_gram() ? even_shards(c_.n, c_.ranks) : c_.shards;
    const auto mine =
        Kokkos::make_pair(shards[static_cast<std::size_t>(rank_)], shards[static_cast<std::size_t>(rank_) + 1]);
    const auto solve = [&](const auto& rows) {
      with_delay(c_.delay, [&] {
        l.solve(exec_, ByRows{rows});
        return 0;
      });
      const auto some = to_host(rows);
      for (std::int64_t i = mine.first; i < mine.second; ++i) {
        for (std::size_t c = 0; c < x.extent(1); ++c) EXPECT_EQ(some(i - mine.first, c), x(i, c)) << i << ", " << c;
      }
    };
    if constexpr (B::rank == 1) {
      solve(Kokkos::subview(b, mine));
    } else {
      solve(Kokkos::subview(b, mine, Kokkos::ALL));
    }
  }

  /// What `call` returns, or the order that it throws, while messages are late.
  template <class Call>
  std::int64_t with_delay(int microseconds, const Call& call) const {
    profile::delay(microseconds > 0 ? c_.seed : 0, microseconds);
    std::int64_t minor = -1;
    try {
      minor = call();
    } catch (const NotPositiveDefinite& e) {
      minor = e.leading_minor();
      EXPECT_FALSE(c_.fill_nan && !c_.pieces) << "fill_nan does not throw";
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what();
    }
    profile::delay(0, 0);
    return minor;
  }

  Lapack<T> lapack() const { return Lapack<T>(c_.n, Shifted<Element<T>, T>{passed_.f, scalar<T>(c_.diag_shift(), 0)}); }

  void expect_lapacks(const std::optional<CholeskyFactor<T>>& l) const {
    const Lapack<T> theirs = lapack();
    EXPECT_EQ(theirs.info(), c_.minor);
    if (!l || theirs.info() > 0) return;
    double log_determinant = 0;
    for (std::int64_t i = 0; i < c_.n; ++i) {
      log_determinant += 2 * std::log(static_cast<double>(detail::real(theirs.l(i, i))));
    }
    const double rounding_of_the_sum = 0x1p-52 * std::abs(log_determinant) * static_cast<double>(c_.n);
    EXPECT_NEAR(l->log_determinant(), log_determinant,
                8 * epsilon<T>() * static_cast<double>(c_.n + 4) + rounding_of_the_sum);
  }

  /// As large a backward error as rounding explains, and in a Gram matrix that of its elements.
  void expect_solved(const HostMatrix<T>& x, const HostMatrix<T>& b) const {
    EXPECT_EQ(x.extent(0), b.extent(0));
    EXPECT_EQ(x.extent(1), b.extent(1));
    EXPECT_TRUE(same_on_all_ranks(comm_, x));
    if (rank_ != 0 || x.size() == 0) return;  // x is the same everywhere
    const auto n = static_cast<double>(c_.n);
    const double bound = (2 + 0.05 * n) * epsilon<T>();
    if (c_.is_gram()) {
      const GramReference reference(c_.samples(), c_.parameters(), j_, c_.gram);
      const auto of_elements = static_cast<double>(reference.error(epsilon<T>())) * n / c_.diag_shift();
      EXPECT_LE(backward_error(c_.n, reference, c_.diag_shift(), x, b), bound + of_elements);
    } else {
      EXPECT_LE(backward_error(c_.n, passed_.f, c_.diag_shift(), x, b), bound);
    }
  }

  const FuzzCase& c_;
  OwnCommunicator own_;
  MPI_Comm comm_ = own_;
  int rank_ = rank_in(comm_);
  Exec exec_;
  Passed<T> passed_{{{c_.n, c_.seed}, c_.scale(), c_.shift, c_.defect, c_.row, c_.left}, c_.triangle};
  bool nan_in_sample_ = c_.gram.form == GramForm::j_jh;
  FuzzJacobian<T> j_{{c_.offset},
                     std::ldexp(1., c_.exponent / 2),
                     nan_in_sample_ ? c_.row : c_.left,
                     nan_in_sample_ ? c_.left : c_.row};
};

std::int64_t number_from(const char* variable, std::int64_t otherwise) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return otherwise;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  if (error != std::errc{} || *end != '\0' || number < 0) {
    throw std::invalid_argument(std::string(variable) + " is \"" + text + "\", not a number");
  }
  return number;
}

/// By default others for each number of ranks, and as many as take some seconds.
std::vector<std::int64_t> seeds() {
  const int ranks = size_of(MPI_COMM_WORLD);
  std::vector<std::int64_t> all(static_cast<std::size_t>(number_from("TESSERA_FUZZ_CASES", 400 / ranks)));
  std::iota(all.begin(), all.end(), number_from("TESSERA_FUZZ_SEED", 1000 * ranks));
  return all;
}

struct FuzzTest : ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Seed, FuzzTest, ::testing::ValuesIn(seeds()), ::testing::PrintToStringParamName());

TEST_P(FuzzTest, IsSolvedAsByLapack) {
  const FuzzCase fuzz_case(static_cast<std::uint64_t>(GetParam()), size_of(MPI_COMM_WORLD));
  SCOPED_TRACE(fuzz_case);
  switch (fuzz_case.scalar) {
    case 0:
      return Fuzz<float>(fuzz_case).run();
    case 1:
      return Fuzz<double>(fuzz_case).run();
    case 2:
      return Fuzz<Kokkos::complex<float>>(fuzz_case).run();
    default:
      return Fuzz<Kokkos::complex<double>>(fuzz_case).run();
  }
}

}  // namespace
}  // namespace tessera::testing
