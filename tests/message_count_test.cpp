// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_profile.hpp"
#include "perf/compare_host/contenders.hpp"
#include "support.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

// What a factorisation and an inverse send, next to ScaLAPACK's on the same grid. Nothing of it depends on time.
namespace tessera::testing {
namespace {

/// What one rank sends, or several do. Data counts whether it goes in messages or in collectives; messages are compared
/// without the collectives, as nobody knows how many of its own each is to MPI.
struct Load {
  std::int64_t bytes = 0;
  std::int64_t messages = 0;
  std::int64_t collectives = 0;
  std::int64_t collective_messages = 0;  ///< at the least
};

struct Traffic {
  Load all;      ///< the ranks' together
  Load busiest;  ///< the most of any rank: of each number for itself

  /// As JSON, one line for all ranks and one for the busiest.
  void print(const std::string& name) const {
    if (std::getenv("TESSERA_TEST_VERBOSE") == nullptr || rank_in(MPI_COMM_WORLD) != 0) return;
    for (const auto& [who, load] : {std::pair("all", all), std::pair("busiest", busiest)}) {
      std::printf(R"({"name": "%s", "ranks": "%s", "bytes": %lld, "messages": %lld, "collectives": %lld})"
                  "\n",
                  name.c_str(), who, static_cast<long long>(load.bytes), static_cast<long long>(load.messages),
                  static_cast<long long>(load.collectives));
    }
  }
};

/// Collective.
template <class Call>
Traffic traffic_of(const std::string& name, const Call& call) {
  profile::reset_sent();
  call();
  const profile::Sent sent = profile::sent();
  const Load mine{sent.bytes + sent.collective_bytes, sent.messages, sent.collectives, sent.collective_messages};
  Traffic traffic;
  constexpr int count = sizeof(Load) / sizeof(std::int64_t);
  MPI_Allreduce(&mine, &traffic.all, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  MPI_Allreduce(&mine, &traffic.busiest, count, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
  traffic.print(name);
  return traffic;
}

/// The least of each number.
Load best(const Load& a, const Load& b) {
  return {std::min(a.bytes, b.bytes), std::min(a.messages, b.messages), std::min(a.collectives, b.collectives),
          std::min(a.collective_messages, b.collective_messages)};
}

struct MessageCountTest : ::testing::Test {
  static constexpr std::int64_t n = 3000;  // a dozen of the largest tiles, the last one ragged
  const GridShape shape = nearly_square(size_of(MPI_COMM_WORLD));

  // Each is the same whenever it is counted, and so is counted once for all tests.
  const Traffic& ours(std::int64_t size = n) const {
    static std::map<std::int64_t, Traffic> of_size;
    if (!of_size.contains(size)) of_size[size] = count_ours(size);
    return of_size[size];
  }
  const Traffic& scalapack(int block) const {
    static std::map<int, Traffic> of_block;
    if (!of_block.contains(block)) of_block[block] = count_scalapack(block);
    return of_block[block];
  }

  Traffic count_ours(std::int64_t size) const {
    const perf::Problem<double> problem{MPI_COMM_WORLD, size, {}, {size, 1}};
    const std::int64_t tile = detail::tile_size_for<double, Kokkos::HostSpace>(0, size, shape);
    ShardedMatrix<double, Kokkos::HostSpace> a(ProcessGrid(MPI_COMM_WORLD, shape), size, tile);
    a.fill(problem.exec, problem.a);
    return traffic_of("Tessera, n = " + std::to_string(size) + ", tile " + std::to_string(tile),
                      [&] { factorize<double>(problem.exec, std::move(a)); });
  }

  Traffic count_scalapack(int block) const {
    const perf::Problem<double> problem{MPI_COMM_WORLD, n, {}, {n, 1}};
    perf::Contender contender = perf::scalapack_contender(problem, shape, block);
    contender.prepare();
    const Traffic traffic = traffic_of("ScaLAPACK, n = " + std::to_string(n) + ", block " + std::to_string(block),
                                       contender.steps.front().run);
    contender.clear();
    return traffic;
  }
  Traffic best_scalapack() const {
    const Traffic narrow = scalapack(64);
    const Traffic wide = scalapack(128);
    return {best(narrow.all, wide.all), best(narrow.busiest, wide.busiest)};
  }

  /// Each number of the factor goes down a process column once, and each one of A along a process row, as a sum.
  double bytes_computed(std::int64_t size = n) const {
    return 0.5 * sizeof(double) * static_cast<double>(size) * static_cast<double>(size) * (shape.rows + shape.cols - 2);
  }
};

TEST_F(MessageCountTest, AsManyBytesAsComputed) {
  const double computed = bytes_computed();
  const auto bytes = static_cast<double>(ours().all.bytes);
  EXPECT_LE(bytes, 1.05 * computed);
  EXPECT_GE(bytes, 0.80 * computed);  // the first block columns have little to their left
}

// It sends no less: were its calls not seen here, nothing below would mean anything.
TEST_F(MessageCountTest, ScalapackSendsAsManyBytes) {
  const double computed = bytes_computed();
  for (const int block : {64, 128}) {
    EXPECT_NEAR(static_cast<double>(scalapack(block).all.bytes), computed, 0.12 * computed) << block;
  }
}

TEST_F(MessageCountTest, NoMoreBytesThanScalapack) {
  const Traffic mine = ours();
  const Traffic theirs = best_scalapack();
  EXPECT_LE(static_cast<double>(mine.all.bytes), 1.05 * static_cast<double>(theirs.all.bytes));
  EXPECT_LE(static_cast<double>(mine.busiest.bytes), 1.05 * static_cast<double>(theirs.busiest.bytes));
}

TEST_F(MessageCountTest, HalfOfScalapacksMessages) {
  const Traffic mine = ours();
  const Traffic theirs = best_scalapack();
  EXPECT_LE(2 * mine.all.messages, theirs.all.messages);
  EXPECT_LE(2 * mine.busiest.messages, theirs.busiest.messages);
}

// The diagonal takes what a factorisation sends, and the inverse twice that: each sweep goes over half of a matrix.
TEST_F(MessageCountTest, InversesSendNoMoreThanScalapacks) {
  const std::int64_t size = 1500;
  const perf::Problem<double> problem{MPI_COMM_WORLD, size, {}, {size, 1}};
  ShardedMatrix<double, Kokkos::HostSpace> a(ProcessGrid(MPI_COMM_WORLD, shape), size, 64);
  a.fill(problem.exec, problem.a);
  auto l = factorize<double>(problem.exec, std::move(a));
  const Kokkos::View<double*, Kokkos::HostSpace> d("d", static_cast<std::size_t>(size));
  const Traffic diagonal = traffic_of("inverse_diagonal", [&] { l.inverse_diagonal(problem.exec, d); });
  const Traffic whole = traffic_of("invert", [&] { invert(problem.exec, std::move(l)); });
  perf::Contender contender = perf::scalapack_contender(problem, shape, 64);
  contender.prepare();
  contender.steps.front().run();
  const Traffic theirs = traffic_of("pdpotri", contender.steps.back().run);
  contender.clear();

  const double sweep = bytes_computed(size);
  EXPECT_LE(static_cast<double>(diagonal.all.bytes), 1.1 * sweep);
  EXPECT_LE(static_cast<double>(whole.all.bytes), 2.1 * sweep);
  EXPECT_GE(static_cast<double>(whole.all.bytes), 1.6 * sweep);
  EXPECT_LE(whole.all.bytes, theirs.all.bytes);
}

// So that the messages are all that there is to compare.
TEST_F(MessageCountTest, AsManyCollectivesForAnyMatrix) {
  EXPECT_EQ(ours().busiest.collectives, ours(n / 2).busiest.collectives);
}

}  // namespace
}  // namespace tessera::testing
