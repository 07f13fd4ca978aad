// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/substitution.hpp"

#include "kernels/cuda/substitution_tensor.hpp"
#include "kernels/cuda/substitution_turns.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cuda_pipeline.h>

namespace tessera::kernels {
namespace {

constexpr int threads = 256;

template <class T>
constexpr int size = substitution_block<T>;
template <class T>
constexpr int step = threads / size<T>;  // a thread works on one row of a block and on every step-th column
template <class T>
constexpr int per_thread = size<T> / step<T>;  // numbers of a block

template <class T>
__device__ int own_row() {
  return static_cast<int>(threadIdx.x) % size<T>;
}
template <class T>
__device__ int own_column(int q) {
  return static_cast<int>(threadIdx.x) / size<T> + q * step<T>;
}

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
    const int i = own_row<T>();
#pragma unroll
    for (int j = own_column<T>(0); j < size<T>; j += step<T>) {
      T* const to = data + i + j * leading_dimension;
      if (i < rows && j <= i) {
        __pipeline_memcpy_async(to, from + i + j * leading_dimension_of_from, sizeof(T));
      } else {
        *to = T(0);
      }
    }
  }
};

/// sums[c] += sum_k A(i,k) Y(k,c) over this thread's columns k, for its row i; A is `a` or a^H.
template <bool transposed, int columns, class T>
__device__ void add_products(const SharedBlock<T>& a, const T* y, T (&sums)[columns]) {
#pragma unroll
  for (int k = own_column<T>(0); k < size<T>; k += step<T>) {
    const T factor = a.template entry<transposed>(own_row<T>(), k);
#pragma unroll
    for (int c = 0; c < columns; ++c) sums[c] += factor * y[k * columns + c];
  }
}

/// Y = alpha (the sums of all threads of a row) + Z; row by row. Ends with a barrier.
template <int columns, class T>
__device__ void sum_threads(const T (&sums)[columns], T* partial, T alpha, const T* z, T* y) {
#pragma unroll
  for (int c = 0; c < columns; ++c) partial[c * threads + threadIdx.x] = sums[c];
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < size<T> * columns; e += threads) {
    const int i = e / columns;
    const int c = e % columns;
    T sum(0);
    for (int k = 0; k < step<T>; ++k) sum += partial[c * threads + k * size<T> + i];
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

/// A thread's numbers of a block of L, in registers.
template <class T>
struct Fragment {
  T of[per_thread<T>];

  __device__ void load(const T* from, std::int64_t leading_dimension, int rows, int columns) {
    const int i = own_row<T>();
    const T* const first = from + i + own_column<T>(0) * leading_dimension;
    if (rows == size<T> && columns == size<T>) {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) of[q] = load_once(first + q * step<T> * leading_dimension);
    } else {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) {
        of[q] = i < rows && own_column<T>(q) < columns ? load_once(first + q * step<T> * leading_dimension) : T(0);
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

  __device__ void add(const Fragment<T>& l, const T* y) {
    if constexpr (backward) {
      const T* const x = y + own_row<T>() * columns;
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        const T xc = x[c];
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) of[q * columns + c] += detail::conj(l.of[q]) * xc;
      }
    } else {
#pragma unroll
      for (int q = 0; q < per_thread<T>; ++q) {
#pragma unroll
        for (int c = 0; c < columns; ++c) of[c] += l.of[q] * y[own_column<T>(q) * columns + c];
      }
    }
  }

  /// The same sums, spread over threads as add_products does it.
  __device__ void spread(const SharedBlock<T>& scratch, T (&sums)[columns]) const {
    const int i = own_row<T>();
#pragma unroll
    for (int c = 0; c < columns; ++c) {
      if constexpr (backward) {
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) {
          scratch.data[i + own_column<T>(q) * scratch.leading_dimension] = of[q * columns + c];
        }
        __syncthreads();
        sums[c] = T(0);
#pragma unroll
        for (int q = 0; q < per_thread<T>; ++q) {
          sums[c] += scratch.data[own_column<T>(q) + i * scratch.leading_dimension];
        }
        __syncthreads();
      } else {
        sums[c] = of[c];
      }
    }
  }
};

/// A thread's number of the solution for a block.
template <class T>
struct OwnNumber {
  T number;

  __device__ bool is_missing() const { return Published<T>::is_missing(number); }
};

/// A Solver whose threads have their numbers of each block alone.
template <class T, int columns_, bool backward_>
class ThreadSolver {
 public:
  using Scalar = T;
  using Fragment = kernels::Fragment<T>;
  using Solution = OwnNumber<T>;
  static constexpr int threads = kernels::threads;
  static constexpr int least_teams = 0;
  static constexpr int columns = columns_;
  static constexpr bool backward = backward_;
  static constexpr int ahead = columns == 1 ? 3 : 2;
  static constexpr int shared_bytes =
      (3 * SharedBlock<T>::elements + 4 * size<T> * columns + threads * columns) * static_cast<int>(sizeof(T));

  __device__ ThreadSolver(T* shared, const Group<T>& group, const Turn<T>& turn)
      : diagonal_{shared},
        inverse_{diagonal_.data + SharedBlock<T>::elements},
        scratch_{inverse_.data + SharedBlock<T>::elements},
        solutions_(scratch_.data + SharedBlock<T>::elements),
        right_(solutions_ + 2 * vectors),
        rest_(right_ + vectors),
        partial_(rest_ + vectors),
        has_column_(column() < group.columns),
        b_(group.b + column() * group.leading_dimension),
        published_(group.published + threadIdx.x),
        turn_(turn) {
    static_assert(vectors <= threads);
    diagonal_.start_load(turn.diagonal, turn.leading_dimension, turn.own.size);
    inverse_.start_load(turn.inverse, size<T>, turn.own.size);
    __pipeline_commit();
    if (row() < size<T>) right_[threadIdx.x] = is_in_b() ? b_[turn.own.begin + row()] : T(0);
  }

  __device__ Solution read(int other) const { return {row() < size<T> ? Published<T>::read(published(other)) : T(0)}; }
  __device__ void share(const Solution& y, int other) {
    if (row() < size<T>) solution(other)[threadIdx.x] = y.number;
    __syncthreads();
  }
  __device__ void subtract(const Fragment& l, int other) { sums_.add(l, solution(other)); }

  __device__ void solve() {
    __pipeline_wait_prior(0);
    __syncthreads();
    T products[columns];
    sums_.spread(scratch_, products);
    sum_threads<columns>(products, partial_, T(-1), right_, right_);  // R = B - sums
    T* const y = solutions_;
    multiply(inverse_, right_, T(1), nullptr, y);  // Y = X R
    multiply(diagonal_, y, T(-1), right_, rest_);  // R - L Y
    multiply(inverse_, rest_, T(1), y, y);         // Y += X (R - L Y)
    if (row() < size<T>) Published<T>::write(published(turn_.number), y[threadIdx.x]);
    if (is_in_b()) b_[turn_.own.begin + row()] = y[threadIdx.x];
  }

 private:
  static constexpr int vectors = size<T> * columns;  // elements of a block of B, row by row

  /// Of this thread, in a block of B.
  __device__ static int row() { return static_cast<int>(threadIdx.x) / columns; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % columns; }
  __device__ bool is_in_b() const { return row() < turn_.own.size && has_column_; }
  __device__ T* published(int number) const { return published_ + std::int64_t{number} * vectors; }

  /// Others may still read the one before.
  __device__ T* solution(int other) const { return solutions_ + other % 2 * vectors; }

  /// Out = alpha A In + Z
  __device__ void multiply(const SharedBlock<T>& a, const T* in, T alpha, const T* z, T* out) const {
    T products[columns] = {};
    add_products<backward, columns>(a, in, products);
    sum_threads<columns>(products, partial_, alpha, z, out);
  }

  SharedBlock<T> diagonal_;
  SharedBlock<T> inverse_;
  SharedBlock<T> scratch_;
  T* solutions_;  // of two blocks
  T* right_;
  T* rest_;
  T* partial_;
  bool has_column_;
  T* b_;
  T* published_;
  Turn<T> turn_;
  Sums<T, columns, backward> sums_;
};

template <class T, int columns>
void substitute(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l, const MatrixView<T, Kokkos::CudaSpace>& b,
                char* workspace) {
  op == Op::none ? launch_teams<ThreadSolver<T, columns, false>>(exec, l, b, workspace)
                 : launch_teams<ThreadSolver<T, columns, true>>(exec, l, b, workspace);
}

}  // namespace

template <class T>
std::int64_t CudaSubstitution::workspace_bytes(std::int64_t leaf_width, std::int64_t leaves, std::int64_t columns) {
  constexpr std::int64_t most = columns_at_once<T>;
  return SubstitutionWorkspace<T>{(columns + most - 1) / most, leaves * substitution_blocks<T>(leaf_width), most}
      .bytes();
}

template <class T>
void CudaSubstitution::run(const Kokkos::Cuda& exec, Op op, const SlabsOfL<T>& l,
                           const MatrixView<T, Kokkos::CudaSpace>& b, char* workspace) {
  if (b.size() == 0) return;
  if constexpr (std::is_same_v<T, double>) {
    substitute_on_tensor_cores(exec, op, l, b, workspace);
  } else {
    b.extent(1) == 1 ? substitute<T, 1>(exec, op, l, b, workspace) : substitute<T, 4>(exec, op, l, b, workspace);
  }
}

#define TESSERA_INSTANTIATE_SUBSTITUTION(T, Exec)                                                       \
  template std::int64_t CudaSubstitution::workspace_bytes<T>(std::int64_t, std::int64_t, std::int64_t); \
  template void CudaSubstitution::run<T>(const Exec&, Op, const SlabsOfL<T>&,                           \
                                         const MatrixView<T, Exec::memory_space>&, char*);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_SUBSTITUTION, Kokkos::Cuda)

}  // namespace tessera::kernels
