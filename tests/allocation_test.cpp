#include "calls.hpp"
#include "environment.hpp"
#include "operators.hpp"

#include <cstdint>
#include <new>
#include <string>
#include <utility>

// Memory that does not suffice on one rank, at each allocation in turn: std::bad_alloc on all of them, unless it is
// that of a message, for which other memory will do.
namespace tessera::testing {
namespace {

using Exec = Kokkos::DefaultExecutionSpace;

/// Allocations of Tessera's until one fails; negative: none does any more.
int left = -1;
std::string failed;

void on_allocation(Kokkos_Profiling_SpaceHandle, const char* label, const void*, std::uint64_t) {
  if (!std::string(label).starts_with("tessera::") || left < 0 || left-- > 0) return;
  failed = label;
  throw std::bad_alloc();
}

struct AllocationTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);

  /// `call` allocates the same each time.
  template <class Call>
  void each_fails_in_turn(const Call& call) const {
    for (int culprit = 0; culprit < ranks; ++culprit) {
      int number = 0;
      for (int any = 1; any != 0; ++number) {
        left = rank == culprit ? number : -1;
        failed.clear();
        Kokkos::Tools::Experimental::set_allocate_data_callback(on_allocation);
        const Thrown thrown = thrown_by(call);
        Kokkos::Tools::Experimental::set_allocate_data_callback(nullptr);
        const bool is_staging = failed == "tessera::exchange::staged";
        any = failed.empty() ? 0 : is_staging ? 2 : 1;
        MPI_Bcast(&any, 1, MPI_INT, culprit, comm);
        EXPECT_EQ(thrown.kind, any == 1 ? Kind::bad_alloc : Kind::nothing)
            << thrown << ", allocation " << number << " on rank " << culprit << " " << failed;
        EXPECT_TRUE(solves(comm));
      }
      EXPECT_GT(number, 3) << "hardly anything was allocated on rank " << culprit;
    }
  }
};

TEST_F(AllocationTest, Solve) {
  const System<double> system(comm);
  for (const GridShape grid : {GridShape{ranks, 1}, GridShape{1, ranks}, nearly_square(ranks)}) {
    each_fails_in_turn([&] { cholesky_distributed(comm, system.a, system.b, {.local_tile_size = 4, .grid = grid}); });
  }
}

TEST_F(AllocationTest, SolveWithAnOperator) {
  const System<double> system(comm);
  each_fails_in_turn([&] {
    Operator<Dominant<double>> a{system.f};
    cholesky_distributed(comm, a, system.b, {.local_tile_size = 4});
  });
}

TEST_F(AllocationTest, Pieces) {
  const System<Kokkos::complex<double>> system(comm);
  const ProcessGrid grid(comm);
  const Kokkos::View<Kokkos::complex<double>**> b("b", system.b.extent(0), 3);
  each_fails_in_turn([&] { factorize(Exec{}, sharded(grid, system, 5)).solve(Exec{}, b); });
}

// Messages by way of host memory, which is made as they are sent, while others wait for them.
TEST_F(AllocationTest, StagedMessages) {
  const Variable variable(buffers, "staged");
  const System<double> system(comm);
  each_fails_in_turn([&] {
    const auto solution = cholesky_distributed(comm, system.a, system.b, {.local_tile_size = 8});
    EXPECT_TRUE(system.is_solved_by(to_host(solution.x)));
  });
}

}  // namespace
}  // namespace tessera::testing
