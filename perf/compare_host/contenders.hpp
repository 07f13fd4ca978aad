// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/compare_host/contender.hpp"
#include "perf/compare_host/gram_problem.hpp"
#include "perf/compare_host/problem.hpp"

#include <tessera/process_grid.hpp>

#include <cstdint>

namespace tessera::perf {

/// Where gemm's rate no longer grows on a few cores.
inline constexpr int gemm_order = 3000;

/// gemm, which bounds everything else: C -= A B of order gemm_order, on each rank at once, their rates together.
template <class T>
Contender gemm_contender(const Problem<T>& problem);

/// LAPACK on one rank.
template <class T>
Contender lapack_contender(const Problem<T>& problem);

/// ScaLAPACK on a grid, with square blocks.
template <class T>
Contender scalapack_contender(const Problem<T>& problem, GridShape grid, int block);

/// LAPACK with BLAS's dsyrk, on one rank.
Contender lapack_gram_contender(const GramProblem<>& gram);

/// ScaLAPACK with its PBLAS's pdsyrk; J lies block-cyclically beforehand.
Contender scalapack_gram_contender(const GramProblem<>& gram, GridShape grid, int block);

}  // namespace tessera::perf
