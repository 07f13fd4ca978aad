// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/problem.hpp"
#include "perf/random.hpp"

#include <mpi.h>
#include <Kokkos_Core.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

// What a natural-gradient step does with a Jacobian J of random numbers: A = J J^T / parameters + I, and one solve.
namespace tessera::perf {

/// J(s, k)
struct RandomJacobian {
  std::int64_t parameters;
  KOKKOS_FUNCTION double operator()(std::int64_t s, std::int64_t k) const {
    return uniform(5, s * parameters + k) - 0.5;
  }
};

template <class View>
struct FillSamples {
  View samples;
  RandomJacobian j;
  std::int64_t begin;
  KOKKOS_FUNCTION void operator()(std::int64_t s, std::int64_t k) const { samples(s, k) = j(begin + s, k); }
};

/// product[k] = sum over s of J(s, k) x(s)
template <class Vector, class Matrix>
struct MultiplyByAdjoint {
  RandomJacobian j;
  std::int64_t begin;
  std::int64_t end;
  Matrix x;
  Vector product;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const {
    double sum = 0;
    for (std::int64_t s = begin; s < end; ++s) sum += j(s, k) * x(s, 0);
    product(k) = sum;
  }
};

/// Adds to sums the square of b - (J product / parameters + x) in row s.
template <class Vector, class Matrix>
struct SquareOfResidual {
  RandomJacobian j;
  Vector product;
  Matrix b, x;
  KOKKOS_FUNCTION void operator()(std::int64_t s, double& sum) const {
    double r = 0;
    for (std::int64_t k = 0; k < j.parameters; ++k) r += j(s, k) * product(k);
    r = b(s, 0) - r / static_cast<double>(j.parameters) - x(s, 0);
    sum += r * r;
  }
};

template <class Matrix>
struct SquareOf {
  Matrix b;
  KOKKOS_FUNCTION void operator()(std::int64_t s, double& sum) const { sum += b(s, 0) * b(s, 0); }
};

template <class ExecutionSpace = Kokkos::DefaultHostExecutionSpace>
struct GramProblem {
  using Exec = ExecutionSpace;
  using Samples = Kokkos::View<double**, typename Exec::memory_space>;
  using Matrix = typename Problem<double, Exec>::Matrix;

  Problem<double, Exec> problem;
  std::int64_t parameters;

  double assembly_flops() const {  ///< of one half of A
    return static_cast<double>(problem.n) * static_cast<double>(problem.n) * static_cast<double>(parameters);
  }
  double all_flops() const { return assembly_flops() + problem.factor_flops() + problem.solve_flops(1); }

  /// The samples of this rank, as many on each.
  std::int64_t begin(int more = 0) const {
    int rank = 0;
    int ranks = 0;
    MPI_Comm_rank(problem.comm, &rank);
    MPI_Comm_size(problem.comm, &ranks);
    return problem.n * (rank + more) / ranks;
  }
  std::int64_t end() const { return begin(1); }

  Samples make_samples(std::int64_t first, std::int64_t last) const {
    const Samples j(Kokkos::view_alloc("tessera::compare::jacobian", Kokkos::WithoutInitializing),
                    static_cast<std::size_t>(last - first), static_cast<std::size_t>(parameters));
    problem.ask_for_pages(j);
    using Policy = Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2>, Kokkos::IndexType<std::int64_t>>;
    Kokkos::parallel_for("tessera::compare::fill", Policy(problem.exec, {0, 0}, {last - first, parameters}),
                         FillSamples<Samples>{j, {parameters}, first});
    problem.exec.fence();
    return j;
  }

  /// ||b - A x|| / ||b||, for an A whose condition is below 10; collective.
  double error(const Matrix& x) const {
    using Range = Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>;
    using Vector = Kokkos::View<double*, typename Exec::memory_space>;
    const RandomJacobian j{parameters};
    const Vector product("tessera::compare::product", static_cast<std::size_t>(parameters));
    Kokkos::parallel_for("tessera::compare::adjoint", Range(problem.exec, 0, parameters),
                         MultiplyByAdjoint<Vector, Matrix>{j, begin(), end(), x, product});
    problem.exec.fence();
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), product);
    MPI_Allreduce(MPI_IN_PLACE, host.data(), static_cast<int>(parameters), MPI_DOUBLE, MPI_SUM, problem.comm);
    Kokkos::deep_copy(product, host);
    const Matrix b = problem.make_b(1);
    double sums[2] = {0, 0};
    Kokkos::parallel_reduce("tessera::compare::residual", Range(problem.exec, begin(), end()),
                            SquareOfResidual<Vector, Matrix>{j, product, b, x}, sums[0]);
    Kokkos::parallel_reduce("tessera::compare::norm", Range(problem.exec, begin(), end()), SquareOf<Matrix>{b},
                            sums[1]);
    problem.exec.fence();
    MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, problem.comm);
    return std::sqrt(sums[0] / sums[1]);
  }
};

}  // namespace tessera::perf
