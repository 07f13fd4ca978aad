// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/op.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

namespace tessera::kernels {

/// What Backend's Substitution is, after J. Hogg, "A fast dense triangular solve in CUDA", SIAM J. Sci. Comput. 35
/// (2013): one small kernel after the other is slow on a device.
struct CudaSubstitution {
  /// Right-hand sides for which L is read once.
  template <class T>
  static constexpr std::int64_t columns_at_once = std::is_same_v<T, double> ? 16 : 4;

  /// Bytes that a call works with, for so many leaves, in which each slab counts as a whole one.
  template <class T>
  static std::int64_t workspace_bytes(std::int64_t leaf_width, std::int64_t leaves, std::int64_t columns);

  /// B = L^-1 B, or L^-H B.
  template <class T>
  static void run(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                  char* workspace);
};

}  // namespace tessera::kernels
