// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_profile.hpp"
#include "support.hpp"

#include <array>
#include <cstdint>
#include <utility>

// What a factorisation sends is what the memory plan says, rank by rank, message by message.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

template <class T>
struct TrafficTest : ::testing::Test {};
TYPED_TEST_SUITE(TrafficTest, Scalars);

TYPED_TEST(TrafficTest, ThePlanOfWhatIsSentIsRight) {
  using T = TypeParam;
  const MPI_Comm comm = MPI_COMM_WORLD;
  const auto rank = static_cast<std::size_t>(rank_in(comm));
  for (const GridShape shape : all_grids(size_of(comm))) {
    const ProcessGrid grid(comm, shape);
    // How many moduli; 0: native products.
    for (const auto& [n, tile, slab, moduli] : {std::array<std::int64_t, 4>{0, 4, 0, 0},
                                                {1, 4, 0, 0},
                                                {5, 2, 0, 0},
                                                {203, 16, 0, 0},
                                                {203, 7, 30, 0},
                                                {700, 64, 64, 0},
                                                {1, 4, 0, 4},
                                                {203, 16, 0, 6},
                                                {203, 7, 30, 13},
                                                {700, 64, 64, 4}}) {
      SCOPED_TRACE(::testing::Message() << "n " << n << ", " << shape.rows << " x " << shape.cols << ", tile " << tile
                                        << ", moduli " << moduli);
      const Arithmetic arithmetic = moduli > 0 ? Arithmetic::integer : Arithmetic::native;
      const auto number = static_cast<int>(moduli);
      ShardedMatrix<T> matrix(grid, n, tile, slab);
      matrix.fill(Exec{}, Dominant<T>{n});
      profile::reset_sent();
      factorize(Exec{}, std::move(matrix), FactorizeOptions{.arithmetic = arithmetic, .moduli = number});
      const profile::Sent sent = profile::sent();
      const MemoryPlan plan =
          memory_plan<T, Exec>(n, shape, {.tile_size = tile, .slab = slab, .arithmetic = arithmetic, .moduli = number});
      ASSERT_EQ(plan.sent.size(), plan.ranks.size());
      EXPECT_EQ(sent.messages, plan.sent[rank].messages);
      EXPECT_EQ(sent.bytes, plan.sent[rank].bytes);
    }
  }
}

}  // namespace
}  // namespace tessera::testing
