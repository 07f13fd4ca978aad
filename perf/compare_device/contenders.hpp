// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_device/cublas.hpp"
#include "perf/compare_device/cusolver.hpp"
#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/problem.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

// What Tessera is compared with on a GPU.
namespace tessera::perf {

template <class T>
using System = Problem<T, Kokkos::Cuda>;

/// gemm, which bounds everything else: C -= A B of an order where its rate no longer grows, on each rank's GPU at once,
/// their rates together.
template <class T>
Contender device_gemm_contender(const System<T>& system) {
  struct State {
    explicit State(const Kokkos::Cuda& exec) : blas(exec) {}
    CuBlas blas;
    typename System<T>::Matrix a, b, c;
  };
  const auto state = std::make_shared<State>(system.exec);
  constexpr int n = 16384;
  int ranks = 0;
  MPI_Comm_size(system.comm, &ranks);
  Contender contender;
  contender.name = "gemm";
  contender.detail = "square, n = " + std::to_string(n);
  contender.prepare = [=] {
    System<T> square = system;
    square.n = n;
    state->a = square.make_b(n);
    state->b = square.make_b(n);
    state->c = square.make_b(n);
  };
  contender.clear = [=] { state->a = state->b = state->c = {}; };
  const double flops = 2 * System<T>::flop_factor * n * n * n * ranks;
  contender.steps.push_back({"gemm",
                             flops,
                             {},
                             [=] {
                               state->blas.subtract_product(n, state->a.data(), state->b.data(), state->c.data());
                               system.exec.fence();
                             },
                             {}});
  return contender;
}

/// Appends the solves that are asked for: solve(columns) in place of state->x.
template <class T, class State, class Solve>
void add_solves(Contender& contender, const System<T>& system, const std::shared_ptr<State>& state,
                const Solve& solve) {
  for (const std::int64_t columns : system.nrhs) {
    contender.steps.push_back({solve_name(columns), system.solve_flops(columns),
                               [=] { state->x = system.make_b(columns); },
                               [=] {
                                 solve(columns);
                                 system.exec.fence();
                               },
                               [=] { return system.error(state->x); }});
  }
}

/// cuSOLVER's Xpotrf, Xpotrs and potri.
template <class T>
Contender cusolver_contender(const System<T>& system) {
  struct State {
    explicit State(const Kokkos::Cuda& exec) : solver(exec) {}
    CuSolver solver;
    typename System<T>::Matrix a, x;
  };
  const auto state = std::make_shared<State>(system.exec);
  Contender contender;
  contender.name = "cuSOLVER";
  contender.detail = "Xpotrf, Xpotrs, potri";
  contender.prepare = [=] {
    state->a = system.make_part(system.n, system.n, FromIndex{}, FromIndex{});
    state->solver.reserve(system.n, state->a.data());
  };
  contender.clear = [=] {
    state->a = state->x = {};
    state->solver.clear();
  };
  contender.steps.push_back({"factorize",
                             system.factor_flops(),
                             {},
                             [=] {
                               state->solver.potrf(system.n, state->a.data());
                               system.exec.fence();
                             },
                             {}});
  add_solves(contender, system, state,
             [=](std::int64_t columns) { state->solver.potrs(system.n, columns, state->a.data(), state->x.data()); });
  if (system.n * system.n > std::numeric_limits<std::int32_t>::max()) return contender;  // potri refuses it
  contender.steps.push_back({"invert",
                             system.invert_flops(),
                             {},
                             [=] { state->solver.potri(static_cast<int>(system.n), state->a.data()); },
                             {}});
  return contender;
}

/// Solves with the factor of cuSOLVER's Xpotrf by cuBLAS's trsm, which for some numbers of columns is faster than
/// Xpotrs.
template <class T>
Contender trsm_contender(const System<T>& system) {
  struct State {
    explicit State(const Kokkos::Cuda& exec) : solver(exec), blas(exec) {}
    CuSolver solver;
    CuBlas blas;
    typename System<T>::Matrix l, x;
  };
  const auto state = std::make_shared<State>(system.exec);
  Contender contender;
  contender.name = "cuBLAS";
  contender.detail = "trsm for L, trsm for L^H";
  contender.prepare = [=] {
    state->l = system.make_part(system.n, system.n, FromIndex{}, FromIndex{});
    state->solver.reserve(system.n, state->l.data());
    state->solver.potrf(system.n, state->l.data());
    system.exec.fence();
    state->solver.clear();
  };
  contender.clear = [=] { state->l = state->x = {}; };
  add_solves(contender, system, state, [=](std::int64_t columns) {
    state->blas.solve(static_cast<int>(system.n), static_cast<int>(columns), state->l.data(), state->x.data());
  });
  return contender;
}

}  // namespace tessera::perf
