// SPDX-License-Identifier: BSD-3-Clause
#include "jacobians.hpp"

#include <cstdint>
#include <utility>

// On the host, whatever the default execution space is: a build for a device works there, too.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultHostExecutionSpace;
using Space = Kokkos::HostSpace;

template <class T>
struct HostSpaceTest : ::testing::Test {
  static constexpr std::int64_t n = 75;

  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  Dominant<T> f{n, 3};
  Kokkos::View<T**, Kokkos::LayoutRight, Space> b{"b", n, 3};

  HostSpaceTest() { set_noise(b, 5); }

  void expect_solved(const Kokkos::View<T**, Kokkos::LayoutRight, Space>& x) const {
    EXPECT_LE(backward_error(n, f, 0, x, b), 100 * epsilon<T>());
    EXPECT_TRUE(same_on_all_ranks(comm, to_host(x)));
  }
};
TYPED_TEST_SUITE(HostSpaceTest, Scalars);

TYPED_TEST(HostSpaceTest, OneCall) {
  using T = TypeParam;
  const auto a = make_rows<Kokkos::View<T**, Space>>(ragged_shards(this->n, this->ranks), this->rank, this->n, this->f);
  for (const GridShape grid : all_grids(this->ranks)) {
    const auto [x, info] = cholesky_distributed(Exec{}, this->comm, a, this->b, {.local_tile_size = 11, .grid = grid});
    this->expect_solved(x);
  }
}

TYPED_TEST(HostSpaceTest, Pieces) {
  using T = TypeParam;
  ShardedMatrix<T, Space> matrix(ProcessGrid(this->comm), this->n, 9);
  matrix.fill(Exec{}, this->f);
  const CholeskyFactor<T, Space> l = factorize(Exec{}, std::move(matrix));
  const Kokkos::View<T**, Kokkos::LayoutRight, Space> x("x", this->n, 3);
  copy_elements(this->b, x);
  l.solve(Exec{}, x);
  Exec{}.fence();
  this->expect_solved(x);
}

TYPED_TEST(HostSpaceTest, NotPositiveDefinite) {
  using T = TypeParam;
  const Planted<T> planted{Defect::negative_pivot, 40};
  const auto a = make_rows<Kokkos::View<T**, Space>>(even_shards(this->n, this->ranks), this->rank, this->n, planted);
  const auto [x, info] =
      cholesky_distributed(Exec{}, this->comm, a, this->b, {.local_tile_size = 11, .on_failure = Failure::fill_nan});
  EXPECT_EQ(info.leading_minor, 41);
}

TYPED_TEST(HostSpaceTest, Gram) {
  using T = TypeParam;
  const Jacobian<T> j{1};
  const Shards shards = ragged_shards(this->n, this->ranks);
  const auto jacobian = make_samples<Kokkos::View<T**, Space>>(shards, this->rank, 90, j);
  const GramOptions options{.alpha = 1. / 90, .subtract_row_means = true};
  const GramReference reference(this->n, 90, j, options);
  const auto [x, info] = cholesky_distributed(Exec{}, this->comm, tessera::Gram{jacobian, options}, this->b,
                                              {.local_tile_size = 11, .diag_shift = 0.5});
  const auto a = [&](std::int64_t row, std::int64_t column) {
    const Wide value = row < column ? std::conj(reference(column, row)) : reference(row, column);
    return scalar<T>(static_cast<double>(value.real()), static_cast<double>(value.imag()));
  };
  EXPECT_LE(backward_error(this->n, a, 0.5, x, this->b), 200 * epsilon<T>());
}

}  // namespace
}  // namespace tessera::testing
