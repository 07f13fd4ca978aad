// SPDX-License-Identifier: BSD-3-Clause
#include "factor_operations.hpp"
#include "failing_messages.hpp"
#include "kernels.hpp"
#include "lapack.hpp"
#include "poison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

// Solving with one half of a factor, and multiplying by it, beside LAPACK's factor.
namespace tessera::testing {
namespace {

template <class T>
using Columns = Kokkos::View<T**, Kokkos::LayoutLeft, Space>;

template <class T>
struct HalfSolvesTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Exec exec;

  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile, std::int64_t slab) const {
    ShardedMatrix<T> a(ProcessGrid(comm, shape), n, tile, slab);
    a.fill(exec, Dominant<T>{n});
    return factorize(exec, std::move(a));
  }
  CholeskyFactor<T> factor(GridShape shape, std::int64_t n, std::int64_t tile) const {
    return factor(shape, n, tile, 3 * tile);
  }

  /// What an operation makes of the same numbers in a View of any kind.
  template <class B>
  HostMatrix<T> result_in(const B& b, FactorOperation operation, const CholeskyFactor<T>& l) const {
    set_noise(b, 11);
    call(operation, l, exec, b);
    exec.fence();
    const auto result = to_host(b);
    EXPECT_TRUE(same_on_all_ranks(comm, result));
    return result;
  }
  HostMatrix<T> result(FactorOperation operation, const CholeskyFactor<T>& l, std::int64_t nrhs) const {
    return result_in(Columns<T>("b", static_cast<std::size_t>(l.n()), static_cast<std::size_t>(nrhs)), operation, l);
  }
  static HostMatrix<T> noise_of(std::int64_t n, std::int64_t nrhs) {
    const HostMatrix<T> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
    set_noise(b, 11);
    return b;
  }

  /// Each column of `product` is that of L x, or L^H x, for LAPACK's L.
  static void expect_product(const Lapack<T>& lapack, bool upper, std::int64_t n, const HostMatrix<T>& x,
                             const HostMatrix<T>& product) {
    for (std::size_t v = 0; v < x.extent(1); ++v) {
      long double error = 0;
      long double size = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        Sum sum;
        for (std::int64_t k = upper ? i : 0; k < (upper ? n : i + 1); ++k) {
          sum.add(upper ? std::conj(wide(lapack.l(k, i))) : wide(lapack.l(i, k)), wide(x(k, v)));
        }
        error += std::norm(sum.value - wide(product(i, v)));
        size += sum.size * sum.size;
      }
      // both factors are rounded, too
      EXPECT_LE(std::sqrt(error), (4 + 0.05 * static_cast<double>(n)) * epsilon<T>() * std::sqrt(size))
          << "column " << v;
    }
  }
};
TYPED_TEST_SUITE(HalfSolvesTest, Scalars);

TYPED_TEST(HalfSolvesTest, AsWithLapacksFactor) {
  using T = TypeParam;
  for (const std::int64_t n : {1, 2, 5, 37, 130}) {
    const Lapack<T> lapack(n, Dominant<T>{n});
    for (const GridShape shape : all_grids(this->ranks)) {
      for (const std::int64_t tile : {1, 7, 32, 1000}) {
        if (n > 20 * tile) continue;  // many steps, and nothing new
        for (const std::int64_t slab : {std::int64_t{0}, tile}) {
          const auto l = this->factor(shape, n, tile, slab);
          for (const std::int64_t nrhs : {1, 3}) {
            const auto b = this->noise_of(n, nrhs);
            for (const FactorOperation operation : factor_operations) {
              if (operation == FactorOperation::solve) continue;
              SCOPED_TRACE(::testing::Message() << operation << ", n " << n << ", tile " << tile << ", slab " << slab
                                                << ", " << shape.rows << " x " << shape.cols << ", nrhs " << nrhs);
              const auto result = this->result(operation, l, nrhs);
              if (this->rank > 0) continue;  // the result is the same everywhere
              const bool solves =
                  operation == FactorOperation::solve_lower || operation == FactorOperation::solve_upper;
              const bool upper =
                  operation == FactorOperation::solve_upper || operation == FactorOperation::multiply_upper;
              this->expect_product(lapack, upper, n, solves ? result : b, solves ? b : result);
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(HalfSolvesTest, HalvesMakeAWholeAndProductsUndoThem) {
  using T = TypeParam;
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t n : {3, 101}) {
      const auto l = this->factor(shape, n, 16);
      for (const std::int64_t nrhs : {1, 3, 30, 600}) {  // 600 are more than a chunk has
        SCOPED_TRACE(::testing::Message()
                     << "n " << n << ", nrhs " << nrhs << ", " << shape.rows << " x " << shape.cols);
        const auto b = this->noise_of(n, nrhs);
        const Columns<T> x("x", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
        const auto expect_b = [&] {
          const auto back = to_host(x);
          double worst = 0;
          for (std::size_t k = 0; k < b.size(); ++k) {
            worst = std::max(worst, static_cast<double>(std::abs(wide(back.data()[k]) - wide(b.data()[k]))));
          }
          EXPECT_LE(worst, 40 * epsilon<T>());
        };
        set_noise(x, 11);
        l.solve_lower(this->exec, x);
        l.solve_upper(this->exec, x);
        EXPECT_TRUE(same_bits(to_host(x), this->result(FactorOperation::solve, l, nrhs)));
        l.multiply_upper(this->exec, x);
        l.multiply_lower(this->exec, x);
        expect_b();
        l.multiply_lower(this->exec, x);
        l.solve_lower(this->exec, x);
        expect_b();
      }
    }
  }
}

TYPED_TEST(HalfSolvesTest, AnyView) {
  using T = TypeParam;
  const std::size_t n = 67;
  const std::size_t nrhs = 3;
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, n, 16);
    for (const FactorOperation operation : factor_operations) {
      SCOPED_TRACE(::testing::Message() << operation << ", " << shape.rows << " x " << shape.cols);
      const auto expected = this->result(operation, l, nrhs);
      const auto expect_same = [&](const auto& b) {
        EXPECT_TRUE(same_bits(this->result_in(b, operation, l), expected));
      };
      expect_same(Kokkos::View<T**, Kokkos::LayoutRight, Space>("b", n, nrhs));
      expect_same(Kokkos::View<T**, Kokkos::LayoutStride, Space>("b", Kokkos::LayoutStride(n, 2 * nrhs + 1, nrhs, 2)));
      expect_same(Kokkos::subview(Columns<T>("b", n + 5, nrhs + 1), Kokkos::make_pair(std::size_t{2}, n + 2),
                                  Kokkos::make_pair(std::size_t{1}, nrhs + 1)));
      expect_same(Kokkos::View<T**, Kokkos::LayoutLeft, Kokkos::HostSpace>("b", n, nrhs));
      EXPECT_TRUE(
          same_bits(this->result_in(Kokkos::View<T*, Space>("b", n), operation, l), this->result(operation, l, 1)));
      call(operation, l, this->exec, Columns<T>("b", n, 0));
    }
  }
  const auto nothing = this->factor(nearly_square(this->ranks), 0, 4);
  for (const FactorOperation operation : factor_operations) {
    call(operation, nothing, this->exec, Columns<T>("b", 0, 3));
    call(operation, nothing, this->exec, Kokkos::View<T*, Space>("b", 0));
  }
}

TYPED_TEST(HalfSolvesTest, AboveTheDiagonalMayBeAnything) {
  for (const GridShape shape : all_grids(this->ranks)) {
    for (const std::int64_t tile : {7, 32, 200}) {
      const auto l = this->factor(shape, 101, tile);
      std::vector<HostMatrix<TypeParam>> before;
      for (const FactorOperation operation : factor_operations) {
        for (const std::int64_t nrhs : {1, 20}) before.push_back(this->result(operation, l, nrhs));
      }
      poison_above_diagonal(this->exec, l.matrix());
      auto expected = before.begin();
      for (const FactorOperation operation : factor_operations) {
        for (const std::int64_t nrhs : {1, 20}) {
          SCOPED_TRACE(::testing::Message() << operation << ", tile " << tile << ", nrhs " << nrhs << ", " << shape.rows
                                            << " x " << shape.cols);
          EXPECT_TRUE(same_bits(this->result(operation, l, nrhs), *expected++));
        }
      }
    }
  }
}

TYPED_TEST(HalfSolvesTest, NanStaysInItsColumn) {
  using T = TypeParam;
  const std::int64_t n = 67;
  const std::int64_t nrhs = 9;
  const std::int64_t column = 4;
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, n, 16);
    for (const FactorOperation operation : factor_operations) {
      const auto expected = this->result(operation, l, nrhs);
      for (const std::int64_t row : {std::int64_t{0}, std::int64_t{20}, n - 1}) {
        SCOPED_TRACE(::testing::Message() << operation << ", row " << row << ", " << shape.rows << " x " << shape.cols);
        const Columns<T> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
        set_noise(b, 11);
        Kokkos::deep_copy(Kokkos::subview(b, row, column), scalar<T>(NAN, NAN));
        call(operation, l, this->exec, b);
        this->exec.fence();
        const auto result = to_host(b);
        EXPECT_TRUE(std::isnan(detail::real(result(row, column))));
        std::int64_t changed = 0;
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < nrhs; ++j) changed += j != column && result(i, j) != expected(i, j) ? 1 : 0;
        }
        EXPECT_EQ(changed, 0);
      }
    }
  }
}

TYPED_TEST(HalfSolvesTest, MessagesThatFailOnOneRank) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  int culprit = 0;
  int failed_in_all = 0;
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto l = this->factor(shape, 24, 5);
    for (const FactorOperation operation : factor_operations) {
      for (const std::string name : {"MPI_Irecv", "MPI_Isend"}) {
        SCOPED_TRACE(::testing::Message() << operation << ", " << shape.rows << " x " << shape.cols);
        culprit = (culprit + 1) % this->ranks;
        const Columns<TypeParam> b("b", 24, 2);
        const auto solve = [&] { call(operation, l, this->exec, b); };
        for (int skip = 0; ends_everywhere(this->comm, culprit, name, skip, solve); skip += 1 + skip / 2)
          ++failed_in_all;
        EXPECT_EQ(thrown_by([&] { call(operation, l, this->exec, b); }).kind, Kind::nothing);
      }
    }
  }
  EXPECT_GT(failed_in_all, 2 * static_cast<int>(std::size(factor_operations)));
}

}  // namespace
}  // namespace tessera::testing
