// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/row_blocks.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

// How teams of threads share a substitution: each takes the next block of rows (backward: of columns, from the last
// one) when it is done with one. Blocks are taken in order, so that a team waits only for those that others have taken
// before it, and no team for one that has not begun.
namespace tessera::kernels {

/// A number of the solution in global memory, as one team publishes it for the others: it is there as soon as it is not
/// missing. So they need no flag, nor a fence before it. Missing is what has all ones in front: a NaN that no
/// calculation gives.
template <class T>
struct Published {
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

/// The workspace of a substitution: for each group of `columns` right-hand sides the number of blocks taken, less one,
/// and what is published of each block. All is missing, and none is taken, where all bits are ones.
template <class T>
struct SubstitutionWorkspace {
  static constexpr std::int64_t alignment = 256;
  std::int64_t groups;
  std::int64_t blocks;
  std::int64_t columns;

  std::int64_t counters_bytes() const {
    return (groups * std::int64_t{sizeof(int)} + alignment - 1) / alignment * alignment;
  }
  std::int64_t bytes() const {
    return counters_bytes() + groups * blocks * substitution_block<T> * columns * std::int64_t{sizeof(T)};
  }
  int* counters(char* workspace) const { return reinterpret_cast<int*>(workspace); }
  T* published(char* workspace) const { return reinterpret_cast<T*>(workspace + counters_bytes()); }
};

/// The right-hand sides of a group, and what its teams publish: substitution_block x Solver::columns numbers of each
/// block.
template <class T>
struct Group {
  T* b;
  std::int64_t leading_dimension;
  int columns;  // at most Solver::columns
  T* published;
};

/// What a team has to solve for.
template <class T>
struct Turn {
  int number;
  RowBlock own;
  const T* diagonal;  // the block of L
  std::int64_t leading_dimension;
  const T* inverse;  // column-major, of substitution_block rows
};

/// What each team does. In each of its turns it has a Solver:
///
///   class Fragment               a thread's part of a block of L, in registers; load() is given the block
///   class Solution               a thread's part of what is published of a block; is_missing(): some of it is not yet
///   Solver(shared, group, turn)  starts to load what the team needs for its own block
///   read(other)                  the Solution of block number `other`, in the order of turns, as far as there is one
///   share(y, other)              gives other threads what they need of it
///   subtract(fragment, other)    B = B - L Y for the team's own block
///   solve()                      solves for that, and publishes the solution
///
/// Fragments are loaded Solver::ahead blocks before they are needed, and solutions one, so that memory is kept busy.
/// Solver::least_teams: for how many teams a multiprocessor's registers must do; 1 gives a team all of them, 0 leaves
/// it to the compiler.
template <class Solver, class T = typename Solver::Scalar>
__global__ void __launch_bounds__(Solver::threads, Solver::least_teams)
    substitution_kernel(SlabsOfL<T> l, RowBlocks<T> blocks, int count, T* b, std::int64_t leading_dimension, int nrhs,
                        int* counters, T* published) {
  using Fragment = typename Solver::Fragment;
  using Solution = typename Solver::Solution;
  constexpr bool backward = Solver::backward;
  constexpr int columns = Solver::columns;
  constexpr int ahead = Solver::ahead;
  extern __shared__ double2 memory[];
  __shared__ int shared_turn;
  const std::int64_t group_number = blockIdx.y;
  const Group<T> group{b + group_number * columns * leading_dimension, leading_dimension,
                       min(columns, nrhs - static_cast<int>(group_number) * columns),
                       published + group_number * count * substitution_block<T> * columns};
  const auto first = blocks.position(backward ? count - 1 : 0);
  for (;;) {
    if (threadIdx.x == 0) shared_turn = atomicAdd(counters + group_number, 1) + 1;
    __syncthreads();
    const int turn = shared_turn;
    if (turn >= count) return;
    const auto here = blocks.position(backward ? count - 1 - turn : turn);
    const RowBlock own = blocks[here];

    Fragment fragments[ahead];
    auto loading = first;
    const auto load = [&](Fragment& fragment, int other) {
      if (other >= turn) return;
      const RowBlock before = blocks[loading];
      blocks.template step<backward>(loading);
      const RowBlock& rows = backward ? before : own;
      const RowBlock& cols = backward ? own : before;
      fragment.load(block_of_l(l, rows, cols), l.matrix.of[cols.slab].leading_dimension, rows.size, cols.size);
    };
#pragma unroll
    for (int d = 0; d < ahead; ++d) load(fragments[d], d);
    Solver solver(reinterpret_cast<T*>(memory), group,
                  {turn, own, block_of_l(l, own, own), l.matrix.of[own.slab].leading_dimension,
                   l.inverses + std::int64_t{blocks.number(here)} * substitution_block<T> * substitution_block<T>});
    Solution next;
    if (turn > 0) next = solver.read(0);
    for (int at = 0; at < turn; at += ahead) {
#pragma unroll
      for (int d = 0; d < ahead; ++d) {
        const int other = at + d;
        if (other >= turn) break;
        Solution y = next;
        while (y.is_missing()) {
          // Only the team that is next is in a hurry; all others would keep the cache busy.
          if (other + 2 < turn) __nanosleep(100);
          y = solver.read(other);
        }
        solver.share(y, other);
        if (other + 1 < turn) next = solver.read(other + 1);
        solver.subtract(fragments[d], other);
        load(fragments[d], other + ahead);
      }
    }
    solver.solve();
  }
}

/// Solves for all of B, by as many teams as are at work at a time.
template <class Solver, class T = typename Solver::Scalar>
void launch_teams(const Kokkos::Cuda& exec, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                  char* workspace) {
  const RowBlocks<T> blocks(l);
  const int count = blocks.count();
  const auto nrhs = static_cast<std::int64_t>(b.extent(1));
  const SubstitutionWorkspace<T> space{(nrhs + Solver::columns - 1) / Solver::columns, count, Solver::columns};
  check(cudaMemsetAsync(workspace, 0xff, static_cast<std::size_t>(space.bytes()), exec.cuda_stream()),
        "cudaMemsetAsync");
  const int groups = static_cast<int>(space.groups);
  const int teams = std::clamp(exec.cuda_device_prop().multiProcessorCount / groups, 1, count);
  launch<Solver::threads, Solver::shared_bytes, substitution_kernel<Solver>>(
      "tessera::substitution", exec, dim3(static_cast<unsigned>(teams), static_cast<unsigned>(groups)), l, blocks,
      count, b.data(), static_cast<std::int64_t>(b.stride(1)), static_cast<int>(nrhs), space.counters(workspace),
      space.published(workspace));
}

}  // namespace tessera::kernels
