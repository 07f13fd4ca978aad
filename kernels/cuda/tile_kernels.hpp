#pragma once

#include "kernels/potrf.hpp"
#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// The kernels that the chain of panels consists of, for a device: in CUDA itself, as a tile does not fit into the 48
// KiB of scratch memory that Kokkos gives to a team.
namespace tessera::kernels {

/// On the host Kokkos and BLAS do.
template <class Exec>
struct TileKernels {
  static constexpr bool exist = false;
};

#ifdef KOKKOS_ENABLE_CUDA
template <>
struct TileKernels<Kokkos::Cuda> {
  static constexpr bool exist = true;

  /// What a multiprocessor's shared memory takes, and the most that the functions below do.
  template <class T>
  static constexpr std::int64_t columns = sizeof(T) > 8 ? 64 : 128;

  /// As kernels::potrf.
  template <class T>
  static void potrf(const Kokkos::Cuda& exec, const MatrixView<T, Kokkos::CudaSpace>& a, std::int64_t offset,
                    const FailingMinor<Kokkos::Cuda>& failing);

  /// B = B L^-H, by substitution.
  template <class T>
  static void trsm_right(const Kokkos::Cuda& exec, const MatrixView<const T, Kokkos::CudaSpace>& l,
                         const MatrixView<T, Kokkos::CudaSpace>& b);
};
#endif

}  // namespace tessera::kernels
