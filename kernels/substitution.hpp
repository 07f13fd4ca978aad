#pragma once

#include "kernels/blas.hpp"
#include "tessera/matrix_view.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

// L y = b in one launch, for a device, which is slow at one small kernel after the other.
namespace tessera::kernels {

/// Rows and columns of the blocks on the diagonal of L that are solved for by their inverses.
template <class T>
inline constexpr int substitution_block = sizeof(T) > 8 ? 32 : 64;
template <class T>
constexpr std::int64_t substitution_blocks(std::int64_t rows) {
  return (rows + substitution_block<T> - 1) / substitution_block<T>;
}
/// Elements of the inverses of the blocks on the diagonal of so many rows of L.
template <class T>
constexpr std::int64_t inverses_size(std::int64_t rows) {
  return substitution_blocks<T>(rows) * substitution_block<T> * substitution_block<T>;
}

/// A lower triangular matrix that one process has in slabs, and the inverses of the blocks on its diagonal.
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
  const T* inverses;  // of each leaf as invert_blocks makes them, all in as much memory as the largest one's
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
#endif

}  // namespace tessera::kernels
