// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/detail/agreement.hpp"
#include "tessera/detail/strided.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace tessera::detail {

/// Throws Misuse unless a caller's local array has so many rows and columns, as ScaLAPACK has them.
template <class T>
void require_array(const char* argument, const Strided<T>& array, std::int64_t rows, std::int64_t columns) {
  if (array.extent[0] < rows || array.extent[1] < columns) {
    throw_misuse(argument, "must have at least this rank's " + std::to_string(rows) + " rows and " +
                               std::to_string(columns) + " columns, got " + std::to_string(array.extent[0]) + " x " +
                               std::to_string(array.extent[1]));
  }
  if (array.extent[0] > 1 && array.stride[0] != 1) {
    throw_misuse(argument, "must have rows of stride 1, got " + std::to_string(array.stride[0]));
  }
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();  // a BLAS's leading dimensions are ints
  if (columns > 1 && (array.stride[1] < std::max<std::int64_t>(1, rows) || array.stride[1] > most)) {
    throw_misuse(argument, "must have a leading dimension of at least this rank's " + std::to_string(rows) +
                               " rows, and below 2^31, got " + std::to_string(array.stride[1]));
  }
}

}  // namespace tessera::detail
