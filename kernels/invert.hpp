// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/slabs_of_l.hpp"

#include <cstdint>
#include <vector>

namespace tessera::kernels {

/// A lower triangular matrix, and where the inverses of its blocks go.
template <class T>
struct TriangleToInvert {
  const T* l;
  std::int64_t leading_dimension;
  std::int64_t rows;
  T* inverses;
};

/// Inverts the blocks on the diagonals of triangles, as Substitution wants them: of substitution_block<T> rows each,
/// from the first row of a triangle on, the last one perhaps of fewer. The inverses are column-major squares of that
/// size, one after the other; what is above the diagonal, or beyond the last row, is left as it is.
template <class T, class Exec>
void invert_blocks(const Exec& exec, const std::vector<TriangleToInvert<T>>& triangles);

}  // namespace tessera::kernels
