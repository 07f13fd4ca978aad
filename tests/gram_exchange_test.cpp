// SPDX-License-Identifier: BSD-3-Clause
#include "jacobians.hpp"
#include "mpi_profile.hpp"

#include <cstdint>

// What travels while a Gram matrix is assembled, and when.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

struct GramExchangeTest : ::testing::TestWithParam<GramForm> {
  static constexpr std::int64_t tile = 3;

  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
  bool sharded_rows = GetParam() == GramForm::j_jh;
  std::int64_t n = 50;
  std::int64_t depth = 700;
  Shards shards = ragged_shards(sharded_rows ? n : depth, ranks);

  std::int64_t samples_of(int r) const {
    return shards[static_cast<std::size_t>(r) + 1] - shards[static_cast<std::size_t>(r)];
  }
  auto jacobian() const {
    return make_samples<Kokkos::View<double**>>(shards, rank, sharded_rows ? depth : n, Jacobian<double>{1});
  }
  ShardedMatrix<double> assemble(GridShape grid, bool means, Arithmetic arithmetic) const {
    ShardedMatrix<double> matrix(ProcessGrid(comm, grid), n, tile);
    matrix.fill(Exec{}, detail::Shift<double>{0});
    add_gram(Exec{}, Gram{jacobian(), {GetParam(), 1, means, means, arithmetic}}, matrix);
    return matrix;
  }

  /// Numbers that a rank needs of each line of X and does not have: rows of its own rows and columns of A, each once
  /// where the ones are among the others.
  std::int64_t needed_from_others(GridShape grid, int r) const {
    const bool nested = grid.rows % grid.cols == 0 || grid.cols % grid.rows == 0;
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const bool have =
          sharded_rows && i >= shards[static_cast<std::size_t>(r)] && i < shards[static_cast<std::size_t>(r) + 1];
      const bool in_rows = i / tile % grid.rows == r / grid.cols;
      const bool in_columns = i / tile % grid.cols == r % grid.cols;
      if (!have) count += nested ? (in_rows || in_columns ? 1 : 0) : (in_rows ? 1 : 0) + (in_columns ? 1 : 0);
    }
    return count * (sharded_rows ? depth : depth - samples_of(r));
  }
};

TEST_P(GramExchangeTest, OnlyWhatIsNeededTravels) {
  for (const GridShape grid : all_grids(ranks)) {
    SCOPED_TRACE(::testing::Message() << grid.rows << " x " << grid.cols);
    ShardedMatrix<double> matrix(ProcessGrid(comm, grid), n, tile);
    matrix.fill(Exec{}, detail::Shift<double>{0});
    const Gram gram{jacobian(), {.form = GetParam()}};
    profile::reset_sent();
    add_gram(Exec{}, gram, matrix);
    std::int64_t bytes = profile::sent().bytes;
    MPI_Allreduce(MPI_IN_PLACE, &bytes, 1, MPI_INT64_T, MPI_SUM, comm);
    std::int64_t expected = 0;
    for (int r = 0; r < ranks; ++r) expected += needed_from_others(grid, r);
    EXPECT_EQ(bytes, expected * static_cast<std::int64_t>(sizeof(double)));
  }
}

TEST_P(GramExchangeTest, DoesNotDependOnWhenMessagesArrive) {
  const ProcessGrid first(comm);  // which makes a duplicate, for all that follow
  const profile::Open before = profile::open();
  for (const GridShape grid : all_grids(ranks)) {
    for (const int choice : {0, 1, 2}) {
      const bool means = choice > 0;
      const auto arithmetic = choice > 1 ? Arithmetic::integer : Arithmetic::native;
      SCOPED_TRACE(::testing::Message() << grid.rows << " x " << grid.cols << ", choice " << choice);
      const ShardedMatrix<double> undisturbed = assemble(grid, means, arithmetic);
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        profile::delay(seed, 300);
        const ShardedMatrix<double> delayed = assemble(grid, means, arithmetic);
        profile::delay(0, 0);
        const HostTiles<double, Exec::memory_space> expected(undisturbed);
        const HostTiles<double, Exec::memory_space> got(delayed);
        for (GlobalTile i{0}; i < delayed.rows().tiles_end(); ++i) {
          for (GlobalTile j{0}; j <= i; ++j) {
            if (!delayed.has_tile(i, j)) continue;
            const auto a = expected(i, j);
            const auto b = got(i, j);
            for (std::size_t r = 0; r < a.extent(0); ++r) {
              for (std::size_t c = 0; c < (i == j ? r + 1 : a.extent(1)); ++c) ASSERT_EQ(a(r, c), b(r, c));
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(profile::open(), before);
}

INSTANTIATE_TEST_SUITE_P(Forms, GramExchangeTest, ::testing::Values(GramForm::j_jh, GramForm::jh_j));

}  // namespace
}  // namespace tessera::testing
