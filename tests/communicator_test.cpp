// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "failing_messages.hpp"
#include "kernels/backend.hpp"
#include "mpi_profile.hpp"
#include "operators.hpp"
#include "own_communicator.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What a call does to the communicator that it is given, and on which ones it works.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

struct CommunicatorTest : ::testing::Test {
  /// The user's own, which nothing else has been sent on.
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = rank_in(MPI_COMM_WORLD);
  int ranks = size_of(MPI_COMM_WORLD);

  CommunicatorTest() { MPI_Comm_dup(MPI_COMM_WORLD, &comm); }
  ~CommunicatorTest() override { MPI_Comm_free(&comm); }

  struct Way {
    const char* name;
    Kind kind;                   ///< what it throws where it goes wrong
    std::function<void()> call;  ///< on comm
  };
  /// One call for each way to end; what is wrong is wrong on rank 0 alone.
  std::vector<Way> ways() const {
    const auto options = [](Failure on_failure) {
      return CholeskyOptions{.local_tile_size = 4, .on_failure = on_failure};
    };
    const auto spoilt = [this] {
      System<double> system(comm);
      system.spoil();
      return system;
    };
    return {{"success", Kind::nothing, [this] { System<double>(comm).solve(); }},
            {"not positive definite", Kind::not_positive_definite, [=] { spoilt().solve(options(Failure::raise)); }},
            {"NaNs", Kind::nothing, [=] { spoilt().solve(options(Failure::fill_nan)); }},
            {"misuse", Kind::invalid_argument,
             [this] { System<double>(comm).solve({.local_tile_size = rank == 0 ? -1 : 4}); }},
            {"a grid's misuse", Kind::invalid_argument, [this] { const ProcessGrid grid(comm, ranks + 1, 1); }},
            {"a callback's exception", Kind::runtime_error,
             [this] {
               const System<double> system(comm);
               Operator<Dominant<double>> a{system.f, [this](std::size_t) {
                                              if (rank == 0) throw std::runtime_error("from the operator");
                                            }};
               cholesky_distributed(comm, a, system.b);
             }},
            {"pieces", Kind::nothing,
             [this] {
               const System<double> system(comm);
               const ProcessGrid grid(comm);
               const ProcessGrid copy = grid;
               const auto l = factorize(Exec{}, sharded(copy, system, 4));
               l.solve(Exec{}, system.b);
             }},
            {"progress's exception", Kind::runtime_error, [this] {
               const System<double> system(comm);
               factorize(Exec{}, sharded(ProcessGrid(comm), system, 4), [this](std::int64_t, std::int64_t) {
                 if (rank == 0) throw std::runtime_error("from progress");
               });
             }}};
  }
};

TEST_F(CommunicatorTest, NothingLeaks) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    EXPECT_TRUE(solves(comm));  // which leaves a duplicate, until comm is freed
    const profile::Open before = profile::open();
    const Thrown thrown = thrown_by(way.call);
    EXPECT_EQ(thrown.kind, way.kind) << thrown;
    EXPECT_EQ(profile::open(), before);
  }
}

TEST_F(CommunicatorTest, OneDuplicateForAllCallsAndAsLongAsOneNeedsIt) {
  const profile::Open before = profile::open();
  std::optional<OwnCommunicator> own(comm);
  {
    std::optional<ProcessGrid> grid(*own);
    const ProcessGrid other(*own, ranks, 1);
    EXPECT_TRUE(solves(*own));
    EXPECT_EQ(profile::open().communicators, before.communicators + 2);
    const ShardedMatrix<double> matrix(*grid, 24, 4);
    grid.reset();
    own.reset();
    EXPECT_EQ(profile::open().communicators, before.communicators + 1);
    EXPECT_TRUE(solves(comm)) << "beside it";
    EXPECT_EQ(profile::open().communicators, before.communicators + 2);
    norm_one(Exec{}, matrix);
  }
  EXPECT_EQ(profile::open().communicators, before.communicators + 1);
}

// What a call costs beside its messages. One rank alone has nobody to agree with.
TEST_F(CommunicatorTest, Collectives) {
  const System<double> system(comm, 40);
  system.solve();
  profile::reset_sent();
  const profile::Open before = profile::open();
  system.solve();
  EXPECT_EQ(profile::open(), before) << "another duplicate";
  if (ranks == 1) {
    EXPECT_EQ(profile::sent().collectives, 0);
  } else {
    EXPECT_LE(profile::sent().collectives, 20);
    EXPECT_GE(profile::sent().collectives, 1);
  }
}

TEST_F(CommunicatorTest, NoMessageOnTheUsersOwn) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const std::int64_t before = profile::calls_on(comm);
    thrown_by(way.call);
    EXPECT_EQ(profile::calls_on(comm), before);
  }
}

TEST_F(CommunicatorTest, WhatIsPendingStaysPending) {
  const int next = (rank + 1) % ranks;
  const int previous = (rank + ranks - 1) % ranks;
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    int early = -1;
    int late = -1;
    const int out[2] = {100 + rank, 200 + rank};
    MPI_Request sent = MPI_REQUEST_NULL;
    MPI_Request wildcard = MPI_REQUEST_NULL;
    MPI_Isend(&out[0], 1, MPI_INT, next, 5, comm, &sent);
    MPI_Recv(&early, 1, MPI_INT, previous, 5, comm, MPI_STATUS_IGNORE);
    MPI_Wait(&sent, MPI_STATUS_IGNORE);
    EXPECT_EQ(early, 100 + previous);

    MPI_Irecv(&late, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, comm, &wildcard);
    thrown_by(way.call);
    int arrived = 0;
    MPI_Test(&wildcard, &arrived, MPI_STATUS_IGNORE);
    ASSERT_EQ(arrived, 0) << "a message of Tessera's got into the user's receive";
    MPI_Barrier(comm);  // nobody's message comes before the others have looked
    MPI_Isend(&out[1], 1, MPI_INT, next, 6, comm, &sent);
    MPI_Status status;
    MPI_Wait(&wildcard, &status);
    MPI_Wait(&sent, MPI_STATUS_IGNORE);
    EXPECT_EQ(late, 200 + previous);
    EXPECT_EQ(status.MPI_SOURCE, previous);
    EXPECT_EQ(status.MPI_TAG, 6);
  }
}

int handler_calls = 0;
void count_errors(MPI_Comm*, int*, ...) { ++handler_calls; }

TEST_F(CommunicatorTest, TheErrorHandlerStays) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_Comm_create_errhandler(count_errors, &handler);
  MPI_Comm_set_errhandler(comm, handler);
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    thrown_by(way.call);
    MPI_Errhandler after = MPI_ERRHANDLER_NULL;
    MPI_Comm_get_errhandler(comm, &after);
    EXPECT_EQ(after, handler);
    MPI_Errhandler_free(&after);
  }
  EXPECT_EQ(handler_calls, 0);
  MPI_Errhandler_free(&handler);
}

TEST_F(CommunicatorTest, SomeRanksIdle) {
  for (int members = 1; members <= ranks; ++members) {
    MPI_Comm some = MPI_COMM_NULL;
    MPI_Comm_split(comm, rank >= ranks - members ? 0 : MPI_UNDEFINED, rank, &some);
    if (some == MPI_COMM_NULL) continue;
    EXPECT_TRUE(solves(some)) << members;
    MPI_Comm_free(&some);
  }
}

TEST_F(CommunicatorTest, ReversedRanks) {
  MPI_Comm reversed = MPI_COMM_NULL;
  MPI_Comm_split(comm, 0, -rank, &reversed);
  ASSERT_EQ(rank_in(reversed), ranks - 1 - rank);
  const System<double> system(reversed);
  for (const GridShape grid : all_grids(ranks)) {
    EXPECT_TRUE(system.is_solved_by(system.solve({.local_tile_size = 4, .grid = grid})));
  }
  MPI_Comm_free(&reversed);
}

TEST_F(CommunicatorTest, DifferentOnesAtOnce) {
  MPI_Comm part = MPI_COMM_NULL;
  const bool first = rank < 2;
  MPI_Comm_split(comm, first ? 0 : 1, rank, &part);
  const System<double> system(part, first ? 31 : 50, first ? 3 : 4);
  System<double> spoilt(part, first ? 31 : 50, first ? 3 : 4);
  if (!first) spoilt.spoil();
  for (int repetition = 0; repetition < 5; ++repetition) {
    EXPECT_TRUE(system.is_solved_by(system.solve()));
    // A failure is one of its own communicator alone.
    EXPECT_EQ(thrown_by([&] { spoilt.solve(); }).kind, first ? Kind::nothing : Kind::not_positive_definite);
  }
  MPI_Comm_free(&part);
}

TEST_F(CommunicatorTest, EachRankOnItsOwn) {
  for (int repetition = 0; repetition < 3; ++repetition) {
    const System<double> system(MPI_COMM_SELF, 10 + 7 * rank, static_cast<std::uint64_t>(rank));
    EXPECT_TRUE(system.is_solved_by(system.solve()));
  }
  // Some do, while others do something else.
  if (rank % 2 == 0) {
    EXPECT_TRUE(solves(MPI_COMM_SELF));
  }
}

TEST_F(CommunicatorTest, MayBeFreedAtOnce) {
  MPI_Comm own = MPI_COMM_NULL;
  MPI_Comm_dup(comm, &own);
  std::optional<System<double>> system(own);
  EXPECT_TRUE(system->is_solved_by(system->solve()));
  std::optional<ProcessGrid> grid(own);
  MPI_Comm_free(&own);

  std::optional<ShardedMatrix<double>> matrix(sharded(*grid, *system, 4));
  grid.reset();
  std::optional<CholeskyFactor<double>> first(factorize(Exec{}, std::move(*matrix)));
  matrix.reset();
  const CholeskyFactor<double> l = std::move(*first);
  first.reset();
  const Kokkos::View<double*> x("x", system->b.extent(0));
  Kokkos::deep_copy(x, system->b);
  l.solve(Exec{}, x);
  EXPECT_TRUE(system->is_solved_by(to_host(x)));
}

// Each collective call of a solve, one after the other, and the first of the calls that work on messages: what fails on
// all ranks alike leaves none waiting.
TEST_F(CommunicatorTest, FailingCallIsAnMpiError) {
  const std::set<std::string> collectives = {"MPI_Allreduce", "MPI_Allgather", "MPI_Bcast", "MPI_Reduce"};
  std::set<std::string> names = {"MPI_Comm_dup", "MPI_Comm_set_errhandler", "MPI_Comm_test_inter"};
  names.insert(collectives.begin(), collectives.end());
  for (const std::string& name : names) {
    bool made = true;
    for (int skip = 0; made; ++skip) {
      SCOPED_TRACE(name + " number " + std::to_string(skip));
      const profile::Open before = profile::open();
      {
        const OwnCommunicator own(comm);
        const System<double> system(own);
        profile::fail(name, skip);
        const Thrown thrown = thrown_by([&] { system.solve(); });
        made = profile::has_failed();
        EXPECT_EQ(thrown.kind, made ? Kind::mpi_error : Kind::nothing) << thrown;
        EXPECT_TRUE(!made || thrown.message.starts_with(name)) << thrown;
        EXPECT_TRUE(made || skip > 0 || (ranks == 1 && collectives.contains(name))) << "not called at all";
        EXPECT_TRUE(solves(own));
      }
      EXPECT_EQ(profile::open(), before);
    }
  }
  EXPECT_TRUE(solves(comm));
}

// Each call that works on messages, one after the other, on each rank alone.
TEST_F(CommunicatorTest, FailingMessageOfOneRankEndsTheCallOnAll) {
  if (ranks == 1) GTEST_SKIP() << "one rank sends none";
  const std::int64_t tile = 2;  // each rank has rows for each other
  const System<double> system(comm, tile * ranks * ranks);
  const bool host = kernels::is_host<Kokkos::DefaultExecutionSpace>;
  EXPECT_TRUE(solves(comm));  // which makes the duplicate
  const int stride = 1 + ranks * ranks / 3;
  for (const std::string name : {"MPI_Irecv", "MPI_Isend", host ? "MPI_Waitsome" : "MPI_Testsome"}) {
    for (int culprit = 0; culprit < ranks; ++culprit) {
      int skip = culprit % stride;
      const auto solve = [&] { system.solve({.local_tile_size = tile, .grid = GridShape{1, ranks}}); };
      while (ends_everywhere(comm, culprit, name, skip, solve)) skip += stride;
      EXPECT_GE(skip, stride) << name << " is not called at all on rank " << culprit;
    }
    EXPECT_TRUE(solves(comm));
  }
}

TEST_F(CommunicatorTest, MpiIsCalledFromTheCallingThreadAlone) {
  int provided = MPI_THREAD_MULTIPLE;
  MPI_Query_thread(&provided);
  if (provided < MPI_THREAD_FUNNELED) GTEST_SKIP() << "this MPI has not even MPI_THREAD_FUNNELED";
  const System<Kokkos::complex<double>> system(comm, 200);  // large enough for a BLAS's threads, or Kokkos's
  EXPECT_TRUE(system.is_solved_by(system.solve({.local_tile_size = 32})));
  EXPECT_EQ(profile::threads(), std::set{std::this_thread::get_id()});
}

}  // namespace
}  // namespace tessera::testing
