// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

// The one list of spaces that the library is compiled for. TESSERA_FOR_EACH_EXEC(M) expands to M(Exec) for each
// execution space that this Kokkos has and Tessera has a kernels::Backend for; TESSERA_FOR_EACH_MEMORY_SPACE(M) to
// M(MemorySpace) for each of their memory spaces.

#ifdef KOKKOS_ENABLE_SERIAL
#define TESSERA_WITH_SERIAL(M) M(Kokkos::Serial)
#else
#define TESSERA_WITH_SERIAL(M)
#endif
#ifdef KOKKOS_ENABLE_OPENMP
#define TESSERA_WITH_OPENMP(M) M(Kokkos::OpenMP)
#else
#define TESSERA_WITH_OPENMP(M)
#endif
#ifdef KOKKOS_ENABLE_THREADS
#define TESSERA_WITH_THREADS(M) M(Kokkos::Threads)
#else
#define TESSERA_WITH_THREADS(M)
#endif
#ifdef KOKKOS_ENABLE_CUDA
#define TESSERA_WITH_CUDA(M) M(Kokkos::Cuda)
#define TESSERA_WITH_CUDA_SPACE(M) M(Kokkos::CudaSpace)
#else
#define TESSERA_WITH_CUDA(M)
#define TESSERA_WITH_CUDA_SPACE(M)
#endif

#define TESSERA_FOR_EACH_HOST_EXEC(M) TESSERA_WITH_SERIAL(M) TESSERA_WITH_OPENMP(M) TESSERA_WITH_THREADS(M)
#define TESSERA_FOR_EACH_EXEC(M) TESSERA_FOR_EACH_HOST_EXEC(M) TESSERA_WITH_CUDA(M)
#define TESSERA_FOR_EACH_MEMORY_SPACE(M) M(Kokkos::HostSpace) TESSERA_WITH_CUDA_SPACE(M)

namespace tessera::detail {

template <class Exec>
inline constexpr bool has_backend = false;

#define TESSERA_HAS_BACKEND(Exec) \
  template <>                     \
  inline constexpr bool has_backend<Exec> = true;
TESSERA_FOR_EACH_EXEC(TESSERA_HAS_BACKEND)
#undef TESSERA_HAS_BACKEND

/// Fails to compile for an execution space that the library is not compiled for, instead of failing to link.
template <class Exec>
constexpr bool require_backend() {
  static_assert(has_backend<Exec>,
                "Tessera has no backend for this execution space: core/README.md says how to add one");
  return true;
}

}  // namespace tessera::detail
