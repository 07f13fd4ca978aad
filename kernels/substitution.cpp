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
constexpr int stages = 3;  // blocks of L on their way, so that memory is kept busy

template <class T>
constexpr int size = sizeof(T) > 8 ? 32 : 64;  // of a block

/// A block of L or of an inverse, in shared memory: with an odd leading dimension its rows too are in different banks.
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
    for (int j = static_cast<int>(threadIdx.x) / size<T>; j < size<T>; j += threads / size<T>) {
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
  int leaf;
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

  int count() const { return static_cast<int>((n + slab_width - 1) / slab_width) * leaves_in_slab * parts_in_leaf; }

  __device__ Part part(int number) const {
    const int leaf = number / parts_in_leaf;
    const int slab = leaf / leaves_in_slab;
    const std::int64_t slab_end = min(std::int64_t{slab + 1} * slab_width, n);
    const std::int64_t leaf_begin = min(slab * slab_width + std::int64_t{leaf % leaves_in_slab} * leaf_width, slab_end);
    const std::int64_t leaf_end = min(leaf_begin + leaf_width, slab_end);
    const std::int64_t begin = min(leaf_begin + std::int64_t{number % parts_in_leaf} * size<T>, leaf_end);
    return {
        begin, static_cast<int>(min(begin + size<T>, leaf_end) - begin), slab, leaf, leaf_begin, leaf_end - leaf_begin};
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
  constexpr int groups = threads / size<T>;
  const int i = static_cast<int>(threadIdx.x) % size<T>;
  const int group = static_cast<int>(threadIdx.x) / size<T>;
#pragma unroll
  for (int k = group; k < size<T>; k += groups) {
    const T factor = a.template entry<transposed>(i, k);
#pragma unroll
    for (int c = 0; c < columns; ++c) sums[c] += factor * y[k * columns + c];
  }
}

/// Y = alpha (the sums of all groups) + beta Z; row by row. Ends with a barrier.
template <int columns, class T>
__device__ void sum_groups(const T (&sums)[columns], T* partial, T alpha, const T* z, T* y) {
  constexpr int groups = threads / size<T>;
#pragma unroll
  for (int c = 0; c < columns; ++c) partial[c * threads + threadIdx.x] = sums[c];
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < size<T> * columns; e += threads) {
    const int i = e / columns;
    const int c = e % columns;
    T sum(0);
    for (int group = 0; group < groups; ++group) sum += partial[c * threads + group * size<T> + i];
    y[e] = (z == nullptr ? T(0) : z[e]) + alpha * sum;
  }
  __syncthreads();
}

template <class T, int columns>
constexpr int shared_bytes = ((stages + 2) * SharedBlock<T>::elements + 3 * size<T> * columns + threads * columns) *
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
  T* const tiles = reinterpret_cast<T*>(memory);
  const auto tile = [&](int number) { return SharedBlock<T>{tiles + number * SharedBlock<T>::elements}; };
  const SharedBlock<T> diagonal = tile(stages);
  const SharedBlock<T> inverse = tile(stages + 1);
  T* const y = tiles + (stages + 2) * SharedBlock<T>::elements;
  T* const right = y + size<T> * columns;
  T* const rest = right + size<T> * columns;
  T* const partial = rest + size<T> * columns;
  const int thread = static_cast<int>(threadIdx.x);
  static_assert(size<T> * columns <= threads);
  const int row = thread / columns;  // of a part of B, row by row
  const int column = thread % columns;
  const auto part_of = [&](int turn) { return cut.part(backward ? count - 1 - turn : turn); };
  const auto block_of_l = [&](const Part& rows, const Part& cols) {
    const std::int64_t origin = std::int64_t{cols.slab} * cut.slab_width;
    return l.slabs[cols.slab].data + (rows.begin - origin) +
           (cols.begin - origin) * l.slabs[cols.slab].leading_dimension;
  };
  int solved = 0;
  for (;;) {
    if (thread == 0) shared_turn = atomicAdd(counters, 1);
    __syncthreads();
    const int turn = shared_turn;
    if (turn >= count) return;
    const Part own = part_of(turn);
    const auto start = [&](int other) {
      if (other < turn) {
        const Part before = part_of(other);
        const Part& rows = backward ? before : own;
        const Part& cols = backward ? own : before;
        tile(other % stages)
            .start_load(block_of_l(rows, cols), l.slabs[cols.slab].leading_dimension, rows.size, cols.size);
      }
      __pipeline_commit();
    };
    diagonal.start_load(block_of_l(own, own), l.slabs[own.slab].leading_dimension, own.size, own.size);
    inverse.start_load(l.inverses + std::int64_t{own.leaf} * cut.leaf_width * cut.leaf_width +
                           (own.begin - own.leaf_begin) * (own.leaf_size + 1),
                       own.leaf_size, own.size, own.size);
    for (int other = 0; other + 1 < stages; ++other) start(other);
    if (row < size<T>) {
      right[thread] = row < own.size && column < nrhs ? b[own.begin + row + column * leading_dimension] : T(0);
    }
    T sums[columns] = {};
    const auto load_solved = [&](int other) {
      const Part before = part_of(other);
      return row < before.size && column < nrhs ? load_fresh(b + before.begin + row + column * leading_dimension)
                                                : T(0);
    };
    T next(0);
    bool is_loaded = false;
    for (int other = 0; other < turn; ++other) {
      start(other + stages - 1);
      if (solved <= other && thread == 0) {
        int now;
        do {
          now = *static_cast<volatile int*>(counters + 1);
        } while (now <= other);
        shared_solved = now;
      }
      __pipeline_wait_prior(stages - 1);
      __syncthreads();
      if (solved <= other) solved = shared_solved;
      if (!is_loaded) next = load_solved(other);
      if (row < size<T>) y[thread] = next;
      __syncthreads();
      is_loaded = other + 1 < turn && other + 1 < solved;
      if (is_loaded) next = load_solved(other + 1);
      add_products<backward, columns>(tile(other % stages), y, sums);
      __syncthreads();
    }
    __pipeline_wait_prior(0);
    __syncthreads();
    sum_groups<columns>(sums, partial, T(-1), right, right);  // R = B - sums
    const auto multiply = [&](const SharedBlock<T>& a, const T* in, T alpha, const T* z, T* out) {
      T products[columns] = {};
      add_products<backward, columns>(a, in, products);
      sum_groups<columns>(products, partial, alpha, z, out);
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
