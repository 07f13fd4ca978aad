// SPDX-License-Identifier: BSD-3-Clause
#include "alike.hpp"
#include "factor_operations.hpp"
#include "failing_messages.hpp"
#include "misuse.hpp"
#include "row_numbers.hpp"

#include "core/assemble/redistribute_memory.hpp"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

// Rows in any order, with their numbers: the same bits as of rows in order, whoever has which.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
using Columns = typename RowsTest<T>::Columns;
template <class T>
using Rows = Kokkos::View<T**, Kokkos::LayoutRight, Space>;

template <class T>
struct RowIdsTest : RowsTest<T> {
  const std::vector<std::int64_t>& mine(const Dealing& dealing) const {
    return dealing.numbers[static_cast<std::size_t>(this->rank)];
  }

  /// A matrix of NaNs, which redistribute is to overwrite.
  ShardedMatrix<T> nans(GridShape shape, std::int64_t n, std::int64_t tile) const {
    ShardedMatrix<T> matrix(ProcessGrid(this->comm, shape), n, tile, 2 * tile);
    for (std::int64_t s = 0; s < matrix.layout().count(); ++s) {
      Kokkos::deep_copy(matrix.slab_block(s).a, scalar<T>(NAN, NAN));
    }
    return matrix;
  }
  std::vector<T> all_numbers(const ShardedMatrix<T>& matrix) const {
    std::vector<T> numbers;
    for (std::int64_t s = 0; s < matrix.layout().count(); ++s) {
      const auto slab = to_host(matrix.slab_block(s).a);
      numbers.insert(numbers.end(), slab.data(), slab.data() + slab.size());
    }
    return numbers;
  }

  /// Rows `numbers` of b.
  Columns<T> columns_of(const HostMatrix<T>& b, const std::vector<std::int64_t>& numbers) const {
    const Columns<T> rows("b", numbers.size(), b.extent(1));
    this->set_rows(rows, b, numbers);
    return rows;
  }
};
TYPED_TEST_SUITE(RowIdsTest, Scalars);

TYPED_TEST(RowIdsTest, RedistributeAsInOrder) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto& [n, tile] : {std::pair<std::int64_t, std::int64_t>{0, 4}, {1, 4}, {5, 2}, {67, 7}, {67, 100}}) {
      const Dominant<T> f{n};
      for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
        auto expected = this->nans(shape, n, tile);
        redistribute(this->exec, make_rows<Rows<T>>(even_shards(n, this->ranks), this->rank, n, f, triangle), expected,
                     0.5, triangle);
        for (const Dealing& dealing : all_dealings(n, this->ranks)) {
          SCOPED_TRACE(::testing::Message() << dealing.name << ", n " << n << ", tile " << tile << ", " << shape.rows
                                            << " x " << shape.cols << (triangle == Triangle::upper ? ", upper" : ""));
          const auto check = [&](const auto& a) {
            auto matrix = this->nans(shape, n, tile);
            redistribute(this->exec, a, matrix, 0.5, triangle);
            EXPECT_EQ(this->all_numbers(matrix), this->all_numbers(expected));
          };
          check(make_row_ids<Rows<T>>(this->mine(dealing), n, f, triangle));
          check(make_row_ids<Columns<T>>(this->mine(dealing), n, f, triangle));
        }
      }
    }
  }
}

// A rank has more rows than move at a time.
TYPED_TEST(RowIdsTest, ManyChunks) {
  using T = TypeParam;
  if (!kernels::is_host<Exec>) GTEST_SKIP() << "a device's chunks are large";
  std::int64_t n = 1000;
  while (2 * detail::rows_per_chunk<T, Space>(n) > 3 * n) n += 50;
  const Dominant<T> f{n};
  const GridShape shape = nearly_square(this->ranks);
  for (const Triangle triangle : {Triangle::lower, Triangle::upper}) {
    auto expected = this->nans(shape, n, 100);
    redistribute(this->exec, make_rows<Rows<T>>(even_shards(n, this->ranks), this->rank, n, f, triangle), expected, 0,
                 triangle);
    auto matrix = this->nans(shape, n, 100);
    redistribute(this->exec, make_row_ids<Columns<T>>(this->mine(all_dealings(n, this->ranks).back()), n, f, triangle),
                 matrix, 0, triangle);
    EXPECT_TRUE(this->all_numbers(matrix) == this->all_numbers(expected));
  }
}

// Ids of any integers in any memory, through the one call and the object, with b on all ranks and by rows.
TYPED_TEST(RowIdsTest, OneCall) {
  using T = TypeParam;
  const std::int64_t n = 41;
  const System<T> system(this->comm, n);
  const Columns<T> b("b", static_cast<std::size_t>(n), 3);
  set_noise(b, 11);
  for (const GridShape shape : all_grids(this->ranks)) {
    const CholeskyOptions options{.local_tile_size = 4, .grid = shape, .diag_shift = 1};
    const CholeskyDistributed solver{.comm = this->comm, .options = options};
    const auto [whole, in_order] = solver(system.a, b);
    const auto expected = to_host(whole);
    const auto dealings = all_dealings(n, this->ranks);
    for (const Dealing& dealing : {dealings[shape.rows > 1 ? 0 : 2], dealings[1], dealings[4]}) {
      SCOPED_TRACE(::testing::Message() << dealing.name << ", " << shape.rows << " x " << shape.cols);
      const auto& mine = this->mine(dealing);
      const auto some = this->columns_of(to_host(b), mine);
      const auto check = [&](const auto& a) {
        const auto [x, info] = solver(a, b);
        EXPECT_TRUE(same_bits(to_host(x), expected));
        EXPECT_EQ(info.log_determinant, in_order.log_determinant);
        const auto x_rows = cholesky_distributed(this->exec, this->comm, a, ByRows{some, a.ids}, options).x;
        EXPECT_TRUE(same_bits(to_host(x_rows.rows), this->rows_of(expected, mine)));
        EXPECT_EQ(x_rows.ids.data(), a.ids.data());
      };
      check(make_row_ids<Rows<T>>(mine, n, system.f));
      check(make_row_ids<Columns<T>, Kokkos::View<long long*, Space>>(mine, n, system.f));
      check(make_row_ids<Columns<T>, Kokkos::View<const unsigned*, Kokkos::HostSpace>>(mine, n, system.f));
      const auto x = cholesky_distributed(this->comm, system.a, ByRows{some, make_ids<HostIds>(mine)}, options).x;
      EXPECT_TRUE(same_bits(to_host(x.rows), this->rows_of(expected, mine)));
    }
  }
  const auto read_only = make_row_ids<Kokkos::View<T**, Kokkos::LayoutLeft, Kokkos::HostSpace>>(
      this->mine(all_dealings(n, this->ranks)[1]), n, Dominant<T>{n, 3});
  const RowIds<Kokkos::View<const T**, Kokkos::LayoutLeft, Kokkos::HostSpace>, HostIds> a{read_only.rows,
                                                                                          read_only.ids};
  const auto [x, info] = cholesky_distributed(this->comm, a, b, {.shifts = {.tries = 2, .first = 1e-3}});
  EXPECT_LE(backward_error(n, Dominant<T>{n, 3}, 0, to_host(x), to_host(b)), 100 * epsilon<T>());
}

TYPED_TEST(RowIdsTest, RightHandSides) {
  using T = TypeParam;
  std::size_t number = 0;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const auto& [n, nrhs] : {std::pair<std::int64_t, std::int64_t>{0, 2}, {5, 0}, {5, 2}, {67, 1}, {67, 600}}) {
      ShardedMatrix<T> a(ProcessGrid(this->comm, shape), n, n < 67 ? 2 : 7, 21);
      a.fill(this->exec, Dominant<T>{n});
      const auto l = factorize(this->exec, std::move(a));
      for (const Dealing& dealing : all_dealings(n, this->ranks)) {
        const FactorOperation operation = factor_operations[number++ % std::size(factor_operations)];
        if (nrhs > 2 && number % 2 == 0) continue;  // three chunks
        SCOPED_TRACE(::testing::Message() << dealing.name << ", " << operation << ", n " << n << ", nrhs " << nrhs
                                          << ", " << shape.rows << " x " << shape.cols);
        const Columns<T> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
        set_noise(b, 11);
        const auto rows = this->columns_of(to_host(b), this->mine(dealing));
        call(operation, l, this->exec, b);
        call(operation, l, this->exec, ByRows{rows, make_ids<HostIds>(this->mine(dealing))});
        EXPECT_TRUE(alike<T>(to_host(rows), this->rows_of(to_host(b), this->mine(dealing))));
      }
    }
  }
}

TYPED_TEST(RowIdsTest, MessagesThatFailOnOneRank) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  using T = TypeParam;
  const std::int64_t n = 24;
  int culprit = 0;
  int failed_in_all = 0;
  const auto a =
      make_row_ids<Rows<T>>(round_robin(n, this->ranks)[static_cast<std::size_t>(this->rank)], n, Dominant<T>{n});
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols);
      culprit = (culprit + 1) % this->ranks;
      auto matrix = this->nans(shape, n, 5);
      const auto take_in = [&] { redistribute(this->exec, a, matrix, 0); };
      for (int skip = 0; ends_everywhere(this->comm, culprit, name, skip, take_in); ++skip) ++failed_in_all;
      EXPECT_EQ(thrown_by(take_in).kind, Kind::nothing);
    }
  }
  EXPECT_GT(failed_in_all, 4);
}

/// Ids of which one rank's, or all ranks', are wrong.
struct RowIdsMisuseTest : MisuseTest {
  static constexpr std::int64_t n = 24;
  std::vector<std::int64_t> mine = round_robin(n, ranks)[static_cast<std::size_t>(rank)];
  const RowIds<Rows<double>, HostIds> a = make_row_ids<Rows<double>>(mine, n, Dominant<double>{n});
  const Columns<double> b{"b", mine.size(), 2};
  const Columns<double> replicated{"b", n, 2};

  /// Each call that takes ids, of A and of b.
  template <class Make>
  void wrong_ids(const std::vector<std::string>& words, const Make& make) {
    const std::string some_rank = "rank [0-9]";
    std::vector<std::string> all_words = words;
    all_words.push_back(some_rank);
    const auto ids = [&](bool is_wrong) { return make_ids<HostIds>(is_wrong ? make(mine) : mine); };
    wrong("ids of a", all_words, [&](bool is_wrong) {
      cholesky_distributed(comm, RowIds{a.rows, ids(is_wrong)}, replicated, {.on_failure = Failure::fill_nan});
    });
    ShardedMatrix<double> matrix(ProcessGrid(comm), n, 5);
    matrix.fill(Exec{}, Dominant<double>{n});
    const auto l = factorize(Exec{}, std::move(matrix));
    wrong_on_one("ids of b", all_words, [&](bool is_wrong) {
      cholesky_distributed(comm, a, ByRows{b, ids(is_wrong)});
    });
    wrong("ids of b", all_words, [&](bool is_wrong) { l.solve(Exec{}, ByRows{b, ids(is_wrong)}); });
  }
};

TEST_F(RowIdsMisuseTest, NumbersThatNoRowHas) {
  for (const std::int64_t number : {n, std::int64_t{-1}}) {
    wrong_ids({"has " + std::to_string(number), "in its row 0", "n - 1 = 23"}, [&](std::vector<std::int64_t> numbers) {
      numbers.front() = number;
      return numbers;
    });
  }
}

TEST_F(RowIdsMisuseTest, NumbersThatTwoRowsHave) {
  wrong_ids({"must be different", "have [0-9]"}, [&](std::vector<std::int64_t> numbers) {
    numbers.back() = numbers.front();
    return numbers;
  });
}

TEST_F(RowIdsMisuseTest, AnotherNumberOfIds) {
  const std::string some = std::to_string(n / ranks);
  if (n % ranks == 0) {
    wrong_ids({"has " + std::to_string(n / ranks + 1) + " for " + some + " rows"},
              [&](std::vector<std::int64_t> numbers) {
                numbers.push_back(0);
                return numbers;
              });
  }
  wrong_ids({"has 0 for [0-9]+ rows"}, [](const std::vector<std::int64_t>&) { return std::vector<std::int64_t>{}; });
}

TEST_F(RowIdsMisuseTest, OtherRows) {
  wrong_on_one("ids of a", {"rank [0-9]", "has -7"}, [&](bool is_wrong) {
    ShardedMatrix<double> matrix(ProcessGrid(comm), n, 5);
    std::vector<std::int64_t> numbers = mine;
    if (is_wrong) numbers.back() = -7;
    redistribute(Exec{}, RowIds{a.rows, make_ids<HostIds>(numbers)}, matrix, 0);
  });
  const auto but_the_last = [&](bool is_wrong) {
    const std::size_t rows = mine.size() - (is_wrong ? 1 : 0);
    const auto some = Kokkos::make_pair(std::size_t{0}, rows);
    return std::pair{Kokkos::subview(a.rows, some, Kokkos::ALL), Kokkos::subview(a.ids, some)};
  };
  wrong("ids of a", {"no rank has [0-9]+", "n is 24"}, [&](bool is_wrong) {
    const auto [rows, ids] = but_the_last(is_wrong);
    cholesky_distributed(comm, RowIds{rows, ids}, replicated);
  });
  wrong_on_one("a", {"RowIds", "a View of local rows"}, [&](bool is_wrong) {
    is_wrong ? cholesky_distributed(comm, a, replicated) : cholesky_distributed(comm, a.rows, replicated);
  });
  wrong_on_one("b", {"rows with ids of a View", "rows of a View"}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, a, ByRows{b, a.ids});
    } else {
      cholesky_distributed(comm, a, ByRows{b});
    }
  });
  const Columns<double> narrow("rows", mine.size(), n - 1);
  wrong("a", {"columns"}, [&](bool is_wrong) {
    if (is_wrong) {
      cholesky_distributed(comm, RowIds{narrow, a.ids}, replicated);
    } else {
      cholesky_distributed(comm, RowIds{Columns<double>("rows", mine.size(), n), a.ids}, replicated, {.diag_shift = 1});
    }
  });
}

}  // namespace
}  // namespace tessera::testing
