// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/tile_blocks.hpp"

#include <cstdint>

// What the teams of a factorisation in one launch tell each other.
namespace tessera::kernels {

/// In global memory, all 0 at the start. Blocks are square, and counted by rows and columns of them.
struct CholeskyProgress {
  int taken;     ///< tasks
  int asked;     ///< teams that asked to be the one on the diagonal
  int prepared;  ///< block columns for which CholeskyTasks::first has been done
  // Behind it, of each block row, the number of blocks that are L's: they become final from the left to the right.

  __device__ int* final(int row) { return reinterpret_cast<int*>(this + 1) + row; }

  static std::int64_t bytes(std::int64_t blocks) {
    return static_cast<std::int64_t>(sizeof(CholeskyProgress)) + blocks * std::int64_t{sizeof(int)};
  }
};

/// The number that all of what a team wrote before tell() can be relied on by.
__device__ inline int read(const int* from) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
/// By one thread, when all of the team have written.
__device__ inline void tell(int* to, int value) {
  __threadfence();
  asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(to), "r"(value) : "memory");
}

/// The value of question(), asked by one thread, for all of the team.
template <class F>
__device__ int ask(const F& question) {
  __shared__ int answer;
  __syncthreads();
  if (threadIdx.x == 0) answer = static_cast<int>(question());
  __syncthreads();
  return answer;
}

/// The tasks in the order in which teams take them, block column by block column. Column j has first(j), which gets the
/// blocks j + 1 of columns j and j + 1 ready for the team on the diagonal (the last column has none), then one task for
/// each two block rows from j + 2 on, and one that inverts L(j,j). Each needs but what tasks before it and the team on
/// the diagonal, when it is at j, have written. The latter waits for first(j), and takes tasks up to it, if nobody else
/// has: so any number of teams comes to the end.
class CholeskyTasks {
 public:
  __device__ CholeskyTasks(CholeskyProgress* progress, int blocks) : progress_(progress), blocks_(blocks) {}

  /// Those of all columns before j: a sum of 2 + ceil((blocks - 2 - i) / 2).
  __device__ int first(int j) const {
    const int rows = max(0, blocks_ - 2);
    return 2 * j + pairs(rows) - pairs(max(0, rows - j));
  }
  __device__ int end() const { return first(blocks_ - 1) + 1; }

  __device__ int take() const {
    return ask([&] { return atomicAdd(&progress_->taken, 1); });
  }
  /// One up to `last`, or -1.
  __device__ int take_up_to(int last) const {
    return ask([&] {
      int taken = *static_cast<volatile int*>(&progress_->taken);
      while (taken <= last) {
        const int found = atomicCAS(&progress_->taken, taken, taken + 1);
        if (found == taken) return taken;
        taken = found;
      }
      return -1;
    });
  }

 private:
  /// Sum of ceil(i / 2) for i up to m.
  static __device__ int pairs(int m) {
    const int half = (m + 1) / 2;
    return half * (half + 1) - (m % 2 == 1 ? half : 0);
  }

  CholeskyProgress* progress_;
  int blocks_;
};

}  // namespace tessera::kernels
