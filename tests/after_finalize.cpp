// SPDX-License-Identifier: BSD-3-Clause
// Calls before MPI and Kokkos are there and after they have gone, and objects that are still there then.
// Usage: after_finalize mpi|kokkos: which of them goes first. Exits with the number of faults on this rank.

#include <tessera/tessera.hpp>

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace {

using Exec = Kokkos::DefaultExecutionSpace;

int faults = 0;

template <class Call>
void expect_misuse(const char* what, const Call& call) {
  try {
    call();
    std::fprintf(stderr, "%s: nothing was thrown\n", what);
  } catch (const std::invalid_argument&) {
    return;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: \"%s\" was thrown, no std::invalid_argument\n", what, e.what());
  }
  ++faults;
}

struct NeverAsked {
  template <class Rows>
  void to_dense(const Exec&, std::int64_t, const Rows&) const {
    ++faults;
  }
};

/// Views without memory: all that can be had without Kokkos.
void expect_no_solve(const char* when) {
  const Kokkos::View<double**> a;
  const Kokkos::View<double*> b;
  expect_misuse(when, [&] { tessera::cholesky_distributed(MPI_COMM_WORLD, NeverAsked{}, b); });
  expect_misuse(when, [&] { tessera::cholesky_distributed(MPI_COMM_WORLD, tessera::Gram{a}, b); });
  expect_misuse(when, [&] { tessera::cholesky_distributed(MPI_COMM_WORLD, a, b); });
  expect_misuse(when, [&] { tessera::CholeskyDistributed{.comm = MPI_COMM_WORLD}(a, b); });
}

/// A plan needs neither of them.
void expect_plan(const char* when) {
  if (tessera::memory_plan<double>(1000, 4).peak() >= 1000000) return;
  std::fprintf(stderr, "memory_plan %s\n", when);
  ++faults;
}

struct Identity {
  KOKKOS_FUNCTION double operator()(std::int64_t i, std::int64_t j) const { return i == j ? 1 : 0; }
};

constexpr std::int64_t n = 20;

tessera::ShardedMatrix<double> identity(const tessera::ProcessGrid& grid) {
  tessera::ShardedMatrix<double> a(grid, n, 4);
  a.fill(Exec{}, Identity{});
  Exec{}.fence();
  return a;
}

/// What is left of a user's objects.
struct Left {
  tessera::ProcessGrid grid{MPI_COMM_WORLD};
  tessera::ShardedMatrix<double> matrix = identity(grid);
  tessera::ShardedMatrix<double> unused = identity(grid);
  std::optional<tessera::CholeskyFactor<double>> factor = tessera::factorize(Exec{}, identity(grid));
  Kokkos::View<double**> rows{"rows", static_cast<std::size_t>(n), static_cast<std::size_t>(n)};
  Kokkos::View<double*> b{"b", static_cast<std::size_t>(n)};
};

void expect_no_pieces(const Left& left, tessera::ShardedMatrix<double>& matrix) {
  expect_misuse("ShardedMatrix without MPI", [&] { const tessera::ShardedMatrix<double> a(left.grid, n, 4); });
  expect_misuse("redistribute without MPI", [&] { tessera::redistribute(Exec{}, left.rows, matrix, 0); });
  expect_misuse("factorize without MPI", [&] { tessera::factorize(Exec{}, std::move(matrix)); });
  expect_misuse("solve without MPI", [&] { left.factor->solve(Exec{}, left.b); });
}

}  // namespace

int main(int argc, char** argv) {
  const bool mpi_first = argc > 1 && std::strcmp(argv[1], "mpi") == 0;
  expect_no_solve("a call before MPI_Init");
  expect_plan("before MPI_Init");
  expect_misuse("ProcessGrid before MPI_Init", [] { const tessera::ProcessGrid grid(MPI_COMM_WORLD); });

  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  expect_no_solve("a call before Kokkos::initialize");

  Kokkos::initialize(argc, argv);
  if (mpi_first) {
    Left left;
    MPI_Finalize();
    expect_no_solve("a call after MPI_Finalize");
    expect_misuse("ProcessGrid after MPI_Finalize", [] { const tessera::ProcessGrid grid(MPI_COMM_WORLD); });
    expect_no_pieces(left, left.unused);
    if (!(left.factor->log_determinant() == 0)) {
      std::fprintf(stderr, "log_determinant after MPI_Finalize\n");
      ++faults;
    }
  } else {
    const tessera::ProcessGrid grid(MPI_COMM_WORLD);
    Kokkos::finalize();
    expect_no_solve("a call after Kokkos::finalize");
    expect_misuse("ShardedMatrix without Kokkos", [&] { const tessera::ShardedMatrix<double> a(grid, n, 4); });
    MPI_Finalize();
    expect_no_solve("a call after both");
  }
  if (mpi_first) Kokkos::finalize();
  expect_plan("after both");
  return faults;
}
