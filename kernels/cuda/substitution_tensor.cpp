// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/substitution_tensor.hpp"

#include "kernels/cuda/substitution_turns.hpp"
#include "kernels/cuda/tensor_core.hpp"

#include <cuda_pipeline.h>

namespace tessera::kernels {
namespace {

constexpr int size = substitution_block<double>;
constexpr int steps = size / 4;  // of a product with a block
constexpr int halves = 2;        // of these, and for each 4 warps that have 16 rows each
constexpr int own_steps = steps / halves;
constexpr int leading_dimension = size + 4;  // keeps 8 rows of 4 columns, and 4 of 8, in different banks

/// What a warp has of a block of L, backward of its transpose, as A in the products of its half: 16 rows.
template <bool backward>
struct WarpFragment {
  double of[own_steps][2];

  __device__ void load(const double* from, std::int64_t leading_dimension_of_from, int rows, int columns) {
    const std::int64_t down = backward ? leading_dimension_of_from : 1;
    const std::int64_t across = backward ? 1 : leading_dimension_of_from;
    const int height = backward ? columns : rows;
    const int width = backward ? rows : columns;
    const int i = warp() % 4 * 16 + lane() / 4;
    const int k = warp() / 4 * (size / halves) + lane() % 4;
    const double* const first = from + i * down + k * across;
    if (height == size && width == size) {
#pragma unroll
      for (int s = 0; s < own_steps; ++s) {
#pragma unroll
        for (int t = 0; t < 2; ++t) of[s][t] = __ldcs(first + 8 * t * down + 4 * s * across);
      }
    } else {
#pragma unroll
      for (int s = 0; s < own_steps; ++s) {
#pragma unroll
        for (int t = 0; t < 2; ++t) {
          of[s][t] = i + 8 * t < height && k + 4 * s < width ? first[8 * t * down + 4 * s * across] : 0;
        }
      }
    }
  }
};

/// Where the solution for a block is published: as B of the products, two steps side by side.
template <int tiles>
struct PublishedBlock {
  static constexpr int elements = size * 8 * tiles;
  double* data;

  /// Rows 16 i + 0:16, columns 8 t + 0:8.
  __device__ void write(int i, int t, const Product& y) const {
    const int row = lane() / 4;
#pragma unroll
    for (int p = 0; p < 2; ++p) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int place = ((2 * i + p) * tiles + t) * warp_size + (lane() % 4 * 2 + e) * 4 + row % 4;
        Published<double>::write(data + 2 * place + row / 4, y.of[p][e]);
      }
    }
  }
};

/// A warp's half of it, in registers.
template <int tiles>
struct PublishedHalf {
  double of[own_steps][tiles];

  PublishedHalf() = default;
  __device__ explicit PublishedHalf(const PublishedBlock<tiles>& block) {
    const double* const first = block.data + (warp() / 4 * (own_steps / 2) * tiles * warp_size + lane()) * 2;
#pragma unroll
    for (int s = 0; s < own_steps; s += 2) {
#pragma unroll
      for (int t = 0; t < tiles; ++t) {
        const double* const from = first + (s / 2 * tiles + t) * 2 * warp_size;
        asm volatile("ld.relaxed.gpu.global.v2.f64 {%0, %1}, [%2];" : "=d"(of[s][t]), "=d"(of[s + 1][t]) : "l"(from));
      }
    }
  }
  __device__ bool is_missing() const {
    unsigned high = 0;
#pragma unroll
    for (int s = 0; s < own_steps; ++s) {
#pragma unroll
      for (int t = 0; t < tiles; ++t) high = max(high, static_cast<unsigned>(__double2hiint(of[s][t])));
    }
    return __any_sync(all_lanes, high == 0xffffffff);  // of any
  }
};

/// C += A B for rows 16 i + 0:16 and columns 8 t + 0:8, where A is a lower triangle, or its transpose, and `b(k, j)`
/// what stands in B.
template <bool transposed, class Right>
__device__ void multiply_triangle(const double* a, int i, int t, const Right& b, Product& c) {
  const int row = 16 * i + lane() / 4;
  const int column = 8 * t + lane() / 4;
  const int first = transposed ? 4 * i : 0;
  const int last = transposed ? steps : 4 * (i + 1);
  Product odd;
#pragma unroll 2
  for (int s = first; s < last; s += 2) {
    const auto add = [&](Product& to, int k) {
      const auto entry = [&](int at) {
        return transposed ? a[k + at * leading_dimension] : a[at + k * leading_dimension];
      };
      to.add({entry(row), entry(row + 8)}, b(k, column));
    };
    add(c, 4 * s + lane() % 4);
    add(odd, 4 * s + 4 + lane() % 4);
  }
#pragma unroll
  for (int p = 0; p < 2; ++p) {
#pragma unroll
    for (int e = 0; e < 2; ++e) c.of[p][e] += odd.of[p][e];
  }
}

/// f(p, e, i, j) for this lane's elements of a tile: rows 16 i + 0:16, columns 8 t + 0:8.
template <class F>
__device__ void for_each_own(int i, int t, const F& f) {
#pragma unroll
  for (int p = 0; p < 2; ++p) {
#pragma unroll
    for (int e = 0; e < 2; ++e) f(p, e, 16 * i + 8 * p + lane() / 4, 8 * t + lane() % 4 * 2 + e);
  }
}

/// A Solver whose warps make products by tensor cores.
template <int tiles, bool backward_>
class WarpSolver {
 public:
  using Scalar = double;
  using Fragment = WarpFragment<backward_>;
  using Solution = PublishedHalf<tiles>;
  static constexpr int threads = 256;
  static constexpr int least_teams = 1;
  static constexpr int columns = 8 * tiles;
  static constexpr bool backward = backward_;
  static constexpr int ahead = 2;
  static constexpr int shared_bytes =
      (2 * leading_dimension * size + 4 * leading_dimension * columns) * static_cast<int>(sizeof(double));

  __device__ WarpSolver(double* shared, const Group<double>& group, const Turn<double>& turn)
      : diagonal_(shared),
        inverse_(diagonal_ + leading_dimension * size),
        minus_right_(inverse_ + leading_dimension * size),
        first_y_(minus_right_ + halves * vectors),
        minus_rest_(first_y_ + vectors),
        group_(group),
        turn_(turn) {
    start_load(diagonal_, turn.diagonal, turn.leading_dimension);
    start_load(inverse_, turn.inverse, size);
    __pipeline_commit();
    if (warp() < 4) subtract_b();
  }

  __device__ Solution read(int other) const { return Solution(published(other)); }
  __device__ void share(const Solution& y, int) { y_ = y; }
  __device__ void subtract(const Fragment& l, int) {
#pragma unroll
    for (int s = 0; s < own_steps; ++s) {
#pragma unroll
      for (int t = 0; t < tiles; ++t) sums_[t].add(l.of[s], y_.of[s][t]);
    }
  }

  __device__ void solve() {
    store_sums();
    __pipeline_wait_prior(0);
    __syncthreads();
    // A warp has one tile of Y: 16 rows of it, so that two warps that share a tensor core have the same work.
    const int t = warp() / 4;
    const int i = t == 0 ? warp() : 3 - warp() % 4;
    const bool takes_part = t < tiles;
    Product y;
    Product minus_d;
    if (takes_part) solve_first(i, t, y, minus_d);
    __syncthreads();
    if (takes_part) find_rest(i, t, minus_d);
    __syncthreads();
    if (takes_part) {
      correct(i, t, y);
      published(turn_.number).write(i, t, y);
      for_each_own(i, t, [&](int p, int e, int row, int column) {
        if (is_in_b(row, column)) b(row, column) = y.of[p][e];
      });
    }
  }

 private:
  static constexpr int vectors = leading_dimension * columns;  // a block of B in shared memory

  __device__ PublishedBlock<tiles> published(int number) const {
    return {group_.published + std::int64_t{number} * PublishedBlock<tiles>::elements};
  }
  __device__ bool is_in_b(int i, int j) const { return i < turn_.own.size && j < group_.columns; }
  __device__ double& b(int i, int j) const { return group_.b[turn_.own.begin + i + j * group_.leading_dimension]; }

  /// Starts to copy a lower triangle; what is not there, or above the diagonal, is zero.
  __device__ void start_load(double* to, const double* from, std::int64_t leading_dimension_of_from) const {
    const int i = static_cast<int>(threadIdx.x) % size;
#pragma unroll
    for (int j = static_cast<int>(threadIdx.x) / size; j < size; j += threads / size) {
      double* const element = to + i + j * leading_dimension;
      if (i < turn_.own.size && j <= i) {
        __pipeline_memcpy_async(element, from + i + j * leading_dimension_of_from, sizeof(double));
      } else {
        *element = 0;
      }
    }
  }

  __device__ void subtract_b() {
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
      for_each_own(warp(), t, [&](int p, int e, int i, int j) {
        if (is_in_b(i, j)) sums_[t].of[p][e] = -b(i, j);
      });
    }
  }

  /// -R, the sum of what both halves have.
  __device__ void store_sums() const {
    double* const half = minus_right_ + warp() / 4 * vectors;
#pragma unroll
    for (int t = 0; t < tiles; ++t) {
      for_each_own(warp() % 4, t,
                   [&](int p, int e, int i, int j) { half[i + j * leading_dimension] = sums_[t].of[p][e]; });
    }
  }
  __device__ double minus_r(int i, int j) const {
    return minus_right_[i + j * leading_dimension] + minus_right_[vectors + i + j * leading_dimension];
  }

  /// Y = X R
  __device__ void solve_first(int i, int t, Product& y, Product& minus_d) const {
    Product minus_y;
    multiply_triangle<backward>(
        inverse_, i, t, [this](int k, int j) { return minus_r(k, j); }, minus_y);
    for_each_own(i, t, [&](int p, int e, int row, int column) {
      y.of[p][e] = -minus_y.of[p][e];
      minus_d.of[p][e] = minus_r(row, column);
      first_y_[row + column * leading_dimension] = y.of[p][e];
    });
  }

  /// D = R - L Y
  __device__ void find_rest(int i, int t, Product& minus_d) const {
    multiply_triangle<backward>(
        diagonal_, i, t, [this](int k, int j) { return first_y_[k + j * leading_dimension]; }, minus_d);
    for_each_own(i, t, [&](int p, int e, int row, int column) {
      minus_rest_[row + column * leading_dimension] = minus_d.of[p][e];
    });
  }

  /// Y += X D
  __device__ void correct(int i, int t, Product& y) const {
    Product minus_correction;
    multiply_triangle<backward>(
        inverse_, i, t, [this](int k, int j) { return minus_rest_[k + j * leading_dimension]; }, minus_correction);
    for_each_own(i, t, [&](int p, int e, int, int) { y.of[p][e] -= minus_correction.of[p][e]; });
  }

  double* diagonal_;
  double* inverse_;
  double* minus_right_;  // R = B less what is subtracted: of each half
  double* first_y_;
  double* minus_rest_;
  Group<double> group_;
  Turn<double> turn_;
  Solution y_;
  Product sums_[tiles];
};

template <int tiles>
void substitute(const Kokkos::Cuda& exec, Op op, const SlabsOfL<double>& l,
                const MatrixView<double, Kokkos::CudaSpace>& b, char* workspace) {
  op == Op::none ? launch_teams<WarpSolver<tiles, false>>(exec, l, b, workspace)
                 : launch_teams<WarpSolver<tiles, true>>(exec, l, b, workspace);
}

}  // namespace

void substitute_on_tensor_cores(const Kokkos::Cuda& exec, Op op, const SlabsOfL<double>& l,
                                const MatrixView<double, Kokkos::CudaSpace>& b, char* workspace) {
  b.extent(1) <= 8 ? substitute<1>(exec, op, l, b, workspace) : substitute<2>(exec, op, l, b, workspace);
}

}  // namespace tessera::kernels
