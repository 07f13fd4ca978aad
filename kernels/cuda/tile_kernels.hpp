// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::kernels {

/// TileKernels of Backend<Kokkos::Cuda>; panels are a chain of these kernels. They are plain CUDA, as a tile does not
/// fit into the 48 KiB of scratch memory that Kokkos gives to a team.
struct CudaTileKernels {
  /// What a multiprocessor's shared memory takes, and the most that the functions below do.
  template <class T>
  static constexpr std::int64_t columns = sizeof(T) > 8 ? 64 : 128;

  /// As kernels::potrf.
  template <class T>
  static void potrf(const Kokkos::Cuda& exec, const MatrixView<T, Kokkos::CudaSpace>& a, std::int64_t offset,
                    const Kokkos::View<std::int64_t, Kokkos::CudaSpace>& failing);

  /// B = B L^-H, by substitution.
  template <class T>
  static void trsm_right(const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                         const MatrixView<T, Kokkos::CudaSpace>& b);

  /// B = -B L^-1, by substitution.
  template <class T>
  static void negative_trsm_right(const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                                  const MatrixView<T, Kokkos::CudaSpace>& b);
};

}  // namespace tessera::kernels
