#pragma once

#include <Kokkos_Core.hpp>

// The one list of what is compiled into the library: TESSERA_FOR_EACH_EXEC(M) expands to M(Exec) for each execution
// space that this Kokkos has, TESSERA_FOR_EACH_MEMORY_SPACE(M) to M(MemorySpace), and TESSERA_FOR_EACH_SCALAR(M, Where)
// to M(Scalar, Where) for the four scalars.

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

#define TESSERA_FOR_EACH_EXEC(M) \
  TESSERA_WITH_SERIAL(M) TESSERA_WITH_OPENMP(M) TESSERA_WITH_THREADS(M) TESSERA_WITH_CUDA(M)
#define TESSERA_FOR_EACH_MEMORY_SPACE(M) M(Kokkos::HostSpace) TESSERA_WITH_CUDA_SPACE(M)

#define TESSERA_FOR_EACH_SCALAR(M, Where) \
  M(float, Where) M(double, Where) M(Kokkos::complex<float>, Where) M(Kokkos::complex<double>, Where)
