// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

// A warp's product of 16 x 4 and 4 x 8 numbers in double, by a tensor core.
namespace tessera::kernels {

constexpr int warp_size = 32;
constexpr unsigned all_lanes = 0xffffffff;

__device__ inline int lane() { return static_cast<int>(threadIdx.x) % warp_size; }
__device__ inline int warp() { return static_cast<int>(threadIdx.x) / warp_size; }

/// Of 16 x 8 numbers lane i has (i / 4 + 8 p, 2 (i % 4) + e).
struct Product {
  double of[2][2] = {};  // p, e

  /// *this += A B, where lane i has A(i / 4 + 8 p, i % 4) and B(i % 4, i / 4).
  __device__ void add(const double (&a)[2], double b) {
#if __CUDA_ARCH__ >= 900  // Ampere has the smaller instruction alone
    asm("mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+d"(of[0][0]), "+d"(of[0][1]), "+d"(of[1][0]), "+d"(of[1][1])
        : "d"(a[0]), "d"(a[1]), "d"(b));
#else
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
          : "+d"(of[p][0]), "+d"(of[p][1])
          : "d"(a[p]), "d"(b));
    }
#endif
  }

  /// *this += A B for 16 columns of A: lane i has A(i / 4 + 8 p, i % 4 + 4 s) and B(i % 4 + 4 s, i / 4).
  __device__ void add(const double (&a)[4][2], const double (&b)[4]) {
#if __CUDA_ARCH__ >= 900
    asm("mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64 {%0, %1, %2, %3}, {%4, %5, %6, %7, %8, %9, %10, %11}, "
        "{%12, %13, %14, %15}, {%0, %1, %2, %3};"
        : "+d"(of[0][0]), "+d"(of[0][1]), "+d"(of[1][0]), "+d"(of[1][1])
        : "d"(a[0][0]), "d"(a[0][1]), "d"(a[1][0]), "d"(a[1][1]), "d"(a[2][0]), "d"(a[2][1]), "d"(a[3][0]),
          "d"(a[3][1]), "d"(b[0]), "d"(b[1]), "d"(b[2]), "d"(b[3]));
#else
#pragma unroll
    for (int s = 0; s < 4; ++s) add(a[s], b[s]);
#endif
  }
};

}  // namespace tessera::kernels
