#pragma once

#include "kernels/slabs.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::kernels {

/// What Backend's Cholesky is: all of a factorisation in one launch. Its teams take blocks of L in the order of their
/// columns, and tell each other by numbers in memory which are final; what is to do for each column of blocks on the
/// diagonal stays in one multiprocessor. No team waits for one that has not begun, so that any number of them, even
/// one, comes to the end.
struct CudaCholesky {
  /// Slabs have a multiple of so many columns, or there is one.
  template <class T>
  static constexpr std::int64_t block = sizeof(T) > 8 ? 32 : 64;

  static std::int64_t workspace_bytes(std::int64_t n);

  /// A = L L^H in place, see kernels::potrf; above the diagonal nothing is written. `teams`: the most; 0 is as many as
  /// there are multiprocessors.
  template <class T>
  static void run(const Kokkos::Cuda& exec, const Slabs<T>& a, std::int64_t* failing, void* workspace, int teams = 0);
};

}  // namespace tessera::kernels
