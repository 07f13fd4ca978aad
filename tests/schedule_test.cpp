// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "factor_operations.hpp"
#include "mpi_profile.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

// The factorisation and what a factor does come to the same bits however far they run ahead, and in whatever order
// messages arrive; and they come to an end.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;
using Space = Exec::memory_space;

template <class T>
struct Result {
  std::vector<T> factor;  // the lower triangle of this rank's tiles
  std::vector<T> x;       // and what each operation makes of it
  double log_determinant = 0;
  std::int64_t leading_minor = 0;

  bool same_bits(const Result& other) const {
    const auto same = [](const std::vector<T>& a, const std::vector<T>& b) {
      return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
    };
    return same(factor, other.factor) && same(x, other.x) && leading_minor == other.leading_minor &&
           std::memcmp(&log_determinant, &other.log_determinant, sizeof(double)) == 0;
  }
};

template <class T>
struct ScheduleTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int ranks = size_of(comm);
  Arithmetic arithmetic = Arithmetic::native;

  Result<T> run(const ProcessGrid& grid, std::int64_t n, std::int64_t tile, const detail::Schedule& schedule,
                std::int64_t nrhs = 5, std::int64_t slab = 0) const {
    ShardedMatrix<T> matrix(grid, n, tile, slab > 0 ? slab : 3 * tile);
    matrix.fill(Exec{}, Dominant<T>{n});
    detail::Memory<Space> memory;
    const auto factored =
        detail::try_factorize<T>(Exec{}, std::move(matrix), {.arithmetic = arithmetic}, memory, schedule);
    const Kokkos::View<T**, Kokkos::LayoutLeft> b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
    set_noise(b, 3);
    const auto right_hand_sides = to_host(b);
    detail::apply<T>(
        Exec{}, FactorOperation::solve, factored.factor, MatrixView<T, Space>(b), memory, [] { Exec{}.fence(); },
        schedule);
    const auto x = to_host(b);
    Result<T> result;
    result.factor = lower_tiles(factored.factor.matrix());
    result.log_determinant = factored.factor.log_determinant();
    result.leading_minor = factored.leading_minor;
    for (std::int64_t c = 0; c < nrhs; ++c) {
      for (std::int64_t i = 0; i < n; ++i) result.x.push_back(x(i, c));
    }
    EXPECT_TRUE(same_on_all_ranks(comm, x));
    if (rank_in(comm) == 0) {
      EXPECT_LE(backward_error(n, Dominant<T>{n}, 0, x, right_hand_sides), 10 * epsilon<T>());
    }
    if (ranks > 6) return result;  // where the other operations take long, and send as on fewer ranks
    for (const FactorOperation operation : factor_operations) {  // each upon what the last one has left
      detail::apply<T>(
          Exec{}, operation, factored.factor, MatrixView<T, Space>(b), memory, [] { Exec{}.fence(); }, schedule);
      const auto left = to_host(b);
      result.x.insert(result.x.end(), left.data(), left.data() + left.size());
    }
    return result;
  }
};
TYPED_TEST_SUITE(ScheduleTest, Scalars);

TYPED_TEST(ScheduleTest, SlotsAndChunksDoNotChangeTheBits) {
  std::uint64_t pair = 0;  // five times five: every fourth has each number of slots, and each chunk
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    const auto expected = this->run(grid, 131, 8, {});
    EXPECT_EQ(expected.leading_minor, 0);
    for (const int slots : {1, 2, 3, 4, 9}) {
      for (const std::int64_t chunk_rows : {1, 7, 50, 8192, 23}) {
        if (pair++ % 4 != scalar_number<TypeParam>) continue;
        SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", " << slots << " slots, chunks of "
                                          << chunk_rows << " rows");
        EXPECT_TRUE(this->run(grid, 131, 8, {.slots = slots, .chunk_rows = chunk_rows}).same_bits(expected));
      }
    }
  }
}

TYPED_TEST(ScheduleTest, LateMessagesDoNotChangeTheBits) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    // Chunks of two right-hand sides, of three: those of one are solved by other kernels.
    const std::vector<detail::Schedule> schedules{
        {}, {.slots = 1, .chunk_rows = 11, .chunk_columns = 3}, {.slots = 4, .chunk_rows = 30, .chunk_columns = 2}};
    for (const detail::Schedule& schedule : schedules) {
      const auto expected = this->run(grid, 77, 5, schedule);
      const std::uint64_t seed = 1 + scalar_number<TypeParam>;
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", " << schedule.slots
                                        << " slots, seed " << seed);
      profile::delay(seed, 200);
      const auto late = this->run(grid, 77, 5, schedule);
      profile::delay(0, 0);
      EXPECT_TRUE(late.same_bits(expected));
    }
  }
}

/// Messages that MPI does not copy when they are sent: what they hold must stay until they have arrived.
TYPED_TEST(ScheduleTest, LargeMessages) {
  if (this->ranks == 1) GTEST_SKIP() << "one rank sends none";
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    const auto expected = this->run(grid, 451, 150, {.slots = 9, .chunk_columns = 12}, 36);
    const std::uint64_t seed = 1 + scalar_number<TypeParam>;
    SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", seed " << seed);
    profile::delay(seed, 2000);
    const auto late = this->run(grid, 451, 150, {.slots = 1, .chunk_rows = 100, .chunk_columns = 12}, 36);
    profile::delay(0, 0);
    EXPECT_TRUE(late.same_bits(expected));
  }
}

// Integers: what is kept of L for the updates, and each slot's operands, have memory of their own.
TYPED_TEST(ScheduleTest, IntegersComeToTheSameBits) {
  this->arithmetic = Arithmetic::integer;
  std::size_t variant = scalar_number<TypeParam>;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    const std::int64_t columns = variant % 3 == 0 ? 70 : 131;  // some keep residues, or all
    const auto expected = this->run(grid, 131, 8, {.most_integer_columns = columns});
    EXPECT_EQ(expected.leading_minor, 0);
    const std::vector<detail::Schedule> schedules{{},
                                                  {.slots = 1, .chunk_rows = 7},
                                                  {.slots = 2, .chunk_rows = 50},
                                                  {.slots = 4, .chunk_rows = 1},
                                                  {.slots = 9, .chunk_rows = 23}};
    for (const bool delayed : {false, true}) {
      detail::Schedule schedule = schedules[variant++ % schedules.size()];
      schedule.most_integer_columns = columns;
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", " << schedule.slots
                                        << " slots, chunks of " << schedule.chunk_rows << " rows, " << columns
                                        << " columns" << (delayed ? ", late" : ""));
      if (delayed) profile::delay(1 + variant, 200);
      const auto other = this->run(grid, 131, 8, schedule);
      profile::delay(0, 0);
      EXPECT_TRUE(other.same_bits(expected));
    }
  }
}

/// Native products are cut where slabs end; sums of integers may be. A tile is a step, whatever the slab.
TYPED_TEST(ScheduleTest, SlabsDoNotChangeAFactorByIntegers) {
  constexpr bool host = kernels::is_host<Exec>;
  const std::int64_t n = host ? 203 : 1100;
  const std::int64_t tile = host ? 32 : 300;
  this->arithmetic = Arithmetic::integer;
  for (const GridShape shape : all_grids(this->ranks)) {
    const ProcessGrid grid(this->comm, shape);
    const auto expected = this->run(grid, n, tile, {}, 1, n);
    for (const std::int64_t slab : {tile, 2 * tile}) {
      SCOPED_TRACE(::testing::Message() << shape.rows << " x " << shape.cols << ", slab " << slab);
      const auto other = this->run(grid, n, tile, {}, 1, slab);
      EXPECT_EQ(other.factor, expected.factor);
      EXPECT_EQ(other.log_determinant, expected.log_determinant);
    }
  }
}

}  // namespace
}  // namespace tessera::testing
