// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/slabs.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <limits>

namespace tessera::kernels {

/// A matrix to factor, and what a factorisation in one launch gives beside L.
template <class T>
struct CholeskyInOneLaunch {
  Slabs<T> a;
  std::int64_t leaf_width;  // of L, as SlabsOfL has it
  T* inverses;              // as SlabsOfL has them
  std::int64_t* failing;    // the order of the first leading minor that is not positive definite, or no_failure
  double* logarithms;       // of the squared diagonal: a sum for each block
};

/// What Backend's Cholesky is: all of a factorisation in one launch. Teams, one on each multiprocessor, take blocks of
/// L in the order of their columns, left-looking, and tell each other by numbers in memory which are final; the
/// diagonal stays with one of them. None waits for what no team has taken, so that any number of teams comes to the
/// end, be it one, or be the others late because the device has other work.
struct CudaCholesky {
  /// Slabs and leaves have a multiple of so many columns, or there is but one. Columns of slabs are a multiple of 16
  /// bytes apart.
  template <class T>
  static constexpr std::int64_t block = sizeof(T) > 8 ? 32 : 64;

  /// Whether a multiprocessor of this device has the shared memory for it.
  template <class T>
  static bool fits(const Kokkos::Cuda& exec);

  template <class T>
  static std::int64_t workspace_bytes(std::int64_t n);

  /// A = L L^H, as kernels::potrf has it; above the diagonal nothing is read or written.
  template <class T>
  static void run(const Kokkos::Cuda& exec, const CholeskyInOneLaunch<T>& factor, char* workspace,
                  int most_teams = std::numeric_limits<int>::max());
};

}  // namespace tessera::kernels
