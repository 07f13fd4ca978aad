#include "kernels/cuda/substitution_tensor.hpp"

#include "kernels/cuda/row_blocks.hpp"
#include "kernels/cuda/tensor_core.hpp"

#include <cuda_pipeline.h>

namespace tessera::kernels {
namespace {

constexpr int block = substitution_block<double>;
constexpr int threads = 256;
constexpr int steps = block / 4;  // of a product with a block
constexpr int halves = 2;         // of these, and for each 4 warps that have 16 rows each
constexpr int own_steps = steps / halves;
constexpr int ahead = 2;                      // blocks of L on their way, so that memory is kept busy
constexpr int leading_dimension = block + 4;  // keeps 8 rows of 4 columns, and 4 of 8, in different banks

/// What a warp has of a block of L, or of its transpose, as A in the products of its half: 16 rows.
struct Elements {
  double of[own_steps][2];

  __device__ void load(const double* from, std::int64_t down, std::int64_t across, int rows, int columns) {
    const int i = warp() % 4 * 16 + lane() / 4;
    const int k = warp() / 4 * (block / halves) + lane() % 4;
    const double* const first = from + i * down + k * across;
    if (rows == block && columns == block) {
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
          of[s][t] = i + 8 * t < rows && k + 4 * s < columns ? first[8 * t * down + 4 * s * across] : 0;
        }
      }
    }
  }
};

/// Where the solution for a block is told to other teams: as B of the products, two steps side by side.
template <int tiles>
struct Tile {
  static constexpr int elements = block * 8 * tiles;
  double* data;

  /// Rows 16 i + 0:16, columns 8 t + 0:8.
  __device__ void write(int i, int t, const Product& y) const {
    const int row = lane() / 4;
#pragma unroll
    for (int p = 0; p < 2; ++p) {
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int place = ((2 * i + p) * tiles + t) * warp_size + (lane() % 4 * 2 + e) * 4 + row % 4;
        Told<double>::write(data + 2 * place + row / 4, y.of[p][e]);
      }
    }
  }
};

/// A warp's half of it.
template <int tiles>
struct Read {
  double of[own_steps][tiles];

  __device__ void load(const Tile<tiles>& told) {
    const double* const first = told.data + (warp() / 4 * (own_steps / 2) * tiles * warp_size + lane()) * 2;
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

template <int tiles>
constexpr int shared_bytes = (2 * leading_dimension * block + 4 * leading_dimension * 8 * tiles) *
                             static_cast<int>(sizeof(double));

/// Starts to copy; what is not there, or above the diagonal, is zero.
__device__ void start_load(double* to, const double* from, std::int64_t leading_dimension_of_from, int rows) {
  const int i = static_cast<int>(threadIdx.x) % block;
#pragma unroll
  for (int j = static_cast<int>(threadIdx.x) / block; j < block; j += threads / block) {
    double* const element = to + i + j * leading_dimension;
    if (i < rows && j <= i) {
      __pipeline_memcpy_async(element, from + i + j * leading_dimension_of_from, sizeof(double));
    } else {
      *element = 0;
    }
  }
}

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

/// A team takes the next part of rows (backward: of columns, from the last one), subtracts what the parts before it
/// give, as soon as each is told, and solves for it. Parts are taken in order: a team waits only for those that others
/// have taken before it.
template <int tiles, bool backward>
__global__ void __launch_bounds__(threads, 1)
    substitution_kernel(SlabsOfL<double> l, Cut<double> cut, int count, double* b_data, std::int64_t ldb, int nrhs,
                        int* counters, double* told) {
  extern __shared__ double2 memory[];
  __shared__ int shared_turn;
  constexpr int columns = 8 * tiles;
  constexpr int vectors = leading_dimension * columns;
  double* const diagonal = reinterpret_cast<double*>(memory);
  double* const inverse = diagonal + leading_dimension * block;
  double* const minus_right = inverse + leading_dimension * block;  // R = B less what is subtracted: of each half
  double* const first_y = minus_right + 2 * vectors;
  double* const minus_rest = first_y + vectors;
  int* const counter = counters + blockIdx.y;
  double* const own_told = told + static_cast<std::int64_t>(blockIdx.y) * count * Tile<tiles>::elements;
  double* const b = b_data + static_cast<std::int64_t>(blockIdx.y) * columns * ldb;
  const int own_columns = min(columns, nrhs - static_cast<int>(blockIdx.y) * columns);
  const int row = lane() / 4;
  const int column = lane() % 4 * 2;
  const auto told_of = [&](int turn) { return Tile<tiles>{own_told + std::int64_t{turn} * Tile<tiles>::elements}; };
  const typename Cut<double>::Position first = cut.position(backward ? count - 1 : 0);
  for (;;) {
    if (threadIdx.x == 0) shared_turn = atomicAdd(counter, 1) + 1;
    __syncthreads();
    const int turn = shared_turn;
    if (turn >= count) return;
    const typename Cut<double>::Position here = cut.position(backward ? count - 1 - turn : turn);
    const Part own = cut.part(here);

    typename Cut<double>::Position loading = first;
    Elements elements[ahead];
    const auto load = [&](Elements& to, int other) {
      if (other >= turn) return;
      const Part before = cut.part(loading);
      cut.template step<backward>(loading);
      const Part& rows = backward ? before : own;
      const Part& cols = backward ? own : before;
      const std::int64_t ld = l.slabs[cols.slab].leading_dimension;
      to.load(block_of_l(l, rows, cols), backward ? ld : 1, backward ? 1 : ld, own.size, before.size);
    };
#pragma unroll
    for (int d = 0; d < ahead; ++d) load(elements[d], d);
    start_load(diagonal, block_of_l(l, own, own), l.slabs[own.slab].leading_dimension, own.size);
    start_load(inverse, l.inverses + std::int64_t{cut.number(here)} * block * block, block, own.size);
    __pipeline_commit();
    Product sums[tiles];
    if (warp() < 4) {
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        const int i = warp() * 16 + 8 * p + row;
#pragma unroll
        for (int t = 0; t < tiles; ++t) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            const int j = 8 * t + column + e;
            if (i < own.size && j < own_columns) sums[t].of[p][e] = -b[own.begin + i + j * ldb];
          }
        }
      }
    }

    Read<tiles> next;
    if (turn > 0) next.load(told_of(0));
    const auto subtract = [&](const Elements& l_block, int other) {
      Read<tiles> y = next;
      while (y.is_missing()) {
        // Only the team that is next is in a hurry; all others would keep the cache busy.
        if (other + 2 < turn) __nanosleep(100);
        y.load(told_of(other));
      }
      if (other + 1 < turn) next.load(told_of(other + 1));
#pragma unroll
      for (int s = 0; s < own_steps; ++s) {
#pragma unroll
        for (int t = 0; t < tiles; ++t) {
          sums[t].add(l_block.of[s], y.of[s][t]);
        }
      }
    };
    for (int other = 0; other < turn; other += ahead) {
#pragma unroll
      for (int d = 0; d < ahead; ++d) {
        if (other + d >= turn) break;
        subtract(elements[d], other + d);
        load(elements[d], other + d + ahead);
      }
    }
#pragma unroll
    for (int p = 0; p < 2; ++p) {
#pragma unroll
      for (int t = 0; t < tiles; ++t) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          minus_right[warp() / 4 * vectors + warp() % 4 * 16 + 8 * p + row + (8 * t + column + e) * leading_dimension] =
              sums[t].of[p][e];
        }
      }
    }
    __pipeline_wait_prior(0);
    __syncthreads();
    const auto minus_r = [&](int i, int j) {
      return minus_right[i + j * leading_dimension] + minus_right[vectors + i + j * leading_dimension];
    };
    const auto at = [&](const double* x) { return [x](int i, int j) { return x[i + j * leading_dimension]; }; };
    // A warp has one tile of Y: 16 rows of it, so that two warps that share a tensor core have the same work.
    const int t = warp() / 4;
    const int i = t == 0 ? warp() : 3 - warp() % 4;
    const auto each = [&](const auto& f) {
#pragma unroll
      for (int p = 0; p < 2; ++p) {
#pragma unroll
        for (int e = 0; e < 2; ++e) f(p, e, 16 * i + 8 * p + row, 8 * t + column + e);
      }
    };
    const bool takes_part = t < tiles;
    Product y;
    Product minus_d;
    if (takes_part) {  // Y = X R
      Product minus_y;
      multiply_triangle<backward>(inverse, i, t, minus_r, minus_y);
      each([&](int p, int e, int at_row, int at_column) {
        y.of[p][e] = -minus_y.of[p][e];
        minus_d.of[p][e] = minus_r(at_row, at_column);
        first_y[at_row + at_column * leading_dimension] = y.of[p][e];
      });
    }
    __syncthreads();
    if (takes_part) {  // D = R - L Y
      multiply_triangle<backward>(diagonal, i, t, at(first_y), minus_d);
      each([&](int p, int e, int at_row, int at_column) {
        minus_rest[at_row + at_column * leading_dimension] = minus_d.of[p][e];
      });
    }
    __syncthreads();
    if (takes_part) {  // Y += X D
      Product minus_correction;
      multiply_triangle<backward>(inverse, i, t, at(minus_rest), minus_correction);
      each([&](int p, int e, int, int) { y.of[p][e] -= minus_correction.of[p][e]; });
      told_of(turn).write(i, t, y);
      each([&](int p, int e, int at_row, int at_column) {
        if (at_row < own.size && at_column < own_columns) b[own.begin + at_row + at_column * ldb] = y.of[p][e];
      });
    }
  }
}

template <int tiles, bool backward>
constexpr auto solve = launch_teams<threads, shared_bytes<tiles>, substitution_kernel<tiles, backward>, double>;

}  // namespace

void substitute_on_tensor_cores(const Kokkos::Cuda& exec, Op op, const SlabsOfL<double>& l,
                                const MatrixView<double, Kokkos::CudaSpace>& b, char* workspace) {
  const int tiles = b.extent(1) <= 8 ? 1 : 2;
  const auto forward = tiles == 1 ? solve<1, false> : solve<2, false>;
  const auto backward = tiles == 1 ? solve<1, true> : solve<2, true>;
  (op == Op::none ? forward : backward)(exec, l, b, 8 * tiles, workspace);
}

}  // namespace tessera::kernels
