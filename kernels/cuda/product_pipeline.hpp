// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/cuda/block_product.hpp"
#include "kernels/slabs.hpp"

// Products of rows of a matrix in slabs, which come into shared memory a few columns ahead.
namespace tessera::kernels {

/// sum += L(left:left+rows, from:to) L(right:right+columns, from:to)^H, where from and to are multiples of the depth.
/// The sums of rows that L does not have are not numbers to be used.
template <class T>
class ProductPipeline {
 public:
  using Shape = ProductShape<T>;
  static constexpr int stages = 3;
  static constexpr int stage_size = (Shape::Left::leading_dimension + Shape::Right::leading_dimension) * Shape::depth;

  /// `memory`: the number of the first of stages * stage_size elements of shared memory.
  __device__ ProductPipeline(const Slabs<T>& l, int left, int right, int from, int memory)
      : l_(l),
        memory_(memory),
        next_(from),
        left_row_(left + existing<Shape::rows>(static_cast<int>(l.n) - left)),
        right_row_(right + existing<Shape::columns>(static_cast<int>(l.n) - right)) {
    locate();
  }

  /// Up to column `to`, once.
  __device__ void add(BlockProduct<T>& sum, int to) {
    const int from = next_;
#pragma unroll
    for (int s = 0; s + 1 < stages; ++s) start_stage(s, to);
    int stage = 0;
    for (int k = from; k < to; k += Shape::depth) {
      __pipeline_wait_prior(stages - 2);
      __syncthreads();
      const int free = stage == 0 ? stages - 1 : stage - 1;
      // Of two warps that share a tensor core, one loads while the other one multiplies.
      const bool loads_first = warp() < warps / 2;
      if (loads_first) start_stage(free, to);
      sum.add(left(stage), right(stage), 0, Shape::depth / 2);
      if (!loads_first) start_stage(free, to);
      sum.add(left(stage), right(stage), Shape::depth / 2, Shape::depth);
      stage = stage + 1 == stages ? 0 : stage + 1;
    }
    __syncthreads();
  }

 private:
  static constexpr int piece = 16 / static_cast<int>(sizeof(T));  // of a column, that a thread loads

  __device__ typename Shape::Left left(int stage) const { return {memory_ + stage * stage_size}; }
  __device__ typename Shape::Right right(int stage) const {
    return {memory_ + stage * stage_size + Shape::Left::leading_dimension * Shape::depth};
  }

  /// Where this thread's first piece of so many rows is.
  template <int rows>
  static __device__ int row() {
    return static_cast<int>(threadIdx.x) % (rows / piece) * piece;
  }
  template <int rows>
  static __device__ int column() {
    return static_cast<int>(threadIdx.x) / (rows / piece);
  }
  /// That row, or one before if there are too few. (A slab's columns are whole pieces long.)
  template <int rows>
  static __device__ int existing(int there) {
    return min(row<rows>(), (there - 1) / piece * piece);
  }

  /// The slab of column next_.
  __device__ void locate() {
    const int width = static_cast<int>(l_.width);
    const int slab = next_ / width;
    const int origin = slab * width;
    slab_end_ = origin + width;
    if (origin >= static_cast<int>(l_.n)) return;
    lead_ = l_.of[slab].leading_dimension;
    const T* const first = l_.of[slab].data + (next_ - origin) * lead_ - origin;
    left_ = first + left_row_ + column<Shape::rows>() * lead_;
    right_ = first + right_row_ + column<Shape::columns>() * lead_;
  }

  __device__ void start_stage(int stage, int to) {
    if (next_ < to) {
      load<Shape::rows>(left(stage), left_);
      load<Shape::columns>(right(stage), right_);
      next_ += Shape::depth;
      left_ += Shape::depth * lead_;
      right_ += Shape::depth * lead_;
      if (next_ == slab_end_) locate();
    }
    __pipeline_commit();
  }
  template <int rows, int lead>
  __device__ void load(Shared<T, lead> to, const T* from) const {
    constexpr int step = threads / (rows / piece);
    static_assert(step <= Shape::depth);
    T* const first = &to(row<rows>(), column<rows>());
#pragma unroll
    for (int c = 0; c < Shape::depth; c += step) {
      __pipeline_memcpy_async(first + c * lead, from + c * lead_, sizeof(T) * piece);
    }
  }

  const Slabs<T>& l_;
  int memory_;
  int next_;
  int slab_end_;
  int left_row_;
  int right_row_;
  std::int64_t lead_;
  const T* left_;
  const T* right_;
};

}  // namespace tessera::kernels
