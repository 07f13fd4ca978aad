// SPDX-License-Identifier: BSD-3-Clause
#include <tessera/tessera.hpp>

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cstdint>
#include <utility>

// All calls with an execution space that Tessera knows, which compile, or, if TESSERA_CALL names one of them, that call
// with a space that it does not know.
namespace {

using Known = Kokkos::DefaultHostExecutionSpace;
struct Unknown : Known {
  using execution_space = Unknown;
  using scratch_memory_space = Kokkos::ScratchMemorySpace<Unknown>;
};

struct Identity {
  KOKKOS_FUNCTION double operator()(std::int64_t i, std::int64_t j) const { return i == j ? 1 : 0; }
};

enum class Call { memory_plan, fill, redistribute, add_gram, factorize, solve, cholesky_distributed };

template <Call call, class Exec>
void make(const Exec& exec) {
  const Kokkos::View<double**, Kokkos::HostSpace> view("view", 1, 1);
  tessera::ShardedMatrix<double, Kokkos::HostSpace> matrix(tessera::ProcessGrid(MPI_COMM_WORLD), 1, 1);
  if constexpr (call == Call::memory_plan) tessera::memory_plan<double, Exec>(1, 1);
  if constexpr (call == Call::fill) matrix.fill(exec, Identity{});
  if constexpr (call == Call::redistribute) tessera::redistribute(exec, view, matrix, 0);
  if constexpr (call == Call::add_gram) tessera::add_gram(exec, tessera::Gram{view}, matrix);
  if constexpr (call == Call::factorize) tessera::factorize(exec, std::move(matrix));
  if constexpr (call == Call::solve) tessera::factorize(Known{}, std::move(matrix)).solve(exec, view);
  if constexpr (call == Call::cholesky_distributed) tessera::cholesky_distributed(exec, MPI_COMM_WORLD, view, view);
}

}  // namespace

int main() {
#ifdef TESSERA_CALL
  make<Call::TESSERA_CALL>(Unknown{});
#else
  const Known known;
  make<Call::memory_plan>(known);
  make<Call::fill>(known);
  make<Call::redistribute>(known);
  make<Call::add_gram>(known);
  make<Call::factorize>(known);
  make<Call::solve>(known);
  make<Call::cholesky_distributed>(known);
#endif
}
