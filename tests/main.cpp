// SPDX-License-Identifier: BSD-3-Clause
// Runs GoogleTest on all ranks of MPI_COMM_WORLD: every rank runs every test and prints its own failures.

#include <gtest/gtest.h>
#include <mpi.h>
#include <unistd.h>
#include <Kokkos_Core.hpp>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

namespace {

constexpr unsigned seconds_per_test = 240;
char running_test[256] = "";

// A test that hangs ends, with its name, and takes the other ranks along.
void on_alarm(int) {
  const char text[] = "timed out: ";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  (void)!write(STDERR_FILENO, running_test, std::strlen(running_test));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(2);
}

// No collectives here: a rank that fails alone must not wait for others that do not.
class RankListener : public testing::EmptyTestEventListener {
 public:
  explicit RankListener(int rank) : rank_(rank) {}

 private:
  void OnTestStart(const testing::TestInfo& info) override {
    std::snprintf(running_test, sizeof running_test, "%s.%s on rank %d", info.test_suite_name(), info.name(), rank_);
    alarm(seconds_per_test);
  }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::ostringstream text;
    text << "rank " << rank_ << ", " << running_test << ": " << (result.file_name() ? result.file_name() : "?") << ":"
         << result.line_number() << ": " << result.message() << "\n";
    std::fputs(text.str().c_str(), stderr);
  }
  void OnTestEnd(const testing::TestInfo&) override { alarm(0); }

  int rank_;
};

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::signal(SIGALRM, on_alarm);
  int failed = 0;
  {
    const Kokkos::ScopeGuard kokkos(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    if (rank != 0) delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new RankListener(rank));
    failed = RUN_ALL_TESTS();
  }
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return failed;
}
