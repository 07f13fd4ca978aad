// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tessera::kernels {

inline void check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(call) + " failed: " + cudaGetErrorString(status));
}

/// A CUDA kernel with so many bytes of shared memory, seen by Kokkos's tools like one of Kokkos's own.
template <int threads, int bytes, auto kernel, class... Arguments>
void launch(const char* label, const Kokkos::Cuda& exec, dim3 teams, const Arguments&... arguments) {
  [[maybe_unused]] static const bool allowed = [] {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), "cudaFuncSetAttribute");
    return true;
  }();
  std::uint64_t id = 0;
  Kokkos::Profiling::beginParallelFor(label, Kokkos::Tools::Experimental::device_id(exec), &id);
  kernel<<<teams, threads, bytes, exec.cuda_stream()>>>(arguments...);
  const cudaError_t status = cudaGetLastError();
  Kokkos::Profiling::endParallelFor(id);
  check(status, label);
}

}  // namespace tessera::kernels
