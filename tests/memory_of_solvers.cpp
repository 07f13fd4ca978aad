// SPDX-License-Identifier: BSD-3-Clause
#include "calls.hpp"
#include "jacobians.hpp"
#include "operators.hpp"
#include "watch.hpp"

#include <string>
#include <vector>

// What is allocated: nothing anew where a solver is called again.
namespace tessera::testing {
namespace {

template <class T>
struct SolverMemoryTest : ::testing::Test {
  MPI_Comm comm = MPI_COMM_WORLD;
  int rank = rank_in(comm);
  int ranks = size_of(comm);
};
TYPED_TEST_SUITE(SolverMemoryTest, Scalars);

TYPED_TEST(SolverMemoryTest, ASolverThatIsCalledAgainAllocatesXAlone) {
  using T = TypeParam;
  const System<T> system(this->comm, 120);
  System<T> spoilt(this->comm, 120);
  spoilt.spoil();
  const System<T> larger(this->comm, 150);
  Operator<Dominant<T>> op{system.f};
  for (const Arithmetic arithmetic : {Arithmetic::native, Arithmetic::integer}) {
    CholeskyDistributed solver{.comm = this->comm, .options = {.local_tile_size = 16, .arithmetic = arithmetic}};
    Watch watch;
    solver(system.a, system.b);
    solver(op, system.b);
    const Gram gram{make_samples<Kokkos::View<T**>>(even_shards(120, this->ranks), this->rank, 300, Jacobian<T>{}),
                    {.alpha = 1. / 300, .subtract_row_means = true}};
    solver(gram, system.b);
    watch.labels();
    const std::vector<std::string> x_alone{"tessera::solve::solution"};
    for (int again = 0; again < 3; ++again) {
      const auto solution = solver(system.a, system.b);
      EXPECT_TRUE(system.is_solved_by(to_host(solution.x)));
      EXPECT_EQ(watch.labels(), x_alone);
      EXPECT_TRUE(system.is_solved_by(to_host(solver(op, system.b).x)));
      EXPECT_EQ(watch.labels(), x_alone);
      solver(gram, system.b);
      EXPECT_EQ(watch.labels(), x_alone);
      EXPECT_THROW(solver(spoilt.a, spoilt.b), NotPositiveDefinite);
      EXPECT_EQ(watch.labels(), x_alone);
    }
    EXPECT_GT(watch.now(), 0);
    const CholeskyDistributed copy = solver;  // has memory of its own
    solver.clear();
    EXPECT_EQ(watch.now(), 0);
    EXPECT_TRUE(system.is_solved_by(to_host(copy(system.a, system.b).x)));
    EXPECT_TRUE(larger.is_solved_by(to_host(copy(larger.a, larger.b).x)));
    EXPECT_TRUE(system.is_solved_by(to_host(solver(system.a, system.b).x)));
  }
}

}  // namespace
}  // namespace tessera::testing
