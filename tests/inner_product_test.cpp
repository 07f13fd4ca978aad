// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "measured.hpp"
#include "mpi_profile.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

// Inner products with a function of (i, j), beside sums in long double.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

/// Any numbers, which are no Hermitian matrix.
template <class U>
struct Any {
  std::uint64_t seed = 21;
  KOKKOS_FUNCTION U operator()(std::int64_t i, std::int64_t j) const {
    return scalar<U>(noise(i, j, seed), noise(i, j, seed + 1));
  }
};

template <class U, std::size_t K>
struct Several {
  KOKKOS_FUNCTION Kokkos::Array<U, K> operator()(std::int64_t i, std::int64_t j) const {
    Kokkos::Array<U, K> all;
    for (std::size_t k = 0; k < K; ++k) all[k] = Any<U>{100 * k}(i, j);
    return all;
  }
};

struct Expected {
  double value;
  double rounding;
};

/// The sum over all i and j, of the Hermitian matrix f.
template <class F, class G>
Expected expected(std::int64_t n, const F& f, const G& g) {
  long double sum = 0;
  long double size = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const Wide product = std::conj(wide(f(i, j))) * wide(g(i, j));
      sum += product.real();
      size += std::abs(product);
    }
  }
  return {static_cast<double>(sum), 0x1p-52 * static_cast<double>(n * size)};
}

template <class T>
struct InnerProductTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);

  template <class U>
  void expect_one(const ShardedMatrix<T>& matrix) const {
    const double product = inner_product(Exec{}, matrix, Any<U>{});
    const Expected e = expected(matrix.n(), Noise<T>{}, Any<U>{});
    EXPECT_NEAR(product, e.value, e.rounding);
    EXPECT_TRUE(same_on_all_ranks(comm, &product, sizeof product));
    EXPECT_EQ(inner_product(Exec{}, matrix, Any<U>{}), product) << "not the same bits";
  }
  template <class U, std::size_t K>
  void expect_several(const ShardedMatrix<T>& matrix) const {
    const Kokkos::Array<double, K> products = inner_product(Exec{}, matrix, Several<U, K>{});
    for (std::size_t k = 0; k < K; ++k) {
      const Any<U> g{100 * k};
      const Expected e = expected(matrix.n(), Noise<T>{}, g);
      EXPECT_NEAR(products[k], e.value, e.rounding) << k;
      EXPECT_NEAR(products[k], inner_product(Exec{}, matrix, g), e.rounding) << k;  // by teams of another size
    }
    EXPECT_TRUE(same_on_all_ranks(comm, products.data(), K * sizeof(double)));
  }
};
TYPED_TEST_SUITE(InnerProductTest, Scalars);

TYPED_TEST(InnerProductTest, OnEveryLayout) {
  using T = TypeParam;
  for_each_layout(this->comm, [&](const ProcessGrid& grid, std::int64_t n, std::int64_t tile, std::int64_t slab) {
    const auto matrix = measured<T>(grid, n, tile, slab, Noise<T>{});
    const auto before = lower_tiles(matrix);
    this->template expect_one<T>(matrix);
    this->template expect_one<Real<T>>(matrix);
    this->template expect_several<T, 1>(matrix);
    this->template expect_several<T, 3>(matrix);
    this->template expect_several<Real<T>, 2>(matrix);
    EXPECT_TRUE(lower_tiles(matrix) == before) << "the matrix was changed";
  });
}

/// Counts how often it is asked for (i, j).
struct Count {
  std::int64_t n;
  Kokkos::View<int*, Space> calls;
  KOKKOS_FUNCTION int operator()(std::int64_t i, std::int64_t j) const {
    Kokkos::atomic_add(&calls(i + n * j), 1);
    return i == j ? 1 : 0;
  }
};

TYPED_TEST(InnerProductTest, FIsAskedOnceForEveryElement) {
  using T = TypeParam;
  const std::int64_t n = 37;
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto matrix = measured<T>(ProcessGrid(this->comm, shape), n, 5, 0, detail::Shift<T>{2});
    const Kokkos::View<int*, Space> calls("calls", static_cast<std::size_t>(n * n));
    EXPECT_EQ(inner_product(Exec{}, matrix, Count{n, calls}), 2 * n) << "the trace";
    const auto host = to_host(calls);
    std::vector<int> all(host.data(), host.data() + host.size());
    MPI_Allreduce(MPI_IN_PLACE, all.data(), static_cast<int>(all.size()), MPI_INT, MPI_SUM, this->comm);
    EXPECT_EQ(all, std::vector<int>(all.size(), 1));
  }
}

TYPED_TEST(InnerProductTest, OfTheMatrixWithItselfIsItsFrobeniusNormSquared) {
  using T = TypeParam;
  const std::int64_t n = 50;
  const Expected e = expected(n, Noise<T>{}, Noise<T>{});
  for (const GridShape shape : all_grids(this->ranks)) {
    const auto matrix = measured<T>(ProcessGrid(this->comm, shape), n, 7, 0, Noise<T>{});
    EXPECT_NEAR(inner_product(Exec{}, matrix, Noise<T>{}), e.value, e.rounding);
  }
}

#ifdef KOKKOS_ENABLE_SERIAL
/// Of the host, where a kernel may throw.
template <class T>
struct Throws {
  T operator()(std::int64_t i, std::int64_t j) const {
    if (i == 11 && j == 11) throw std::runtime_error("there is no f(11, 11)");
    return T(1);
  }
};

TYPED_TEST(InnerProductTest, WhatFThrowsIsThrownEverywhere) {
  using T = TypeParam;
  const Kokkos::Serial exec;
  for (const GridShape shape : all_grids(this->ranks)) {
    ShardedMatrix<T, Kokkos::HostSpace> matrix(ProcessGrid(this->comm, shape), 12, 2);
    matrix.fill(exec, Noise<T>{});
    const Thrown thrown = thrown_by([&] { inner_product(exec, matrix, Throws<T>{}); });
    EXPECT_EQ(thrown.kind, Kind::runtime_error) << thrown;
    EXPECT_EQ(thrown.message, "there is no f(11, 11)");
    const Expected e = expected(12, Noise<T>{}, Any<T>{});
    EXPECT_NEAR(inner_product(exec, matrix, Any<T>{}), e.value, e.rounding) << "the next call";
  }
}
#endif

TYPED_TEST(InnerProductTest, ACollectiveThatFailsOnAllRanks) {
  using T = TypeParam;
  if (size_of(this->comm) == 1) GTEST_SKIP() << "one rank has none";
  const auto matrix = measured<T>(ProcessGrid(this->comm), 20, 3, 0, Noise<T>{});
  for (const std::string name : {"MPI_Allreduce", "MPI_Allgather"}) {
    const profile::Open before = profile::open();
    profile::fail(name, 0);
    const Thrown thrown = thrown_by([&] { inner_product(Exec{}, matrix, Any<T>{}); });
    EXPECT_TRUE(profile::has_failed()) << name << " is not called at all";
    EXPECT_EQ(thrown.kind, Kind::mpi_error) << thrown;
    EXPECT_TRUE(thrown.message.starts_with(name)) << thrown;
    EXPECT_EQ(profile::open(), before);
  }
  this->template expect_one<T>(matrix);
}

}  // namespace
}  // namespace tessera::testing
