#include "kernels/cuda/substitution.hpp"

#include "kernels/cuda/row_blocks.hpp"
#include "kernels/cuda/substitution_tensor.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cuda_pipeline.h>

namespace tessera::kernels {
namespace {

constexpr int threads = 256;

template <class T>
constexpr int size = substitution_block<T>;
template <class T>
constexpr int groups = threads / size<T>;  // a thread works on one row of a block and on every groups-th column
template <class T>
constexpr int per_thread = size<T> / groups<T>;  // elements of a block
template <int columns>
constexpr int depth = columns == 1 ? 3 : 2;  // blocks of L on their way, so that memory is kept busy

/// A block of numbers in shared memory: with an odd leading dimension its rows too are in different banks.
template <class T>
struct SharedBlock {
  static constexpr int leading_dimension = size<T> + 1;
  static constexpr int elements = leading_dimension * size<T>;
  T* data;

  template <bool transposed>
  __device__ T entry(int i, int k) const {
    return transposed ? detail::conj(data[k + i * leading_dimension]) : data[i + k * leading_dimension];
  }

  /// Starts to copy a lower triangle; what is not there, or above the diagonal, is zero.
  __device__ void start_load(const T* from, std::int64_t leading_dimension_of_from, int rows) const {
    const int i = static_cast<int>(threadIdx.x) % size<T>;
#pragma unroll
    for (int j = static_cast<int>(threadIdx.x) / size<T>; j < size<T>; j += groups<T>) {
      T* const to = data + i + j * leading_dimension;
      if (i < rows && j <= i) {
        __pipeline_memcpy_async(to, from + i + j * leading_dimension_of_from, sizeof(T));
      } else {
        *to = T(0);
      }
    }
  }
};

/// sums[c] += sum_k A(i,k) Y(k,c) over every groups-th k, for row i of this thread; A is `a` or a^H.
template <bool transposed, int columns, class T>
__device__ void add_products(const SharedBlock<T>& a, const T* y, T (&sums)[columns]) {
  const int i = static_cast<int>(threadIdx.x) % size<T>;
  const int group = static_cast<int>(threadIdx.x) / size<T>;
#pragma unroll
  for (int k = group; k < size<T>; k += groups<T>) {
    const T factor = a.template entry<transposed>(i, k);
#pragma unroll
    for (int c = 0; c < columns; ++c) sums[c] += factor * y[k * columns + c];
  }
}

/// Y = alpha (the sums of all groups) + beta Z; row by row. Ends with a barrier.
template <int columns, class T>
__device__ void sum_groups(const T (&sums)[columns], T* partial, T alpha, const T* z, T* y) {
#pragma unroll
  for (int c = 0; c < columns; ++c) partial[c * threads + threadIdx.x] = sums[c];
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < size<T> * columns; e += threads) {
    const int i = e / columns;
    const int c = e % columns;
    T sum(0);
    for (int group = 0; group < groups<T>; ++group) sum += partial[c * threads + group * size<T> + i];
    y[e] = (z == nullptr ? T(0) : z[e]) + alpha * sum;
  }
  __syncthreads();
}

/// What is read once, and soon makes place in the caches for what is read by all.
template <class Real>
__device__ Real load_once(const Real* from) {
  return __ldcs(from);
}
__device__ Kokkos::complex<float> load_once(const Kokkos::complex<float>* from) {
  const float2 value = __ldcs(reinterpret_cast<const float2*>(from));
  return {value.x, value.y};
}
__device__ Kokkos::complex<double> load_once(const Kokkos::complex<double>* from) {
  const double2 value = __ldcs(reinterpret_cast<const double2*>(from));
  return {value.x, value.y};
}

/// A thread's elements of a block of L, in registers: row threadIdx mod size, and every groups-th column.
template <class T>
struct Elements {
  T of[per_thread<T>];

  __device__ void load(const T* from, std::int64_t leading_dimension, int rows, int columns) {
    const int i = static_cast<int>(threadIdx.x) % size<T>;
    const int group = static_cast<int>(threadIdx.x) / size<T>;
    const T* const first = from + i + group * leading_dimension;
    if (rows == size<T> && columns == size<T>) {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) of[q] = load_once(first + q * groups<T> * leading_dimension);
    } else {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) {
        of[q] =
            i < rows && group + q * groups<T> < columns ? load_once(first + q * groups<T> * leading_dimension) : T(0);
      }
    }
  }
};

/// What a thread adds up of the products with many blocks. Forward that is its row's sums over its columns k of
/// L(i,k) Y(k,:); backward its columns' of conj(L(i,k)) X(i,:) over its rows i.
template <class T, int columns, bool backward>
struct Sums {
  static constexpr int count = backward ? per_thread<T> * columns : columns;
  T of[count] = {};

  __device__ void add(const Elements<T>& l, const T* y) {
    if constexpr (backward) {
      const T* const x = y + static_cast<int>(threadIdx.x) % size<T> * columns;
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const T xc = x[c];
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) of[q * columns + c] += detail::conj(l.of[q]) * xc;
      }
    } else {
      const int group = static_cast<int>(threadIdx.x) / size<T>;
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) {
#pragma unroll
        for (int c = 0; c < columns; ++c) of[c] += l.of[q] * y[(group + q * groups<T>)*columns + c];
      }
    }
  }

  /// The same sums, spread over threads as add_products does it.
  __device__ void spread(const SharedBlock<T>& scratch, T (&sums)[columns]) const {
    const int i = static_cast<int>(threadIdx.x) % size<T>;
    const int group = static_cast<int>(threadIdx.x) / size<T>;
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      if constexpr (backward) {
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) {
          scratch.data[i + (group + q * groups<T>)*scratch.leading_dimension] = of[q * columns + c];
        }
        __syncthreads();
        sums[c] = T(0);
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) {
          sums[c] += scratch.data[group + q * groups<T> + i * scratch.leading_dimension];
        }
        __syncthreads();
      } else {
        sums[c] = of[c];
      }
    }
  }
};

template <class T, int columns>
constexpr int shared_bytes = (3 * SharedBlock<T>::elements + 4 * size<T> * columns + threads * columns) *
                             static_cast<int>(sizeof(T));

/// A team takes the next part of rows (backward: of columns, from the last one), subtracts what the parts before it
/// give, as soon as each is told, and solves for it. Parts are taken in order: a team waits only for those that others
/// have taken before it.
template <class T, int columns, bool backward>
__global__ void __launch_bounds__(threads)
    substitution_kernel(SlabsOfL<T> l, Cut<T> cut, int count, T* b_data, std::int64_t leading_dimension, int nrhs,
                        int* counters, T* told_data) {
  extern __shared__ double2 memory[];
  __shared__ int shared_turn;
  T* const blocks = reinterpret_cast<T*>(memory);
  const SharedBlock<T> diagonal{blocks};
  const SharedBlock<T> inverse{blocks + SharedBlock<T>::elements};
  const SharedBlock<T> scratch{blocks + 2 * SharedBlock<T>::elements};
  T* const solutions = blocks + 3 * SharedBlock<T>::elements;  // of two parts by turns
  T* const right = solutions + 2 * size<T> * columns;
  T* const rest = right + size<T> * columns;
  T* const partial = rest + size<T> * columns;
  static_assert(size<T> * columns <= threads);
  const int thread = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.y);  // of right-hand sides
  const int row = thread / columns;                // of a part of B, row by row
  const int column = thread % columns;
  const bool has_column = group * columns + column < nrhs;
  T* const b = b_data + (std::int64_t{group} * columns + column) * leading_dimension;
  T* const told = told_data + std::int64_t{group} * count * size<T> * columns;
  const auto told_of = [&](int turn) { return told + std::int64_t{turn} * size<T> * columns + thread; };
  const typename Cut<T>::Position first = cut.position(backward ? count - 1 : 0);
  for (;;) {
    if (thread == 0) shared_turn = atomicAdd(counters + group, 1) + 1;
    __syncthreads();
    const int turn = shared_turn;
    if (turn >= count) return;
    const typename Cut<T>::Position here = cut.position(backward ? count - 1 - turn : turn);
    const Part own = cut.part(here);

    Elements<T> ahead[depth<columns>];
    typename Cut<T>::Position loading = first;
    const auto load = [&](Elements<T>& elements, int other) {
      if (other >= turn) return;
      const Part before = cut.part(loading);
      cut.template step<backward>(loading);
      const Part& rows = backward ? before : own;
      const Part& cols = backward ? own : before;
      elements.load(block_of_l(l, rows, cols), l.slabs[cols.slab].leading_dimension, rows.size, cols.size);
    };
#pragma unroll
    for (int d = 0; d < depth<columns>; ++d) load(ahead[d], d);
    diagonal.start_load(block_of_l(l, own, own), l.slabs[own.slab].leading_dimension, own.size);
    inverse.start_load(l.inverses + std::int64_t{cut.number(here)} * size<T> * size<T>, size<T>, own.size);
    __pipeline_commit();
    if (row < size<T>) right[thread] = row < own.size && has_column ? b[own.begin + row] : T(0);

    T next = turn > 0 && row < size<T> ? Told<T>::read(told_of(0)) : T(0);
    Sums<T, columns, backward> sums;
    const auto subtract = [&](const Elements<T>& elements, int other) {
      while (Told<T>::is_missing(next)) {
        // Only the team that is next is in a hurry; all others would keep the cache busy.
        if (other + 2 < turn) __nanosleep(100);
        next = Told<T>::read(told_of(other));
      }
      T* const y = solutions + other % 2 * size<T> * columns;  // others may still read the one before
      if (row < size<T>) y[thread] = next;
      __syncthreads();
      if (other + 1 < turn && row < size<T>) next = Told<T>::read(told_of(other + 1));
      sums.add(elements, y);
    };
    for (int other = 0; other < turn; other += depth<columns>) {
#pragma unroll
      for (int d = 0; d < depth<columns>; ++d) {
        if (other + d >= turn) break;
        subtract(ahead[d], other + d);
        load(ahead[d], other + d + depth<columns>);
      }
    }
    __pipeline_wait_prior(0);
    __syncthreads();
    T products[columns];
    sums.spread(scratch, products);
    sum_groups<columns>(products, partial, T(-1), right, right);  // R = B - sums
    T* const y = solutions;
    const auto multiply = [&](const SharedBlock<T>& a, const T* in, T alpha, const T* z, T* out) {
      T own_products[columns] = {};
      add_products<backward, columns>(a, in, own_products);
      sum_groups<columns>(own_products, partial, alpha, z, out);
    };
    multiply(inverse, right, T(1), nullptr, y);  // Y = X R
    multiply(diagonal, y, T(-1), right, rest);   // R - L Y
    multiply(inverse, rest, T(1), y, y);         // Y += X (R - L Y)
    if (row < size<T>) Told<T>::write(told_of(turn), y[thread]);
    if (row < own.size && has_column) b[own.begin + row] = y[thread];
  }
}

template <class T, int columns, bool backward>
constexpr auto solve = launch_teams<threads, shared_bytes<T, columns>, substitution_kernel<T, columns, backward>, T>;

}  // namespace

template <class T>
std::int64_t CudaSubstitution::workspace_bytes(std::int64_t leaf_width, std::int64_t leaves, std::int64_t columns) {
  constexpr std::int64_t most = columns_at_once<T>;
  return Room<T>{(columns + most - 1) / most, leaves * substitution_blocks<T>(leaf_width), most}.bytes();
}

template <class T>
void CudaSubstitution::run(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l,
                           const MatrixView<T, Kokkos::CudaSpace>& b, char* workspace) {
  if (b.size() == 0) return;
  if constexpr (std::is_same_v<T, double>) {
    substitute_on_tensor_cores(exec, op, l, b, workspace);
  } else {
    const bool one = b.extent(1) == 1;
    const auto forward = one ? solve<T, 1, false> : solve<T, 4, false>;
    const auto backward = one ? solve<T, 1, true> : solve<T, 4, true>;
    (op == Op::none ? forward : backward)(exec, l, b, one ? 1 : 4, workspace);
  }
}

#define TESSERA_INSTANTIATE_SUBSTITUTION(T, Exec)                                                       \
  template std::int64_t CudaSubstitution::workspace_bytes<T>(std::int64_t, std::int64_t, std::int64_t); \
  template void CudaSubstitution::run<T>(const Exec&, Op, const SlabsOfL<T>&,                           \
                                         const MatrixView<T, Exec::memory_space>&, char*);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SUBSTITUTION, Kokkos::Cuda)

}  // namespace tessera::kernels
