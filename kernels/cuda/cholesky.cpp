#include "kernels/cuda/cholesky.hpp"

#include "kernels/cuda/block_product.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/tile_blocks.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// What teams tell each other, all 0 at the start.
struct Shares {
  int taken;     // tasks
  int chains;    // teams that asked to be the chain
  int prepared;  // columns of blocks for which what the chain needs is there
  int final[1];  // of each row of blocks, those that are L's: they become final from the left to the right
};

__device__ int read(const int* from) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

template <class T>
class CholeskyTeam {
 public:
  using Real = detail::RealOf<T>;
  using Shape = ProductShape<T>;
  static constexpr int size = static_cast<int>(CudaCholesky::block<T>);
  static_assert(size == Shape::columns);

  static constexpr int shared_bytes() { return Layout::bytes; }

  __device__ CholeskyTeam(const Slabs<T>& a, std::int64_t* failing, Shares* shares, void* memory)
      : a_(a),
        failing_(failing),
        shares_(shares),
        n_(static_cast<int>(a.n)),
        blocks_((n_ + size - 1) / size),
        memory_(static_cast<T*>(memory)) {}

  __device__ void run() {
    bool chain = ask([&] { return atomicAdd(&shares_->chains, 1) == 0; });
    int j = 0;  // the chain's
    bool kept = true;
    if (chain) {
      start_load<true, size>(at(0, 0), leading_dimension(0), height(0), height(0), diagonal());
      finish_loads();
      factor_diagonal(0);
    }
    for (;;) {
      if (chain && j + 1 == blocks_) chain = false;
      if (chain && ask([&] { return read(&shares_->prepared) > j; })) {
        advance(j, kept);
        kept = true;
        ++j;
        continue;
      }
      const int task = chain ? ask([&] { return take_up_to(first_task(j)); })
                             : ask([&] { return atomicAdd(&shares_->taken, 1); });
      if (task >= first_task(blocks_ - 1)) return;
      if (task < 0) continue;
      run_task(task);
      kept = false;
    }
  }

 private:
  /// Shared memory, in elements.
  struct Layout {
    static constexpr int stages = 4;
    static constexpr int of_rows = padded<T>(Shape::rows);
    static constexpr int of_columns = padded<T>(Shape::columns);
    static constexpr int stage = (of_rows + of_columns) * Shape::depth;
    static constexpr int square = of_columns * size;
    static constexpr int diagonal = 2 * width;
    static constexpr int target = diagonal + square;
    static constexpr int first_stage = target + of_rows * size;
    static constexpr int reciprocals = first_stage + stages * stage;
    static constexpr int bytes =
        reciprocals * static_cast<int>(sizeof(T)) + size * static_cast<int>(sizeof(Real));
  };
  __device__ T* column() const { return memory_; }
  __device__ Shared<T> diagonal() const { return {memory_ + Layout::diagonal, Layout::of_columns}; }
  __device__ Shared<T> target() const { return {memory_ + Layout::target, Layout::of_rows}; }
  __device__ Shared<T> left(int stage) const {
    return {memory_ + Layout::first_stage + stage * Layout::stage, Layout::of_rows};
  }
  __device__ Shared<T> right(int stage) const {
    return {left(stage).data + Layout::of_rows * Shape::depth, Layout::of_columns};
  }
  /// The chain's, where others have stages.
  __device__ Shared<T> below() const { return {memory_ + Layout::first_stage, Layout::of_columns}; }
  __device__ Shared<T> next() const { return {memory_ + Layout::first_stage + Layout::square, Layout::of_columns}; }
  __device__ Real* reciprocals() const { return reinterpret_cast<Real*>(memory_ + Layout::reciprocals); }

  __device__ int height(int i) const { return min(size, n_ - i * size); }
  /// Row block i of column block j in memory.
  __device__ T* at(int i, int j) const {
    const int slab = j * size / static_cast<int>(a_.width);
    const int origin = slab * static_cast<int>(a_.width);
    return a_.of[slab].data + (i * size - origin) + (j * size - origin) * a_.of[slab].leading_dimension;
  }
  __device__ std::int64_t leading_dimension(int j) const {
    return a_.of[j * size / static_cast<int>(a_.width)].leading_dimension;
  }

  /// What one thread is told, for all.
  template <class F>
  __device__ auto ask(const F& question) const {
    __shared__ int answer;
    __syncthreads();
    if (threadIdx.x == 0) answer = static_cast<int>(question());
    __syncthreads();
    return answer;
  }
  /// All that this team has written is there for whoever reads the number.
  __device__ void tell(int* number, int value) const {
    asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(number), "r"(value) : "memory");
  }

  /// Tasks of a column: what the chain needs, and then the rows below.
  __device__ int first_task(int j) const {  // of all columns before it: sum of 1 + ceil((blocks - 2 - j) / 2)
    const int rows = max(0, blocks_ - 2);
    const int short_of = max(0, rows - j);
    const auto halves = [](int m) { return (m + 1) / 2 * ((m + 1) / 2 + 1) - (m % 2 == 1 ? (m + 1) / 2 : 0); };
    return j + halves(rows) - halves(short_of);
  }
  __device__ int take_up_to(int last) const {
    int taken = *static_cast<volatile int*>(&shares_->taken);
    while (taken <= last) {
      const int found = atomicCAS(&shares_->taken, taken, taken + 1);
      if (found == taken) return taken;
      taken = found;
    }
    return -1;
  }

  __device__ void run_task(int task) {
    while (task >= first_task(column_ + 1)) ++column_;
    const int j = column_;
    const int number = task - first_task(j);
    if (number == 0) {
      prepare(j);
    } else {
      finish_rows(j, j + 2 * number, number);
    }
  }

  /// Starts to load `depth` columns of L, from column k on: rows of block `top` and after, and those of block `other`.
  __device__ void start_stage(int stage, int k, int top, int other) const {
    constexpr int piece = 16 / static_cast<int>(sizeof(T));
    const int j = k / size;
    const std::int64_t lead = leading_dimension(j);
    const auto load = [&](const Shared<T>& to, const T* from, int rows, auto height_of_to) {
      constexpr int pieces = decltype(height_of_to)::value / piece;
      const int i = static_cast<int>(threadIdx.x) % pieces * piece;
      const int missing = min(max(i + piece - rows, 0), piece);
      const T* const source = missing == piece ? from : from + i;
#pragma unroll
      for (int c = static_cast<int>(threadIdx.x) / pieces; c < Shape::depth; c += threads / pieces) {
        __pipeline_memcpy_async(&to(i, c), source + c * lead, 16, missing * sizeof(T));
      }
    };
    const std::int64_t offset = (k - j * size) * lead;
    load(left(stage), at(top, j) + offset, n_ - top * size, std::integral_constant<int, Shape::rows>());
    load(right(stage), at(other, j) + offset, n_ - other * size, std::integral_constant<int, Shape::columns>());
  }

  /// The sum over k < `end` of L(top:top+2,k) L(other,k)^H, each as soon as it is there.
  __device__ void multiply(BlockProduct<T>& product, int top, int other, int end) const {
    const int second = min(top + 1, blocks_ - 1);
    for (int from = 0; from < end;) {
      const int to = min(end, wait_for(top, second, other, from));
      multiply(product, top, other, from * size, to * size);
      from = to;
    }
  }
  __device__ void multiply(BlockProduct<T>& product, int top, int other, int from, int to) const {
    constexpr int stages = Layout::stages;
#pragma unroll
    for (int s = 0; s + 1 < stages; ++s) {
      if (from + s * Shape::depth < to) start_stage(s, from + s * Shape::depth, top, other);
      __pipeline_commit();
    }
    int stage = 0;
    for (int k = from; k < to; k += Shape::depth) {
      __pipeline_wait_prior(stages - 2);
      __syncthreads();
      const int ahead = k + (stages - 1) * Shape::depth;
      if (ahead < to) start_stage((stage + stages - 1) % stages, ahead, top, other);
      __pipeline_commit();
      product.add(left(stage), right(stage));
      stage = (stage + 1) % stages;
    }
    __syncthreads();
  }

  /// How many blocks of these rows are final: more than k.
  __device__ int wait_for(int top, int second, int other, int k) const {
    return ask([&] {
      const auto final = [&](int i) {
        int count = read(shares_->final + i);
        while (count <= k) {
          __nanosleep(20);
          count = read(shares_->final + i);
        }
        return count;
      };
      const int of_top = final(top);
      const int of_other = final(other);
      return min(min(of_top, of_other), final(second));
    });
  }

  /// A(top:top+2,j) to L(top:top+2,j).
  __device__ void finish_rows(int j, int top, int) {
    const int rows = min(2 * size, n_ - top * size);
    const std::int64_t lead = leading_dimension(j);
    T* const a = at(top, j);
    const Shared<T> c = target();
    start_load<false, Shape::rows>(a, lead, rows, size, c);
    __pipeline_commit();
    BlockProduct<T> product;
    multiply(product, top, j, j);
    finish_loads();
    product.for_each([&](int i, int q, const T& sum) { c(i, q) -= sum; });
    wait_for(j, j, j, j);
    start_load<true, size>(at(j, j), lead, size, size, diagonal());
    finish_loads();
    invert_diagonal(size);
    divide_blocks(c, in_blocks(rows), diagonal(), in_blocks(size), reciprocals());
    const int i = static_cast<int>(threadIdx.x) % Shape::rows;
    for (int q = static_cast<int>(threadIdx.x) / Shape::rows; q < size; q += threads / Shape::rows) {
      if (i < rows) a[i + q * lead] = c(i, q);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      tell(shares_->final + top, j + 1);
      if (rows > size) tell(shares_->final + top + 1, j + 1);
    }
  }

  __device__ void invert_diagonal(int m) const {
    const int i = static_cast<int>(threadIdx.x);
    if (i < size) reciprocals()[i] = i < m ? Real(1) / detail::real(diagonal()(i, i)) : Real(1);
    __syncthreads();
  }

  /// A(j+1,j) and A(j+1,j+1) without the columns before j.
  __device__ void prepare(int j) {
    const int high = height(j + 1);
    const Shared<T> c = target();
    T* const below = at(j + 1, j);
    T* const diagonal = at(j + 1, j + 1);
    const std::int64_t of_below = leading_dimension(j);
    const std::int64_t of_diagonal = leading_dimension(j + 1);
    const int i = static_cast<int>(threadIdx.x) % size;
    const int first = static_cast<int>(threadIdx.x) / size;
    for (int q = first; q < size; q += threads / size) {
      if (i >= high) continue;
      __pipeline_memcpy_async(&c(q, i), below + i + q * of_below, sizeof(T));
      if (q <= i) __pipeline_memcpy_async(&c(size + i, q), diagonal + i + q * of_diagonal, sizeof(T));
    }
    __pipeline_commit();
    BlockProduct<T> product;
    multiply(product, j, j + 1, j);
    finish_loads();
    product.for_each([&](int p, int q, const T& sum) { c(p, q) -= p < size ? detail::conj(sum) : sum; });
    __syncthreads();
    for (int q = first; q < size; q += threads / size) {
      if (i >= high) continue;
      below[i + q * of_below] = c(q, i);
      if (q <= i) diagonal[i + q * of_diagonal] = c(size + i, q);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      tell(&shares_->prepared, j + 1);
    }
  }

  /// L(j,j), from diagonal(), where it stays.
  __device__ void factor_diagonal(int j) {
    const int high = height(j);
    const Shared<T> l = diagonal();
    factor_blocks(l, in_blocks(high), column(), reciprocals(), std::int64_t{j} * size, failing_);
    T* const a = at(j, j);
    const std::int64_t lead = leading_dimension(j);
    const int i = static_cast<int>(threadIdx.x) % size;
    for (int q = static_cast<int>(threadIdx.x) / size; q <= i; q += threads / size) {
      if (i < high) a[i + q * lead] = l(i, q);
    }
    __syncthreads();
    if (threadIdx.x == threads - 1) {
      __threadfence();
      tell(shares_->final + j, j + 1);
    }
  }

  /// L(j+1,j) and L(j+1,j+1). `kept`: L(j,j) is still in shared memory.
  __device__ void advance(int j, bool kept) {
    const int high = height(j + 1);
    const std::int64_t lead = leading_dimension(j);
    T* const a = at(j + 1, j);
    start_load<false, size>(a, lead, high, size, below());
    start_load<true, size>(at(j + 1, j + 1), leading_dimension(j + 1), high, high, next());
    if (!kept) {
      start_load<true, size>(at(j, j), lead, size, size, diagonal());
    }
    finish_loads();
    if (!kept) invert_diagonal(size);
    divide_blocks(below(), in_blocks(high), diagonal(), in_blocks(size), reciprocals());
    const int i = static_cast<int>(threadIdx.x) % size;
    for (int q = static_cast<int>(threadIdx.x) / size; q < size; q += threads / size) {
      if (i < high) a[i + q * lead] = below()(i, q);
    }
    __syncthreads();
    if (threadIdx.x == threads - 1) {
      __threadfence();
      tell(shares_->final + j + 1, j + 1);
    }
    // A(j+1,j+1) -= L(j+1,j) L(j+1,j)^H
    int turn = 0;
    for (int q = 0; q < in_blocks(high); ++q) {
      for (int p = q; p < in_blocks(high); ++p) {
        if (turn == warp()) {
          for (int k = 0; k < in_blocks(size); ++k) {
            subtract_product(next().block(p, q), below().block(p, k), below().block(q, k));
            __syncwarp();
          }
        }
        turn = (turn + 1) % warps;
      }
    }
    __syncthreads();
    for (int e = static_cast<int>(threadIdx.x); e < Layout::square; e += threads) diagonal().data[e] = next().data[e];
    __syncthreads();
    factor_diagonal(j + 1);
  }

  const Slabs<T>& a_;
  std::int64_t* failing_;
  Shares* shares_;
  int n_;
  int blocks_;
  T* memory_;
  int column_ = 0;
};

template <class T>
__global__ void __launch_bounds__(threads, 1)
    cholesky_kernel(const __grid_constant__ Slabs<T> a, std::int64_t* failing, Shares* shares) {
  extern __shared__ double2 memory[];
  CholeskyTeam<T>(a, failing, shares, memory).run();
}

}  // namespace

std::int64_t CudaCholesky::workspace_bytes(std::int64_t n) {
  return static_cast<std::int64_t>(sizeof(Shares) + sizeof(int)) * 1 + (n + 31) / 32 * std::int64_t{sizeof(int)};
}

template <class T>
void CudaCholesky::run(const Kokkos::Cuda& exec, const Slabs<T>& a, std::int64_t* failing, void* workspace, int teams) {
  check(cudaMemsetAsync(workspace, 0, static_cast<std::size_t>(workspace_bytes(a.n)), exec.cuda_stream()),
        "cudaMemsetAsync");
  const int multiprocessors = exec.cuda_device_prop().multiProcessorCount;
  teams = teams > 0 ? std::min(teams, multiprocessors) : multiprocessors;
  launch<threads, CholeskyTeam<T>::shared_bytes(), cholesky_kernel<T>>(
      "tessera::cholesky", exec, static_cast<unsigned>(teams), a, failing, static_cast<Shares*>(workspace));
}

#define TESSERA_INSTANTIATE_CHOLESKY(T, Exec) \
  template void CudaCholesky::run<T>(const Exec&, const Slabs<T>&, std::int64_t*, void*, int);
TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_CHOLESKY, Kokkos::Cuda)

}  // namespace tessera::kernels
