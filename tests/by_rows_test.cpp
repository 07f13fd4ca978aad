// SPDX-License-Identifier: BSD-3-Clause
#include "factor_operations.hpp"
#include "failing_messages.hpp"
#include "jacobians.hpp"
#include "misuse.hpp"
#include "operators.hpp"
#include "row_numbers.hpp"

#include <cstdint>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// Right-hand sides of which each rank has some rows: the same bits as of replicated ones, whoever holds which.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
using Columns = typename RowsTest<T>::Columns;

/// Even, uneven with ranks that have none, and all on the last rank.
std::vector<Shards> all_shards(std::int64_t n, int ranks) {
  Shards last(static_cast<std::size_t>(ranks) + 1);
  last.back() = n;
  return {even_shards(n, ranks), ragged_shards(n, ranks), last};
}

template <class T>
struct ByRowsTest : RowsTest<T> {
  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile) const {
    ShardedMatrix<T> a(ProcessGrid(this->comm, shape), n, tile, 3 * tile);
    a.fill(this->exec, Dominant<T>{n});
    return factorize(this->exec, std::move(a));
  }

  std::int64_t rows(const Shards& shards) const {
    const auto r = static_cast<std::size_t>(this->rank);
    return shards[r + 1] - shards[r];
  }
  /// The numbers of this rank's rows.
  std::vector<std::int64_t> mine(const Shards& shards) const {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(rows(shards)));
    std::iota(numbers.begin(), numbers.end(), shards[static_cast<std::size_t>(this->rank)]);
    return numbers;
  }
  Columns<T> columns(std::int64_t height, std::int64_t nrhs) const {
    return Columns<T>("b", static_cast<std::size_t>(height), static_cast<std::size_t>(nrhs));
  }

  /// n x nrhs of noise, and this rank's rows of it.
  Columns<T> noise_of(std::int64_t n, std::int64_t nrhs) const {
    const auto b = columns(n, nrhs);
    set_noise(b, 11);
    return b;
  }

  HostMatrix<T> replicated(FactorOperation operation, const CholeskyFactor<T>& l, std::int64_t nrhs) const {
    const auto b = noise_of(l.n(), nrhs);
    call(operation, l, this->exec, b);
    return to_host(b);
  }
  /// Whether an operation does to rows in a View of any kind what it does to all of them.
  template <class View>
  bool is_as_replicated(const View& b, FactorOperation operation, const CholeskyFactor<T>& l, const Shards& shards,
                        const HostMatrix<T>& expected) const {
    this->set_rows(b, to_host(noise_of(l.n(), static_cast<std::int64_t>(expected.extent(1)))), mine(shards));
    call(operation, l, this->exec, ByRows{b});
    return same_bits(to_host(b), this->rows_of(expected, mine(shards)));
  }
};
TYPED_TEST_SUITE(ByRowsTest, Scalars);

TYPED_TEST(ByRowsTest, SameBitsAsReplicated) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto& [n, tile] : {std::pair<std::int64_t, std::int64_t>{1, 4}, {5, 2}, {67, 7}, {67, 100}}) {
      const auto l = this->factor(shape, n, tile);
      for (const std::int64_t nrhs : {1, 3, 800}) {  // four chunks, more than are in flight
        const bool many = nrhs > 3;
        if (many && (n < 67 || tile > n)) continue;
        for (const FactorOperation operation : factor_operations) {
          const auto expected = this->replicated(operation, l, nrhs);
          for (const Shards& shards :
               many ? std::vector<Shards>{ragged_shards(n, this->ranks)} : all_shards(n, this->ranks)) {
            SCOPED_TRACE(::testing::Message() << operation << ", n " << n << ", tile " << tile << ", nrhs " << nrhs
                                              << ", " << shape.rows << " x " << shape.cols);
            EXPECT_TRUE(
                this->is_as_replicated(this->columns(this->rows(shards), nrhs), operation, l, shards, expected));
          }
        }
      }
    }
  }
}

TYPED_TEST(ByRowsTest, AnyView) {
  using T = TypeParam;
  const std::size_t nrhs = 3;
  const std::int64_t n = 67;
  const Shards shards = ragged_shards(n, this->ranks);
  const auto rows = static_cast<std::size_t>(this->rows(shards));
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, n, 16);
    for (const FactorOperation operation : factor_operations) {
      SCOPED_TRACE(::testing::Message() << operation << ", " << shape.rows << " x " << shape.cols);
      const auto several = this->replicated(operation, l, nrhs);
      const auto one = this->replicated(operation, l, 1);
      const auto expect_same = [&](const auto& b, const HostMatrix<T>& expected) {
        EXPECT_TRUE(this->is_as_replicated(b, operation, l, shards, expected));
      };
      expect_same(Kokkos::View<T**, Kokkos::LayoutRight, Space>("b", rows, nrhs), several);
      expect_same(
          Kokkos::View<T**, Kokkos::LayoutStride, Space>("b", Kokkos::LayoutStride(rows, 2 * nrhs + 1, nrhs, 2)),
          several);
      expect_same(Kokkos::subview(Columns<T>("b", rows + 5, nrhs + 1), Kokkos::make_pair(std::size_t{2}, rows + 2),
                                  Kokkos::make_pair(std::size_t{1}, nrhs + 1)),
                  several);
      expect_same(Kokkos::View<T**, Kokkos::LayoutLeft, Kokkos::HostSpace>("b", rows, nrhs), several);
      expect_same(Kokkos::View<T*, Space>("b", rows), one);
      expect_same(Kokkos::View<T*, Kokkos::LayoutStride, Space>("b", Kokkos::LayoutStride(rows, 3)), one);
      call(operation, l, this->exec, ByRows{this->columns(this->rows(shards), 0)});
    }
  }
  const auto nothing = this->factor(nearly_square(this->ranks), 0, 4);
  for (const FactorOperation operation : factor_operations) {
    call(operation, nothing, this->exec, ByRows{Columns<T>("b", 0, 3)});
    call(operation, nothing, this->exec, ByRows{Kokkos::View<T*, Space>("b", 0)});
  }
}

TYPED_TEST(ByRowsTest, OneCall) {
  using T = TypeParam;
  const System<T> system(this->comm, 41);
  const Shards shards = ragged_shards(system.n, this->ranks);  // of b, not of A
  const auto b = this->noise_of(system.n, 3);
  const auto some = this->columns(this->rows(shards), 3);
  this->set_rows(some, to_host(b), this->mine(shards));
  const Kokkos::View<const T**, Kokkos::LayoutLeft, Space> read_only = some;
  const Kokkos::View<T*, Space> one("one", some.extent(0));
  this->set_rows(one, to_host(system.b), this->mine(shards));
  for (const GridShape shape : all_grids(this->ranks)) {
    SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols);
    const CholeskyOptions options{.local_tile_size = 4, .grid = shape, .diag_shift = 1};
    const CholeskyDistributed solver{.comm = this->comm, .options = options};
    const auto expect_rows = [&](const auto& x, const auto& whole) {
      EXPECT_TRUE(same_bits(to_host(x.rows), this->rows_of(to_host(whole), this->mine(shards))));
    };
    const auto solve_with = [&](auto&& a) {
      const auto [whole, info] = solver(a, b);  // and then by rows, in the same memory
      const auto [x, info_by_rows] = solver(a, ByRows{read_only}, /*x0=*/ByRows{some});
      static_assert(std::is_same_v<decltype(x), const ByRows<Columns<T>>>);
      EXPECT_EQ(info_by_rows.log_determinant, info.log_determinant);
      expect_rows(x, whole);
      expect_rows(solver(this->exec, a, ByRows{one}).x, solver(a, system.b).x);
      expect_rows(cholesky_distributed(this->exec, this->comm, a, ByRows{some}, options).x, whole);
    };
    solve_with(system.a);
    solve_with(Operator<Dominant<T>>{system.f});
    solve_with(Gram{make_samples<Kokkos::View<T**>>(even_shards(50, this->ranks), this->rank, system.n, Jacobian<T>{}),
                    {.form = GramForm::jh_j, .alpha = 1. / 50}});
  }
  EXPECT_TRUE(same_bits(to_host(some), this->rows_of(to_host(b), this->mine(shards))));

  System<T> spoilt(this->comm, 41);
  spoilt.spoil();
  const auto [x, info] = cholesky_distributed(this->comm, spoilt.a, ByRows{some}, {.on_failure = Failure::fill_nan});
  EXPECT_EQ(info.leading_minor, 41);
  const auto nans = to_host(x.rows);
  EXPECT_EQ(nans.extent(0), some.extent(0));
  for (std::size_t k = 0; k < nans.size(); ++k) EXPECT_TRUE(std::isnan(detail::real(nans.data()[k])));
  EXPECT_THROW(cholesky_distributed(this->comm, spoilt.a, ByRows{some}), NotPositiveDefinite);
}

/// What one call sends, over all ranks.
template <class Call>
std::int64_t bytes_sent_by(MPI_Comm comm, const Call& call) {
  profile::reset_sent();
  call();
  std::int64_t bytes = profile::sent().bytes;
  MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_INT64_T, MPI_SUM, comm);
  return bytes;
}

// Rows go to the owner of their tile's diagonal and come back; nothing else is sent than between the sweeps.
TYPED_TEST(ByRowsTest, RowsGoToOwnersOnly) {
  const std::int64_t n = 67;
  const std::int64_t tile = 7;
  const std::int64_t nrhs = 5;
  constexpr std::int64_t size{sizeof(TypeParam)};
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, n, tile);
    const auto b = this->noise_of(n, nrhs);
    const std::int64_t replicated = bytes_sent_by(this->comm, [&] { l.solve(this->exec, b); });
    for (const Shards& shards : all_shards(n, this->ranks)) {
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols);
      std::int64_t away = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        int holder = 0;
        while (shards[static_cast<std::size_t>(holder) + 1] <= i) ++holder;
        const auto k = static_cast<int>(i / tile);
        away += holder != k % shape.rows * shape.cols + k % shape.cols ? 1 : 0;
      }
      const auto rows = this->columns(this->rows(shards), nrhs);
      // Otherwise each process row has the others' rows, with what its leading dimension adds.
      std::int64_t height = 0;
      for (int row = 0; row < shape.rows; ++row) {
        const std::int64_t bytes = l.matrix().rows().seen_from(row).local_extent() * size;
        height += (bytes + 31) / 32 * 32 / size;
      }
      const std::int64_t numbers = 2 * away - shape.cols * (shape.rows - 1) * height;
      EXPECT_EQ(bytes_sent_by(this->comm, [&] { l.solve(this->exec, ByRows{rows}); }),
                replicated + numbers * nrhs * size);
    }
  }
}

TYPED_TEST(ByRowsTest, LateMessagesDoNotChangeTheBits) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  const std::int64_t n = 61;
  const std::int64_t nrhs = 9;
  const Shards shards = ragged_shards(n, this->ranks);
  const detail::RowShards dealt_out{shards};
  const auto b = this->columns(this->rows(shards), nrhs);
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, n, 5);
    detail::Memory<Space> memory;
    for (const FactorOperation operation : factor_operations) {
      for (const int slots : {1, 3}) {
        SCOPED_TRACE(::testing::Message() << operation << ", " << shape.rows << " x " << shape.cols << ", " << slots);
        const auto result = [&] {
          this->set_rows(b, to_host(this->noise_of(n, nrhs)), this->mine(shards));
          detail::apply<TypeParam>(
              this->exec, operation, l, MatrixView<TypeParam, Space>(b), memory, [] { Exec{}.fence(); },
              {.slots = slots, .chunk_columns = 2}, dealt_out);
          return to_host(b);
        };
        const auto expected = result();
        profile::delay(1 + scalar_number<TypeParam>, 100);
        const auto late = result();
        profile::delay(0, 0);
        EXPECT_TRUE(same_bits(late, expected));
      }
    }
  }
}

TYPED_TEST(ByRowsTest, MessagesThatFailOnOneRank) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  int culprit = 0;
  int failed_in_all = 0;
  const Shards shards = ragged_shards(24, this->ranks);
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, 24, 5);
    for (const FactorOperation operation : {FactorOperation::solve, FactorOperation::multiply_lower}) {
      for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
        SCOPED_TRACE(::testing::Message() << operation << ", " << shape.rows << " x " << shape.cols);
        culprit = (culprit + 1) % this->ranks;
        const auto b = this->columns(this->rows(shards), 2);
        const auto before = to_host(b);
        const auto solve = [&] { call(operation, l, this->exec, ByRows{b}); };
        for (int skip = 0; ends_everywhere(this->comm, culprit, name, skip, solve); skip += 1 + skip / 2) {
          ++failed_in_all;
          EXPECT_TRUE(same_bits(to_host(b), before));
        }
        EXPECT_EQ(thrown_by(solve).kind, Kind::nothing);
      }
    }
  }
  EXPECT_GT(failed_in_all, 4);
}

struct ByRowsMisuseTest : MisuseTest {
  static constexpr std::int64_t n = 24;
  System<double> system{comm, n};
  std::int64_t mine = n * (rank + 1) / ranks - n * rank / ranks;

  Columns<double> rows(std::int64_t more, std::size_t nrhs = 2) const {
    return Columns<double>("b", static_cast<std::size_t>(mine + more), nrhs);
  }
  CholeskyFactor<double> factor() const {
    ShardedMatrix<double> a(ProcessGrid(comm), n, 5);
    a.fill(Exec{}, Dominant<double>{n});
    return factorize(Exec{}, std::move(a));
  }
};

TEST_F(ByRowsMisuseTest, Factor) {
  const auto l = factor();
  const std::string two_more = "\\b" + std::to_string(n + 2 * ranks) + " rows";
  for (const FactorOperation operation : factor_operations) {
    const auto apply = [&](const auto& b) { call(operation, l, Exec{}, b); };
    expect("b", {two_more, "n is 24"}, true, [&](bool) { apply(ByRows{rows(2)}); });
    wrong_on_one("b", {"\\b25 rows", "n is 24"}, [&](bool is_wrong) { apply(ByRows{rows(is_wrong ? 1 : 0)}); });
    wrong_on_one("b", {"2 columns", "3 columns"}, [&](bool is_wrong) { apply(ByRows{rows(0, is_wrong ? 3 : 2)}); });
    wrong_on_one("b", {"rank 1", "2 columns"}, [&](bool is_wrong) {
      is_wrong ? apply(ByRows{Kokkos::View<double*>("b", static_cast<std::size_t>(mine))}) : apply(ByRows{rows(0)});
    });
    wrong_on_one("b", {"rows of a View", "\\(24, 2\\)"},
                 [&](bool is_wrong) { is_wrong ? apply(ByRows{rows(0)}) : apply(Columns<double>("b", n, 2)); });
  }
  double number = 0;
  wrong("b", {"2147483648"}, [&](bool is_wrong) {
    const std::int64_t many = std::int64_t{1} << 31;
    l.solve(Exec{}, ByRows{repeated(&number, is_wrong ? many : mine)});
  });
  l.solve(Exec{}, ByRows{rows(0)});
}

TEST_F(ByRowsMisuseTest, OneCall) {
  const auto solve = [&](const auto& b) { cholesky_distributed(comm, system.a, b); };
  wrong_on_one("a", {"n = 25", "24"}, [&](bool is_wrong) { solve(ByRows{rows(is_wrong ? 1 : 0)}); });
  wrong_on_one("b", {"2 columns", "3 columns"}, [&](bool is_wrong) { solve(ByRows{rows(0, is_wrong ? 3 : 2)}); });
  wrong_on_one("b", {"rows of a View", "\\(24\\)"},
               [&](bool is_wrong) { is_wrong ? solve(ByRows{rows(0)}) : solve(system.b); });
  wrong("local_tile_size", {"-3"}, [&](bool is_wrong) {
    cholesky_distributed(comm, system.a, ByRows{rows(0)}, {.local_tile_size = is_wrong ? -3 : 4});
  });
  double number = 0;
  wrong("b", {"2147483648"},
        [&](bool is_wrong) { solve(ByRows{repeated(&number, is_wrong ? std::int64_t{1} << 31 : mine, 2)}); });
}

}  // namespace
}  // namespace tessera::testing
