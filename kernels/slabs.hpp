// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

namespace tessera::kernels {

/// The lower triangle of a matrix that one process has in slabs.
template <class T>
struct Slabs {
  static constexpr std::int64_t most = 32;
  struct Slab {
    T* data;  // where row and column are number * width
    std::int64_t leading_dimension;
  };
  std::int64_t n;
  std::int64_t width;
  Slab of[most];
};

}  // namespace tessera::kernels
