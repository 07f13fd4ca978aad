// SPDX-License-Identifier: BSD-3-Clause
// A dense matrix in a Tpetra::MultiVector, on any map: solved by Tessera, and by Belos with a factor of Tessera's as
// preconditioner.
//
//   mpirun -n 2 trilinos [n [most preconditioned iterations]]

#include "operators.hpp"

#include <BelosLinearProblem.hpp>
#include <BelosPseudoBlockCGSolMgr.hpp>
#include <BelosTpetraAdapter.hpp>
#include <Teuchos_ParameterList.hpp>
#include <Tpetra_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace trilinos_example {

using Comm = Teuchos::RCP<const Teuchos::Comm<int>>;
using Global = Map::global_ordinal_type;

constexpr double nugget = 1e-4;

/// Rows in blocks of 1, 2, 3, ... parts, dealt out one by one, or dealt out at random.
enum class Deal { blocks, round_robin, random };
constexpr const char* names[] = {"contiguous, uneven", "round robin", "random"};

Teuchos::RCP<const Map> make_map(const Comm& comm, Global n, Deal deal) {
  const Global ranks = comm->getSize(), rank = comm->getRank();
  const Global parts = ranks * (ranks + 1) / 2;
  if (deal == Deal::blocks) {
    const auto begin = [&](Global r) { return n * (r * (r + 1) / 2) / parts; };
    return Teuchos::rcp(new Map(static_cast<Tpetra::global_size_t>(n),
                                static_cast<std::size_t>(begin(rank + 1) - begin(rank)), 0, comm));
  }
  std::vector<Global> order(static_cast<std::size_t>(n));
  for (Global i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
  if (deal == Deal::random) std::shuffle(order.begin(), order.end(), std::mt19937(7));
  std::vector<Global> mine;
  for (Global k = rank; k < n; k += ranks) mine.push_back(order[static_cast<std::size_t>(k)]);
  return Teuchos::rcp(new Map(static_cast<Tpetra::global_size_t>(n),
                              Teuchos::ArrayView<const Global>(mine.data(), static_cast<int>(mine.size())), 0, comm));
}

/// The covariance of n places on a line, whose neighbours are nearly the same: ill-conditioned, but for the nugget.
MultiVector covariance(const Teuchos::RCP<const Map>& map) {
  const auto n = static_cast<std::int64_t>(map->getGlobalNumElements());
  MultiVector a(map, static_cast<std::size_t>(n));
  const auto rows = a.getLocalViewHost(Tpetra::Access::OverwriteAll);
  const auto ids = map->getMyGlobalIndices();
  for (std::size_t k = 0; k < rows.extent(0); ++k) {
    for (std::int64_t j = 0; j < n; ++j) {
      const double distance = 10. * static_cast<double>(ids(k) - j) / static_cast<double>(n);
      rows(k, j) = std::exp(-distance * distance / 2) + (ids(k) == j ? nugget : 0);
    }
  }
  return a;
}

/// The largest ||b - A x|| / ||b|| of the right-hand sides.
double residual(const Dense& a, const MultiVector& x, const MultiVector& b) {
  std::vector<double> norms(b.getNumVectors()), scales(b.getNumVectors());
  const auto view = [](std::vector<double>& v) {
    return Teuchos::ArrayView<double>(v.data(), static_cast<int>(v.size()));
  };
  MultiVector r(b, Teuchos::Copy);
  a.apply(x, r, Teuchos::NO_TRANS, -1, 1);
  r.norm2(view(norms));
  b.norm2(view(scales));
  double most = 0;
  for (std::size_t c = 0; c < norms.size(); ++c) most = std::max(most, norms[c] / scales[c]);
  return most;
}

/// What Belos's CG does with a preconditioner, or without.
struct Iterated {
  int iterations;
  double residual;
};

Iterated iterate(const Dense& a, const MultiVector& b, const Operator* preconditioner) {
  const auto x = Teuchos::rcp(new MultiVector(b.getMap(), b.getNumVectors()));
  const auto problem = Teuchos::rcp(new Belos::LinearProblem<double, MultiVector, Operator>(
      Teuchos::rcpFromRef(static_cast<const Operator&>(a)), x, Teuchos::rcpFromRef(b)));
  if (preconditioner != nullptr) problem->setLeftPrec(Teuchos::rcpFromRef(*preconditioner));
  problem->setProblem();
  const auto parameters = Teuchos::rcp(new Teuchos::ParameterList);
  parameters->set("Convergence Tolerance", 1e-10);
  parameters->set("Maximum Iterations", 10000);
  Belos::PseudoBlockCGSolMgr<double, MultiVector, Operator> solver(problem, parameters);
  const bool converged = solver.solve() == Belos::Converged;
  return {solver.getNumIters(), converged ? residual(a, *x, b) : INFINITY};
}

/// Whether all that is to hold on one map does; rank 0 says how far.
bool solve_on(const Comm& comm, Global n, Deal deal, int most_iterations) {
  const auto map = make_map(comm, n, deal);
  const MultiVector a = covariance(map);
  const Dense matrix(a);
  MultiVector b(map, 2);
  b.randomize();

  const auto [x, info] = tessera::cholesky_distributed(Exec(), MPI_COMM_WORLD, rows_of(a), by_rows(b));
  MultiVector solution(map, 2);
  Kokkos::deep_copy(solution.getLocalViewDevice(Tpetra::Access::OverwriteAll), x.rows);
  const double direct = residual(matrix, solution, b);

  const Iterated plain = iterate(matrix, b, nullptr);
  const Factor factor(MPI_COMM_WORLD, a, 9 * nugget);
  const Iterated preconditioned = iterate(matrix, b, &factor);

  const bool good = direct < 1e-9 && plain.residual < 1e-8 && preconditioned.residual < 1e-8 &&
                    preconditioned.iterations <= most_iterations && 2 * preconditioned.iterations < plain.iterations;
  if (comm->getRank() == 0) {
    std::printf("%-20s residual %.1e, CG %d iterations (%.1e), preconditioned %d (%.1e)  %s\n",
                names[static_cast<int>(deal)], direct, plain.iterations, plain.residual, preconditioned.iterations,
                preconditioned.residual, good ? "ok" : "FAILED");
  }
  return good;
}

}  // namespace trilinos_example

int main(int argc, char** argv) {
  using namespace trilinos_example;
  const Tpetra::ScopeGuard scope(&argc, &argv);  // MPI and Kokkos
  const auto comm = Tpetra::getDefaultComm();
  bool good = true;
  try {
    const Global n = argc > 1 ? std::stoll(argv[1]) : 500;
    const int most_iterations = argc > 2 ? std::stoi(argv[2]) : 40;
    for (const Deal deal : {Deal::blocks, Deal::round_robin, Deal::random}) {
      good = solve_on(comm, n, deal, most_iterations) && good;
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "rank %d: %s\n", comm->getRank(), e.what());
    good = false;
  }
  return good ? 0 : 1;
}
