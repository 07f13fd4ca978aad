// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/cholesky.hpp"

#include "kernels/cuda/cholesky_progress.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/product_pipeline.hpp"
#include "kernels/instantiate.hpp"
#include "kernels/potrf.hpp"
#include "kernels/slabs_of_l.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// What a team does. A(i,j) is a block of `size` rows and columns, the last of which may be smaller.
template <class T>
class CholeskyTeam {
 public:
  using Real = detail::RealOf<T>;
  static constexpr int size = static_cast<int>(CudaCholesky::block<T>);

  static constexpr int shared_bytes() { return Layout::bytes; }

  __device__ CholeskyTeam(const CholeskyInOneLaunch<T>& factor, CholeskyProgress* progress)
      : factor_(factor),
        a_(factor.a),
        progress_(progress),
        n_(static_cast<int>(factor.a.n)),
        blocks_((n_ + size - 1) / size),
        tasks_(progress, blocks_) {}

  __device__ void run() {
    if (ask([&] { return atomicAdd(&progress_->asked, 1); }) == 0) follow_diagonal();
    for (int task = tasks_.take(); task < tasks_.end(); task = tasks_.take()) run_task(task);
  }

 private:
  using Shape = ProductShape<T>;
  using Tall = typename Shape::Left;     // as two blocks
  using Square = typename Shape::Right;  // as one
  static_assert(size == Shape::columns && size == substitution_block<T>);

  /// Shared memory, in elements. What is not needed at the same time is in the same place.
  struct Layout {
    static constexpr int square = Square::leading_dimension * size;
    static constexpr int squares = 2 * width;
    static constexpr int stages = squares;
    static constexpr int target = stages + ProductPipeline<T>::stages * ProductPipeline<T>::stage_size;
    static constexpr int reciprocals = target + Tall::leading_dimension * size;
    static constexpr int bytes = reciprocals * static_cast<int>(sizeof(T)) + size * static_cast<int>(sizeof(Real));
    static_assert(squares + 3 * square <= target);
  };
  static __device__ SharedVector<T> column() { return {0}; }
  static __device__ Square diagonal(int j) { return {Layout::squares + j % 2 * Layout::square}; }
  static __device__ Square below() { return {Layout::squares + 2 * Layout::square}; }
  static __device__ Tall target() { return {Layout::target}; }
  static __device__ SharedVector<Real> reciprocals() {
    return {Layout::reciprocals * static_cast<int>(sizeof(T) / sizeof(Real))};
  }

  __device__ int height(int i) const { return min(size, n_ - i * size); }
  __device__ int slab(int j) const { return j * size / static_cast<int>(a_.width); }
  __device__ std::int64_t leading_dimension(int j) const { return a_.of[slab(j)].leading_dimension; }
  __device__ T* at(int i, int j) const {
    const int origin = slab(j) * static_cast<int>(a_.width);
    return a_.of[slab(j)].data + (i * size - origin) + (j * size - origin) * leading_dimension(j);
  }

  /// Block by block down the diagonal, which is what takes longest where n is small.
  __device__ void follow_diagonal() {
    if (threadIdx.x == 0) *factor_.failing = no_failure;
    start_load<true, size>(at(0, 0), leading_dimension(0), height(0), height(0), diagonal(0));
    finish_loads();
    factor_diagonal(0);
    for (int j = 0; j + 1 < blocks_; ++j) {
      bool kept = true;
      while (ask([&] { return read(&progress_->prepared); }) <= j) {
        const int task = tasks_.take_up_to(tasks_.first(j));
        if (task < 0) continue;
        run_task(task);
        kept = false;
      }
      advance(j, kept);
    }
  }

  __device__ void run_task(int task) {
    while (column_ + 1 < blocks_ && task >= tasks_.first(column_ + 1)) ++column_;
    const int number = task - tasks_.first(column_);
    const int top = column_ + 2 * number;
    if (number == 0 && column_ + 1 < blocks_) {
      prepare(column_);
    } else if (number > 0 && top < blocks_) {
      finish_rows(column_, top);
    } else {
      invert(column_);
    }
  }

  /// L(j,j) L(j,j)^H = A(j,j), which is in shared memory.
  __device__ void factor_diagonal(int j) const {
    factor_blocks(diagonal(j), in_blocks(height(j)), column(), reciprocals(), std::int64_t{j} * size, factor_.failing);
    store<true, size>(diagonal(j), at(j, j), leading_dimension(j), height(j), height(j));
    if (threadIdx.x == threads - 1) tell(progress_->final(j), j + 1);
  }

  /// L(j+1,j) and L(j+1,j+1), from what prepare() left. `kept`: L(j,j) is in shared memory.
  __device__ void advance(int j, bool kept) const {
    const int high = height(j + 1);
    const std::int64_t lead = leading_dimension(j);
    start_load<false, size>(at(j + 1, j), lead, high, size, below());
    start_load<true, size>(at(j + 1, j + 1), leading_dimension(j + 1), high, high, diagonal(j + 1));
    if (!kept) start_load<true, size>(at(j, j), lead, size, size, diagonal(j));
    finish_loads();
    invert_diagonal(j);  // as other teams do, so that the bits do not depend on who comes to what
    divide_blocks(below(), in_blocks(high), diagonal(j), in_blocks(size), reciprocals());
    store<false, size>(below(), at(j + 1, j), lead, high, size);
    if (threadIdx.x == threads - 1) tell(progress_->final(j + 1), j + 1);
    int turn = 0;  // A(j+1,j+1) -= L(j+1,j) L(j+1,j)^H
    for (int q = 0; q < in_blocks(high); ++q) {
      for (int p = q; p < in_blocks(high); ++p) {
        if (turn == warp()) {
          subtract_product(diagonal(j + 1).block(p, q), below().block(p, 0), below().block(q, 0), size / width);
        }
        turn = turn + 1 < warps ? turn + 1 : 0;
      }
    }
    __syncthreads();
    factor_diagonal(j + 1);
  }

  /// A(j+1,j) -= L(j+1,:j) L(j,:j)^H, A(j+1,j+1) -= L(j+1,:j) L(j+1,:j)^H, in one product, the first one transposed.
  __device__ void prepare(int j) const {
    const Tall c = target();
    const int high = height(j + 1);
    T* const below = at(j + 1, j);
    T* const diagonal = at(j + 1, j + 1);
    const std::int64_t of_below = leading_dimension(j);
    const std::int64_t of_diagonal = leading_dimension(j + 1);
    const int i = static_cast<int>(threadIdx.x) % size;
    const auto for_each_column = [&](const auto& f) {
      if (i >= high) return;
      for (int q = static_cast<int>(threadIdx.x) / size; q < size; q += threads / size) {
        f(c(q, i), below[i + q * of_below]);
        if (q <= i) f(c(size + i, q), diagonal[i + q * of_diagonal]);
      }
    };
    for_each_column([](T& shared, T& global) { __pipeline_memcpy_async(&shared, &global, sizeof(T)); });
    __pipeline_commit();
    BlockProduct<T> sums;
    add_products(sums, j, j + 1, j);
    finish_loads();
    sums.for_each([&](int p, int q, const T& sum) { c(p, q) -= p < size ? detail::conj(sum) : sum; });
    __syncthreads();
    for_each_column([](T& shared, T& global) { global = shared; });
    __syncthreads();
    if (threadIdx.x == 0) tell(&progress_->prepared, j + 1);
  }

  /// L(i,j) for the block rows `top` and top + 1.
  __device__ void finish_rows(int j, int top) const {
    const Tall c = target();
    const int rows = min(Shape::rows, n_ - top * size);
    const std::int64_t lead = leading_dimension(j);
    start_load<false, Shape::rows>(at(top, j), lead, rows, size, c);
    __pipeline_commit();
    BlockProduct<T> sums;
    add_products(sums, top, j, j);
    finish_loads();
    sums.for_each([&](int i, int q, const T& sum) { c(i, q) -= sum; });
    wait_for(j, j);
    start_load<true, size>(at(j, j), lead, size, size, diagonal(j));
    finish_loads();
    invert_diagonal(j);
    divide_blocks(c, in_blocks(rows), diagonal(j), in_blocks(size), reciprocals());
    store<false, Shape::rows>(c, at(top, j), lead, rows, size);
    if (threadIdx.x == 0) {
      tell(progress_->final(top), j + 1);
      if (rows > size) tell(progress_->final(top + 1), j + 1);
    }
  }

  /// L(j,j)^-1, for solves, as L(j,j)^-H = 1 L(j,j)^-H, and the logarithms of its diagonal.
  __device__ void invert(int j) const {
    const Tall c = target();
    const int high = height(j);
    wait_for(j, j);
    start_load<true, size>(at(j, j), leading_dimension(j), high, high, diagonal(j));
    const int i = static_cast<int>(threadIdx.x) % size;
    for (int q = static_cast<int>(threadIdx.x) / size; q < size; q += threads / size) c(i, q) = T(i == q ? 1 : 0);
    finish_loads();
    invert_diagonal(j);
    divide_blocks(c, in_blocks(high), diagonal(j), in_blocks(high), reciprocals());
    T* const x = inverse(j);
    for (int q = static_cast<int>(threadIdx.x) / size; q <= i; q += threads / size) {
      if (i < high) x[i + q * size] = detail::conj(c(q, i));
    }
    if (warp() > 0) return;
    double sum = 0;
    for (int k = lane(); k < high; k += warp_size) sum += 2 * log(static_cast<double>(detail::real(diagonal(j)(k, k))));
    for (int other = warp_size / 2; other > 0; other /= 2) sum += __shfl_xor_sync(all_lanes, sum, other);
    if (lane() == 0) factor_.logarithms[j] = sum;
  }

  /// Where that is.
  __device__ T* inverse(int j) const {
    const int leaf_width = static_cast<int>(factor_.leaf_width);
    const int leaves_in_slab = (static_cast<int>(a_.width) + leaf_width - 1) / leaf_width;
    const int row = j * size - slab(j) * static_cast<int>(a_.width);
    const int leaf = slab(j) * leaves_in_slab + row / leaf_width;
    return factor_.inverses + (leaf * ((leaf_width + size - 1) / size) + row % leaf_width / size) * size * size;
  }

  __device__ void invert_diagonal(int j) const {
    const int i = static_cast<int>(threadIdx.x);
    if (i < size) reciprocals()[i] = Real(1) / detail::real(diagonal(j)(i, i));
    __syncthreads();
  }

  /// The sum over k < end of L(i,k) L(other,k)^H, for the block rows i = top and top + 1, as soon as these are there.
  __device__ void add_products(BlockProduct<T>& sums, int top, int other, int end) const {
    for (int from = 0; from < end;) {
      const int to = min(end, ready(top, other, from));
      ProductPipeline<T>(a_, top * size, other * size, from * size, Layout::stages).add(sums, to * size);
      from = to;
    }
  }

  /// How many block columns are final in the block rows top, top + 1 and other: more than k.
  __device__ int ready(int top, int other, int k) const {
    return ask([&] { return min(min(wait(top, k), wait(other, k)), wait(min(top + 1, blocks_ - 1), k)); });
  }
  /// Until L(i,k) is final.
  __device__ void wait_for(int i, int k) const {
    ask([&] { return wait(i, k); });
  }
  /// By one thread: how many block columns are final in block row i, more than k.
  __device__ int wait(int i, int k) const {
    int count = read(progress_->final(i));
    for (; count <= k; count = read(progress_->final(i))) __nanosleep(20);
    return count;
  }

  /// n columns of m rows, or their lower triangle.
  template <bool lower, int height, class From>
  static __device__ void store(const From& from, T* to, std::int64_t leading_dimension, int m, int n) {
    const int i = static_cast<int>(threadIdx.x) % height;
    const int end = lower ? min(n, i + 1) : n;
    for (int q = static_cast<int>(threadIdx.x) / height; q < end; q += threads / height) {
      if (i < m) to[i + q * leading_dimension] = from(i, q);
    }
    __syncthreads();
  }

  const CholeskyInOneLaunch<T>& factor_;
  const Slabs<T>& a_;
  CholeskyProgress* progress_;
  int n_;
  int blocks_;
  CholeskyTasks tasks_;
  int column_ = 0;  // of the task last taken
};

template <class T>
__global__ void __launch_bounds__(threads, 1)
    cholesky_kernel(const __grid_constant__ CholeskyInOneLaunch<T> factor, CholeskyProgress* progress) {
  CholeskyTeam<T>(factor, progress).run();
}

}  // namespace

template <class T>
bool CudaCholesky::fits(const Kokkos::Cuda& exec) {
  return static_cast<std::size_t>(CholeskyTeam<T>::shared_bytes()) <= exec.cuda_device_prop().sharedMemPerBlockOptin;
}

template <class T>
std::int64_t CudaCholesky::workspace_bytes(std::int64_t n) {
  return CholeskyProgress::bytes((n + block<T> - 1) / block<T>);
}

template <class T>
void CudaCholesky::run(const Kokkos::Cuda& exec, const CholeskyInOneLaunch<T>& factor, char* workspace,
                       int most_teams) {
  check(cudaMemsetAsync(workspace, 0, static_cast<std::size_t>(workspace_bytes<T>(factor.a.n)), exec.cuda_stream()),
        "cudaMemsetAsync");
  const int teams = std::min(exec.cuda_device_prop().multiProcessorCount, most_teams);
  launch<threads, CholeskyTeam<T>::shared_bytes(), cholesky_kernel<T>>(
      "tessera::cholesky", exec, static_cast<unsigned>(teams), factor, reinterpret_cast<CholeskyProgress*>(workspace));
}

#define TESSERA_INSTANTIATE_CHOLESKY(T, Exec)                           \
  template bool CudaCholesky::fits<T>(const Exec&);                     \
  template std::int64_t CudaCholesky::workspace_bytes<T>(std::int64_t); \
  template void CudaCholesky::run<T>(const Exec&, const CholeskyInOneLaunch<T>&, char*, int);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CHOLESKY, Kokkos::Cuda)

}  // namespace tessera::kernels
