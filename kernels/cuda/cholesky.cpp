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

  __device__ CholeskyTeam(const Slabs<T>& a, std::int64_t* failing, Shares* shares)
      : a_(a),
        failing_(failing),
        shares_(shares),
        n_(static_cast<int>(a.n)),
        blocks_((n_ + size - 1) / size) {}

  __device__ void run() {
    bool chain = ask([&] { return atomicAdd(&shares_->chains, 1) == 0; });
    int j = 0;  // the chain's
    bool kept = true;
    if (chain) {
      start_load<true, size>(at(0, 0), leading_dimension(0), height(0), height(0), diagonal());
      finish_loads();
      factor_diagonal(0);
    }
    START
    for (;;) {
      if (chain && j + 1 == blocks_) chain = false;
      if (chain && ask([&] { return read(&shares_->prepared) > j; })) {
        CLOCK(6)
        advance(j, kept);
        kept = true;
        ++j;
        CLOCK(7)
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
  using Tall = typename Shape::Left;
  using Square = typename Shape::Right;

  /// Shared memory, in elements.
  struct Layout {
    static constexpr int stages = 3;
    static constexpr int of_rows = Tall::leading_dimension;
    static constexpr int of_columns = Square::leading_dimension;
    static constexpr int stage = (of_rows + of_columns) * Shape::depth;
    static constexpr int square = of_columns * size;
    static constexpr int diagonal = 2 * width;
    static constexpr int first_stage = diagonal;
    static constexpr int target = first_stage + stages * stage;
    static constexpr int reciprocals = target + of_rows * size;
    static_assert(3 * square <= stages * stage);
    static constexpr int bytes =
        reciprocals * static_cast<int>(sizeof(T)) + size * static_cast<int>(sizeof(Real));
  };
  __device__ SharedVector<T> column() const { return {0}; }
  __device__ Square diagonal() const { return {Layout::diagonal}; }
  __device__ Tall target() const { return {Layout::target}; }
  __device__ Tall left(int stage) const { return {Layout::first_stage + stage * Layout::stage}; }
  __device__ Square right(int stage) const { return {left(stage).first + Layout::of_rows * Shape::depth}; }
  /// The chain's, where others have stages.
  __device__ Square below() const { return {Layout::diagonal + Layout::square}; }
  __device__ Square next() const { return {Layout::diagonal + 2 * Layout::square}; }
  __device__ SharedVector<Real> reciprocals() const {
    return {Layout::reciprocals * static_cast<int>(sizeof(T) / sizeof(Real))};
  }

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

  /// Where the operands of a product are, column by column: rows of block `top` and after, and those of block `other`.
  class Operands {
   public:
    __device__ Operands(const CholeskyTeam& team, int top, int other, int k)
        : team_(team),
          k_(k),
          left_row_(top + existing<Shape::rows>(team.n_ - top)),
          right_row_(other + existing<Shape::columns>(team.n_ - other)) {
      locate();
    }

    __device__ int next() const { return k_; }

    /// Starts to load the next `depth` columns.
    __device__ void start_load(Tall left, Square right) {
      load<Shape::rows>(left, left_);
      load<Shape::columns>(right, right_);
      k_ += Shape::depth;
      left_ += Shape::depth * lead_;
      right_ += Shape::depth * lead_;
      if (k_ == slab_end_) locate();
    }

   private:
    static constexpr int piece = 16 / static_cast<int>(sizeof(T));  // of a column, that a thread loads

    template <int rows>
    static __device__ int row() {
      return static_cast<int>(threadIdx.x) % (rows / piece) * piece;
    }
    template <int rows>
    static __device__ int column() {
      return static_cast<int>(threadIdx.x) / (rows / piece);
    }
    /// A row that there is, of so many; the sums of others are not used.
    template <int rows>
    static __device__ int existing(int there) {
      return min(row<rows>(), (there - 1) / piece * piece);
    }

    __device__ void locate() {
      const int width = static_cast<int>(team_.a_.width);
      const int slab = k_ / width;
      const int origin = slab * width;
      slab_end_ = origin + width;
      if (slab_end_ - width >= team_.n_) return;
      lead_ = team_.a_.of[slab].leading_dimension;
      const T* const first = team_.a_.of[slab].data + (k_ - origin) * lead_ - origin;
      left_ = first + left_row_ + column<Shape::rows>() * lead_;
      right_ = first + right_row_ + column<Shape::columns>() * lead_;
    }

    template <int rows, int lead>
    __device__ void load(Shared<T, lead> to, const T* from) const {
      constexpr int step = threads / (rows / piece);
      T* const first = &to(row<rows>(), column<rows>());
#pragma unroll
      for (int c = 0; c < Shape::depth; c += step) {
        if (step > Shape::depth && column<rows>() >= Shape::depth) continue;
        __pipeline_memcpy_async(first + c * to.leading_dimension, from + c * lead_, 16);
      }
    }

    const CholeskyTeam& team_;
    int k_;
    int slab_end_;
    int left_row_;
    int right_row_;
    std::int64_t lead_;
    const T* left_;
    const T* right_;
  };

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
    Operands operands(*this, top * size, other * size, from);
#pragma unroll
    for (int s = 0; s + 1 < stages; ++s) {
      if (operands.next() < to) operands.start_load(left(s), right(s));
      __pipeline_commit();
    }
    int stage = 0;
    for (int k = from; k < to; k += Shape::depth) {
      __pipeline_wait_prior(stages - 2);
      __syncthreads();
      const int ahead = stage == 0 ? stages - 1 : stage - 1;
      const bool early = warp() < warps / 2;
      if (early && operands.next() < to) operands.start_load(left(ahead), right(ahead));
      product.add(left(stage), right(stage), 0, Shape::depth / 2);
      if (!early && operands.next() < to) operands.start_load(left(ahead), right(ahead));
      __pipeline_commit();
      product.add(left(stage), right(stage), Shape::depth / 2, Shape::depth);
      stage = stage + 1 == stages ? 0 : stage + 1;
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
    const Tall c = target();
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
    const Tall c = target();
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
    const Square l = diagonal();
    START
    factor_blocks(l, in_blocks(high), column(), reciprocals(), std::int64_t{j} * size, failing_);
    CLOCK(8)
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
    START
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
    CLOCK(0)
    divide_blocks(below(), in_blocks(high), diagonal(), in_blocks(size), reciprocals());
    CLOCK(1)
    const int i = static_cast<int>(threadIdx.x) % size;
    for (int q = static_cast<int>(threadIdx.x) / size; q < size; q += threads / size) {
      if (i < high) a[i + q * lead] = below()(i, q);
    }
    __syncthreads();
    if (threadIdx.x == threads - 1) {
      __threadfence();
      tell(shares_->final + j + 1, j + 1);
    }
    CLOCK(2)
    // A(j+1,j+1) -= L(j+1,j) L(j+1,j)^H
    int turn = 0;
    for (int q = 0; q < in_blocks(high); ++q) {
      for (int p = q; p < in_blocks(high); ++p) {
        if (turn == warp()) {
          subtract_product(next().block(p, q), below().block(p, 0), below().block(q, 0), size / width);
        }
        turn = (turn + 1) % warps;
      }
    }
    __syncthreads();
    CLOCK(3)
    for (int e = static_cast<int>(threadIdx.x); e < Layout::square; e += threads) (&diagonal()(0, 0))[e] = (&next()(0, 0))[e];
    __syncthreads();
    CLOCK(4)
    factor_diagonal(j + 1);
    CLOCK(5)
  }

  const Slabs<T>& a_;
  std::int64_t* failing_;
  Shares* shares_;
  int n_;
  int blocks_;
  int column_ = 0;
};

template <class T>
__global__ void __launch_bounds__(threads, 1)
    cholesky_kernel(const __grid_constant__ Slabs<T> a, std::int64_t* failing, Shares* shares) {
  CholeskyTeam<T>(a, failing, shares).run();
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
#ifdef CLOCKS
void print_clocks(int count) {
  long long c[64]; cudaMemcpyFromSymbol(c, clocks, sizeof c);
  printf("   us each: load %.2f trsm %.2f store+publish %.2f syrk %.2f copy %.2f potrf+store %.2f (potrf %.2f) wait %.2f all %.2f\n", c[0]/1.755e3/count,c[1]/1.755e3/count,c[2]/1.755e3/count,c[3]/1.755e3/count,c[4]/1.755e3/count,c[5]/1.755e3/count,c[8]/1.755e3/count,c[6]/1.755e3/count,c[7]/1.755e3/count);
  printf("   of potrf: blocks %.2f (sync) %.2f divide %.2f products %.2f\n", c[10]/1.755e3/count,c[11]/1.755e3/count,c[12]/1.755e3/count,c[13]/1.755e3/count);
  long long z[64]={}; cudaMemcpyToSymbol(clocks, z, sizeof z);
}
#endif

}  // namespace tessera::kernels
