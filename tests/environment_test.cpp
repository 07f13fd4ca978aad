// SPDX-License-Identifier: BSD-3-Clause
#include "environment.hpp"
#include "kernels/backend.hpp"
#include "misuse.hpp"
#include "mpi_profile.hpp"
#include "own_communicator.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The variables that say how messages go: to the same bits, whichever way.
namespace tessera::testing {
namespace {

struct EnvironmentTest : MisuseTest {
  using T = Kokkos::complex<double>;

  // The tests themselves run with any environment.
  Variable default_largest{largest_message, std::nullopt};
  Variable default_buffers{buffers, std::nullopt};

  struct Result {
    std::vector<HostMatrix<T>> x;
    std::vector<double> log_determinants;
    profile::Sent sent;
  };
  /// Every way in which data travels: rows of a View, the factorisation, the solve, the log-determinant.
  Result run() const {
    Result result;
    const OwnCommunicator own(comm);
    const System<T> system(own, 40);
    profile::reset_sent();
    for (const GridShape shape : all_grids(ranks)) {
      result.x.push_back(system.solve({.local_tile_size = 7, .grid = shape}));
      EXPECT_TRUE(system.is_solved_by(result.x.back()));
      const auto l = factorize(Kokkos::DefaultExecutionSpace{}, sharded(ProcessGrid(own, shape), system, 7));
      result.log_determinants.push_back(l.log_determinant());
    }
    result.sent = profile::sent();
    return result;
  }
  void expect_same_bits(const Result& one, const Result& other) const {
    for (std::size_t i = 0; i < one.x.size(); ++i) EXPECT_TRUE(same_bits(one.x[i], other.x[i])) << i;
    EXPECT_EQ(one.log_determinants, other.log_determinants);
  }
};

TEST_F(EnvironmentTest, LargestMessage) {
  const Result whole = run();
  // The last ones are no multiple of a scalar's size; one byte at a time would be slow to prove no more.
  for (const std::int64_t bytes : {256, 100, 13}) {
    SCOPED_TRACE(bytes);
    const Variable variable(largest_message, std::to_string(bytes));
    const Result split = run();
    expect_same_bits(split, whole);
    EXPECT_LE(split.sent.largest, bytes);
    if (ranks == 1) continue;
    EXPECT_GT(whole.sent.largest, bytes);
    EXPECT_GT(split.sent.messages, whole.sent.messages);
  }
}

TEST_F(EnvironmentTest, LargestMessageAsLargeAsEverything) {
  const Variable variable(largest_message, std::to_string(std::int64_t{1} << 30));
  EXPECT_TRUE(solves(OwnCommunicator(comm)));
}

TEST_F(EnvironmentTest, ErrorsTravelInSmallMessagesToo) {
  const Variable variable(largest_message, "5");
  const OwnCommunicator own(comm);
  wrong("local_tile_size", {"-123456789"},
        [&](bool is_wrong) { System<double>(own).solve({.local_tile_size = is_wrong ? -123456789 : 4}); });
  wrong_on_one("triangle", {}, [&](bool is_wrong) {
    System<double>(own).solve({.triangle = is_wrong ? Triangle::upper : Triangle::lower});
  });
}

TEST_F(EnvironmentTest, LargestMessageThatIsNone) {
  for (const std::string text : {"", "0", "-1", "256x", "x", "1e3", "1073741825", "99999999999999999999"}) {
    const auto call = [&](bool is_wrong) {
      const Variable variable(largest_message, is_wrong ? std::optional(text) : std::nullopt);
      System<double>(OwnCommunicator(comm)).solve();
    };
    wrong(largest_message, {"\"" + text + "\""}, call);
    wrong(largest_message, {"\"" + text + "\""}, [&](bool is_wrong) {
      const Variable variable(largest_message, is_wrong ? text : "4");
      const ProcessGrid grid{OwnCommunicator(comm)};
    });
  }
}

TEST_F(EnvironmentTest, LargestMessageThatDiffers) {
  for (const std::string text : {"1", "256"}) {
    wrong_on_one(largest_message, {text}, [&](bool is_wrong) {
      const Variable variable(largest_message, is_wrong ? std::optional(text) : std::nullopt);
      System<double>(OwnCommunicator(comm)).solve();
    });
  }
}

TEST_F(EnvironmentTest, Buffers) {
  const Result usual = run();
  for (const std::string way : {"staged", "direct"}) {
    if (way == "direct" && !kernels::is_host<Kokkos::DefaultExecutionSpace>) {
      continue;  // this MPI may not take a device's pointers
    }
    SCOPED_TRACE(way);
    const Variable variable(buffers, way);
    const Result other = run();
    expect_same_bits(other, usual);
    EXPECT_EQ(other.sent.messages, usual.sent.messages);
    const Variable split(largest_message, "100");
    expect_same_bits(run(), usual);
  }
}

TEST_F(EnvironmentTest, BuffersThatAreNone) {
  for (const std::string text : {"", "pinned", "Direct"}) {
    wrong(buffers, {"\"" + text + "\""}, [&](bool is_wrong) {
      const Variable variable(buffers, is_wrong ? std::optional(text) : std::nullopt);
      System<double>(OwnCommunicator(comm)).solve();
    });
  }
}

TEST_F(EnvironmentTest, BuffersAsAnOption) {
  const System<T> system(comm, 40);
  const auto usual = system.solve({.local_tile_size = 7});
  EXPECT_TRUE(same_bits(system.solve({.local_tile_size = 7, .mpi_buffers = MpiBuffers::staged}), usual));
  const ProcessGrid grid(comm, MpiBuffers::staged);
  EXPECT_EQ(grid.mpi_buffers(), MpiBuffers::staged);
  const auto l = factorize(Kokkos::DefaultExecutionSpace{}, sharded(grid, system, 7));
  EXPECT_EQ(l.grid().mpi_buffers(), MpiBuffers::staged);
}

// Each rank may have its own.
TEST_F(EnvironmentTest, BuffersThatDiffer) {
  const Result usual = run();
  const Variable variable(buffers, rank == 0 ? std::optional<std::string>("staged") : std::nullopt);
  expect_same_bits(run(), usual);
}

}  // namespace
}  // namespace tessera::testing
