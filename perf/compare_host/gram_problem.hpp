#pragma once

#include "perf/compare_host/contenders.hpp"
#include "perf/random.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

// The Jacobian of the comparisons, and whether a solution is one.
namespace tessera::perf {

/// J(s, k)
struct RandomJacobian {
  std::int64_t parameters;
  KOKKOS_FUNCTION double operator()(std::int64_t s, std::int64_t k) const {
    return uniform(5, s * parameters + k) - 0.5;
  }
};

using Samples = Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::HostSpace>;

/// Samples [begin, end) of J.
inline Samples make_samples(std::int64_t begin, std::int64_t end, std::int64_t parameters) {
  const Samples j(Kokkos::view_alloc("tessera::compare::jacobian", Kokkos::WithoutInitializing),
                  static_cast<std::size_t>(end - begin), static_cast<std::size_t>(parameters));
  const RandomJacobian f{parameters};
  for (std::int64_t s = begin; s < end; ++s) {
    for (std::int64_t k = 0; k < parameters; ++k) j(s - begin, k) = f(s, k);
  }
  return j;
}

/// ||b - (J J^T / parameters + I) x|| / ||b||, for an A whose condition is about 10; collective.
inline double gram_error(const GramProblem& gram, const Problem<double>::Matrix& x) {
  const std::int64_t n = gram.problem.n;
  const std::int64_t p = gram.parameters;
  int rank = 0;
  int ranks = 0;
  MPI_Comm_rank(gram.problem.comm, &rank);
  MPI_Comm_size(gram.problem.comm, &ranks);
  const std::int64_t begin = n * rank / ranks;
  const std::int64_t end = n * (rank + 1) / ranks;
  const Samples j = make_samples(begin, end, p);
  std::vector<double> product(static_cast<std::size_t>(p));  // J^T x
  for (std::int64_t s = begin; s < end; ++s) {
    for (std::int64_t k = 0; k < p; ++k) product[static_cast<std::size_t>(k)] += j(s - begin, k) * x(s, 0);
  }
  MPI_Allreduce(MPI_IN_PLACE, product.data(), static_cast<int>(p), MPI_DOUBLE, MPI_SUM, gram.problem.comm);
  const auto b = gram.problem.make_b(1);
  double sums[2] = {0, 0};
  for (std::int64_t s = begin; s < end; ++s) {
    double r = b(s, 0) - x(s, 0);
    for (std::int64_t k = 0; k < p; ++k) {
      r -= j(s - begin, k) * product[static_cast<std::size_t>(k)] / static_cast<double>(p);
    }
    sums[0] += r * r;
    sums[1] += b(s, 0) * b(s, 0);
  }
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, gram.problem.comm);
  return std::sqrt(sums[0] / sums[1]);
}

}  // namespace tessera::perf
