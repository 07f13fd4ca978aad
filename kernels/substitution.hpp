#pragma once

#include "kernels/blas.hpp"
#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// All of L y = b in one launch, for a device and few right-hand sides, where a kernel for each step would take longer
// to start than to run.
namespace tessera::kernels {

/// A lower triangular matrix that one process has in slabs, and the inverses of the leaves on its diagonal.
template <class T>
struct SlabsOfL {
  static constexpr std::int64_t most = 32;
  struct Slab {
    const T* data;  // where row and column are number * slab_width
    std::int64_t leading_dimension;
  };
  std::int64_t n;
  std::int64_t slab_width;
  std::int64_t leaf_width;  // each slab's leaves begin with the slab, and its last one may be smaller
  Slab slabs[most];
  const T* inverses;  // leaf_width^2 numbers after each other, the leading dimension of each being its rows
};

/// On the host BLAS does.
template <class Exec>
struct Substitution {
  static constexpr bool exists = false;
};

#ifdef KOKKOS_ENABLE_CUDA
/// After J. Hogg, "A fast dense triangular solve in CUDA", SIAM J. Sci. Comput. 35 (2013).
template <>
struct Substitution<Kokkos::Cuda> {
  static constexpr bool exists = true;
  static constexpr std::int64_t most_columns = 4;

  /// B = L^-1 B, or L^-H B. `counters`: two numbers for its own use.
  template <class T>
  static void run(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                  int* counters);
};
#endif

}  // namespace tessera::kernels
