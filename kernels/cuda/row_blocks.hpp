#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

// How the teams of a substitution divide L, and tell each other of the solution.
namespace tessera::kernels {

/// Which part of L a block of its rows, or of its columns, is. Blocks do not go beyond leaves; some are empty.
struct Part {
  std::int64_t begin;
  int size;
  int slab;
};

template <class T>
struct Cut {
  std::int64_t n;
  std::int64_t slab_width;
  std::int64_t leaf_width;
  int leaves_in_slab;
  int parts_in_leaf;

  explicit Cut(const SlabsOfL<T>& l)
      : n(l.n),
        slab_width(l.slab_width),
        leaf_width(l.leaf_width),
        leaves_in_slab(static_cast<int>((slab_width + leaf_width - 1) / leaf_width)),
        parts_in_leaf(static_cast<int>(substitution_blocks<T>(leaf_width))) {}

  int slabs() const { return static_cast<int>((n + slab_width - 1) / slab_width); }
  /// Those up to the last row; empty ones are only between slabs and leaves of other sizes.
  int count() const {
    const std::int64_t rows = n - (slabs() - 1) * slab_width;  // of the last slab
    const std::int64_t leaf = (rows - 1) / leaf_width;
    const std::int64_t parts = substitution_blocks<T>(rows - leaf * leaf_width);
    return ((slabs() - 1) * leaves_in_slab + static_cast<int>(leaf)) * parts_in_leaf + static_cast<int>(parts);
  }

  /// Where one is among all parts; steps are cheaper than divisions.
  struct Position {
    int slab;
    int leaf;  // in the slab
    int part;  // in the leaf
  };
  __device__ Position position(int number) const {
    const int leaf = number / parts_in_leaf;
    return {leaf / leaves_in_slab, leaf % leaves_in_slab, number % parts_in_leaf};
  }
  template <bool backward>
  __device__ void step(Position& at) const {
    if constexpr (backward) {
      if (--at.part >= 0) return;
      at.part = parts_in_leaf - 1;
      if (--at.leaf >= 0) return;
      at.leaf = leaves_in_slab - 1;
      --at.slab;
    } else {
      if (++at.part < parts_in_leaf) return;
      at.part = 0;
      if (++at.leaf < leaves_in_slab) return;
      at.leaf = 0;
      ++at.slab;
    }
  }
  /// Its number among all, in the order of rows.
  __device__ int number(const Position& at) const {
    return (at.slab * leaves_in_slab + at.leaf) * parts_in_leaf + at.part;
  }
  __device__ Part part(const Position& at) const {
    const std::int64_t slab_end = min((at.slab + std::int64_t{1}) * slab_width, n);
    const std::int64_t leaf_begin = min(at.slab * slab_width + at.leaf * leaf_width, slab_end);
    const std::int64_t leaf_end = min(leaf_begin + leaf_width, slab_end);
    const std::int64_t begin = min(leaf_begin + std::int64_t{at.part} * substitution_block<T>, leaf_end);
    return {begin, static_cast<int>(min(begin + substitution_block<T>, leaf_end) - begin), at.slab};
  }
};

template <class T>
__device__ const T* block_of_l(const SlabsOfL<T>& l, const Part& rows, const Part& columns) {
  const auto& slab = l.slabs[columns.slab];
  const std::int64_t origin = std::int64_t{columns.slab} * l.slab_width;
  return slab.data + (rows.begin - origin) + (columns.begin - origin) * slab.leading_dimension;
}

/// What teams tell each other: a number of the solution is there as soon as it is not missing. So they need no flag,
/// nor a fence before it. Missing is what has all ones in front: a NaN that no calculation gives.
template <class T>
struct Told {
  using Real = detail::RealOf<T>;

  __device__ static bool is_missing(double value) { return __double2hiint(value) == -1; }
  __device__ static bool is_missing(float value) { return __float_as_int(value) == -1; }
  __device__ static bool is_missing(const Kokkos::complex<Real>& value) {
    return is_missing(value.real()) || is_missing(value.imag());
  }
  __device__ static Real read(const Real* from) { return *static_cast<const volatile Real*>(from); }
  __device__ static Kokkos::complex<Real> read(const Kokkos::complex<Real>* from) {
    const auto* const parts = reinterpret_cast<const Real*>(from);
    return {read(parts), read(parts + 1)};
  }
  /// `value`, or if that is missing, another NaN. Its bits are changed, as arithmetic may leave those of a NaN.
  __device__ static double present(double value) {
    return is_missing(value) ? __hiloint2double(0x7fffffff, __double2loint(value)) : value;
  }
  __device__ static float present(float value) { return is_missing(value) ? __int_as_float(0x7fffffff) : value; }
  __device__ static void write(Real* to, Real value) { *static_cast<volatile Real*>(to) = present(value); }
  __device__ static void write(Kokkos::complex<Real>* to, const Kokkos::complex<Real>& value) {
    auto* const parts = reinterpret_cast<Real*>(to);
    write(parts, value.real());
    write(parts + 1, value.imag());
  }
};

/// The workspace of a substitution: for every `columns` right-hand sides a number of parts taken, less one, and what is
/// told of each part, after a block of its rows.
template <class T>
struct Room {
  static constexpr std::int64_t alignment = 256;
  std::int64_t groups;  // of right-hand sides
  std::int64_t parts;
  std::int64_t columns;

  std::int64_t counters_bytes() const {
    return (groups * std::int64_t{sizeof(int)} + alignment - 1) / alignment * alignment;
  }
  std::int64_t bytes() const {
    return counters_bytes() + groups * parts * substitution_block<T> * columns * std::int64_t{sizeof(T)};
  }
  int* counters(char* workspace) const { return reinterpret_cast<int*>(workspace); }
  T* told(char* workspace) const { return reinterpret_cast<T*>(workspace + counters_bytes()); }
};

/// Solves for all of B, by as many teams as are at work at a time. `kernel` takes `columns` of B.
template <int threads, int bytes, auto kernel, class T>
void launch_teams(const Kokkos::Cuda& exec, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                  std::int64_t columns, char* workspace) {
  const Cut<T> cut(l);
  const auto nrhs = static_cast<std::int64_t>(b.extent(1));
  const Room<T> room{(nrhs + columns - 1) / columns, cut.count(), columns};
  check(cudaMemsetAsync(workspace, 0xff, static_cast<std::size_t>(room.bytes()), exec.cuda_stream()),
        "cudaMemsetAsync");
  const int groups = static_cast<int>(room.groups);
  const int teams = std::clamp(exec.cuda_device_prop().multiProcessorCount / groups, 1, cut.count());
  launch<threads, bytes, kernel>("tessera::substitution", exec,
                                 dim3(static_cast<unsigned>(teams), static_cast<unsigned>(groups)), l, cut, cut.count(),
                                 b.data(), static_cast<std::int64_t>(b.stride(1)), static_cast<int>(nrhs),
                                 room.counters(workspace), room.told(workspace));
}

}  // namespace tessera::kernels
