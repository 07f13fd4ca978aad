// SPDX-License-Identifier: BSD-3-Clause
// What an application writes: every rank holds some rows of A, and every rank gets x.
#include <tessera/tessera.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  Kokkos::initialize(argc, argv);
  int rank, ranks;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);

  double residual = 0;
  {
    const int n = 100, first = n * rank / ranks, rows = n * (rank + 1) / ranks - first;
    Kokkos::View<double**, Kokkos::HostSpace> a("a", rows, n);
    Kokkos::View<double*, Kokkos::HostSpace> b("b", n);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < n; ++j) a(i, j) = 1. / (1 + first + i + j) + (first + i == j);
    for (int j = 0; j < n; ++j) b(j) = std::cos(j);

    auto [x, info] = tessera::cholesky_distributed(MPI_COMM_WORLD, a, b, {.local_tile_size = 16});

    for (int i = 0; i < rows; ++i) {
      double r = -b(first + i);
      for (int j = 0; j < n; ++j) r += a(i, j) * x(j);
      residual = std::max(residual, std::abs(r));
    }
    std::printf("Tessera %s, rank %d of %d: residual %.1e, tiles of %d\n", tessera::version(), rank, ranks, residual,
                static_cast<int>(info.tile_size));
  }
  Kokkos::finalize();
  MPI_Finalize();
  return residual < 1e-12 && std::string_view(tessera::version()) == TESSERA_VERSION ? 0 : 1;
}
