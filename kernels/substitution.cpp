#include "kernels/substitution.hpp"

#ifdef KOKKOS_ENABLE_CUDA

#include "kernels/cuda_launch.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cuda_pipeline.h>

#include <algorithm>

namespace tessera::kernels {
namespace {

constexpr int threads = 256;

template <class T>
constexpr int size = sizeof(T) > 8 ? 32 : 64;  // of a block
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

  __device__ void start_load(const T* from, std::int64_t leading_dimension_of_from, int rows, int columns) const {
    const int i = static_cast<int>(threadIdx.x) % size<T>;
#pragma unroll
    for (int j = static_cast<int>(threadIdx.x) / size<T>; j < size<T>; j += groups<T>) {
      T* const to = data + i + j * leading_dimension;
      if (i < rows && j < columns) {
        __pipeline_memcpy_async(to, from + i + j * leading_dimension_of_from, sizeof(T));
      } else {
        *to = T(0);
      }
    }
  }
};

/// Which part of L a block of its rows, or of its columns, is. Blocks do not go beyond leaves; some are empty.
struct Part {
  std::int64_t begin;
  int size;
  int slab;
  std::int64_t leaf_begin;
  std::int64_t leaf_size;
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
        parts_in_leaf(static_cast<int>((leaf_width + size<T> - 1) / size<T>)) {}

  int slabs() const { return static_cast<int>((n + slab_width - 1) / slab_width); }
  int count() const { return slabs() * leaves_in_slab * parts_in_leaf; }

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
  __device__ Part part(const Position& at) const {
    const std::int64_t slab_end = min((at.slab + std::int64_t{1}) * slab_width, n);
    const std::int64_t leaf_begin = min(at.slab * slab_width + at.leaf * leaf_width, slab_end);
    const std::int64_t leaf_end = min(leaf_begin + leaf_width, slab_end);
    const std::int64_t begin = min(leaf_begin + std::int64_t{at.part} * size<T>, leaf_end);
    return {begin, static_cast<int>(min(begin + size<T>, leaf_end) - begin), at.slab, leaf_begin,
            leaf_end - leaf_begin};
  }
};

/// From the second-level cache, where others' numbers arrive.
template <class Real>
__device__ Real load_fresh(const Real* from) {
  return __ldcg(from);
}
__device__ Kokkos::complex<float> load_fresh(const Kokkos::complex<float>* from) {
  const float2 value = __ldcg(reinterpret_cast<const float2*>(from));
  return {value.x, value.y};
}
__device__ Kokkos::complex<double> load_fresh(const Kokkos::complex<double>* from) {
  const double2 value = __ldcg(reinterpret_cast<const double2*>(from));
  return {value.x, value.y};
}

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
      for (int q = 0; q < per_thread<T>; ++q) of[q] = first[q * groups<T> * leading_dimension];
    } else {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) {
        of[q] = i < rows && group + q * groups<T> < columns ? first[q * groups<T> * leading_dimension] : T(0);
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
/// give, as soon as each is solved for, and solves for it. Parts are taken, and end, in order: a team waits only for
/// those that others have taken before it. `counters`: parts taken, parts solved for.
template <class T, int columns, bool backward>
__global__ void __launch_bounds__(threads)
    substitution_kernel(SlabsOfL<T> l, Cut<T> cut, int count, T* b, std::int64_t leading_dimension, int nrhs,
                        int* counters) {
  extern __shared__ double2 memory[];
  __shared__ int shared_turn;
  __shared__ int shared_solved;
  T* const blocks = reinterpret_cast<T*>(memory);
  const SharedBlock<T> diagonal{blocks};
  const SharedBlock<T> inverse{blocks + SharedBlock<T>::elements};
  const SharedBlock<T> scratch{blocks + 2 * SharedBlock<T>::elements};
  T* const solutions = blocks + 3 * SharedBlock<T>::elements;  // of two parts by turns
  T* const right = solutions + 2 * size<T> * columns;
  T* const rest = right + size<T> * columns;
  T* const partial = rest + size<T> * columns;
  const int thread = static_cast<int>(threadIdx.x);
  static_assert(size<T> * columns <= threads);
  const int row = thread / columns;  // of a part of B, row by row
  const int column = thread % columns;
  const auto block_of_l = [&](const Part& rows, const Part& cols) {
    const std::int64_t origin = std::int64_t{cols.slab} * cut.slab_width;
    return l.slabs[cols.slab].data + (rows.begin - origin) +
           (cols.begin - origin) * l.slabs[cols.slab].leading_dimension;
  };
  const typename Cut<T>::Position first = cut.position(backward ? count - 1 : 0);
  int solved = 0;
  for (;;) {
    if (thread == 0) shared_turn = atomicAdd(counters, 1);
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
      elements.load(block_of_l(rows, cols), l.slabs[cols.slab].leading_dimension, rows.size, cols.size);
    };
#pragma unroll
    for (int d = 0; d < depth<columns>; ++d) load(ahead[d], d);
    diagonal.start_load(block_of_l(own, own), l.slabs[own.slab].leading_dimension, own.size, own.size);
    inverse.start_load(
        l.inverses + (std::int64_t{here.slab} * cut.leaves_in_slab + here.leaf) * cut.leaf_width * cut.leaf_width +
            (own.begin - own.leaf_begin) * (own.leaf_size + 1),
        own.leaf_size, own.size, own.size);
    __pipeline_commit();
    if (row < size<T>) {
      right[thread] = row < own.size && column < nrhs ? b[own.begin + row + column * leading_dimension] : T(0);
    }

    typename Cut<T>::Position reading = first;
    const auto load_solved = [&]() {
      const Part before = cut.part(reading);
      cut.template step<backward>(reading);
      return row < before.size && column < nrhs ? load_fresh(b + before.begin + row + column * leading_dimension)
                                                : T(0);
    };
    T next(0);
    bool is_loaded = false;
    Sums<T, columns, backward> sums;
    const auto subtract = [&](const Elements<T>& elements, int other) {
      if (solved <= other) {
        if (thread == 0) {
          int now;
          do {
            now = *static_cast<volatile int*>(counters + 1);
          } while (now <= other);
          shared_solved = now;
        }
        __syncthreads();
        solved = shared_solved;
      }
      if (!is_loaded) next = load_solved();
      T* const y = solutions + other % 2 * size<T> * columns;  // others may still read the one before
      if (row < size<T>) y[thread] = next;
      __syncthreads();
      is_loaded = other + 1 < turn && other + 1 < solved;
      if (is_loaded) next = load_solved();
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
    if (row < own.size && column < nrhs) b[own.begin + row + column * leading_dimension] = y[thread];
    __threadfence();
    __syncthreads();
    if (thread == 0) *static_cast<volatile int*>(counters + 1) = turn + 1;
  }
}

template <int columns, bool backward, class T>
void launch_substitution(const Kokkos::Cuda& exec, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                         int* counters) {
  const Cut<T> cut(l);
  const int count = cut.count();
  const int teams = std::min(count, exec.cuda_device_prop().multiProcessorCount);
  launch<threads, shared_bytes<T, columns>, substitution_kernel<T, columns, backward>>(
      "tessera::substitution", exec, teams, l, cut, count, b.data(), static_cast<std::int64_t>(b.stride(1)),
      static_cast<int>(b.extent(1)), counters);
}

}  // namespace

template <class T>
void Substitution<Kokkos::Cuda>::run(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l,
                                     const MatrixView<T, Kokkos::CudaSpace>& b, int* counters) {
  if (b.size() == 0) return;
  check(cudaMemsetAsync(counters, 0, 2 * sizeof(int), exec.cuda_stream()), "cudaMemsetAsync");
  const bool one = b.extent(1) == 1;
  if (op == Op::none) {
    one ? launch_substitution<1, false>(exec, l, b, counters) : launch_substitution<4, false>(exec, l, b, counters);
  } else {
    one ? launch_substitution<1, true>(exec, l, b, counters) : launch_substitution<4, true>(exec, l, b, counters);
  }
}

#define TESSERA_INSTANTIATE_SUBSTITUTION(T, Exec)                               \
  template void Substitution<Exec>::run<T>(const Exec&, Op, const SlabsOfL<T>&, \
                                           const MatrixView<T, Exec::memory_space>&, int*);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SUBSTITUTION, Kokkos::Cuda)

}  // namespace tessera::kernels

#endif
