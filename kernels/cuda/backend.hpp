// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/cholesky.hpp"
#include "kernels/cuda/cublas.hpp"
#include "kernels/cuda/streams.hpp"
#include "kernels/cuda/substitution.hpp"
#include "kernels/cuda/tile_kernels.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tessera::kernels {

template <class Exec>
struct Backend;

template <>
struct Backend<Kokkos::Cuda> {
  static_assert(std::is_same_v<Kokkos::Cuda::memory_space, Kokkos::CudaSpace>,
                "Tessera has no backend for a Kokkos whose CUDA works in unified memory: the host would touch what "
                "kernels still work on");

  static constexpr bool is_host = false;
  using Blas = Cublas;
  using Event = CudaEvent;
  using Instance = CudaInstance;
  using StagingSpace = Kokkos::CudaHostPinnedSpace;
  using TileKernels = CudaTileKernels;
  using Cholesky = CudaCholesky;
  using Substitution = CudaSubstitution;

  static std::int64_t memory_bytes(const Kokkos::Cuda& exec) {
    return static_cast<std::int64_t>(exec.cuda_device_prop().totalGlobalMem);
  }
  static std::int64_t device_number(const Kokkos::Cuda& exec) {
    std::int64_t halves[2];
    static_assert(sizeof halves == sizeof exec.cuda_device_prop().uuid);
    std::memcpy(halves, &exec.cuda_device_prop().uuid, sizeof halves);
    return halves[0] ^ halves[1];
  }
};

}  // namespace tessera::kernels
