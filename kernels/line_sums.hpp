// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

// Sums along the lines of a matrix, in double precision whatever its scalar, and as exact as one addition, however many
// numbers there are: what is left of a matrix less its means may be small beside them.
namespace tessera::kernels {

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, detail::RealOf<T>>, double, Kokkos::complex<double>>;

/// Lines of numbers: number s of line l stands at data[l * line_stride + s * stride].
template <class T>
struct Lines {
  const T* data = nullptr;
  std::int64_t count = 0;
  std::int64_t line_stride = 0;
  std::int64_t length = 0;
  std::int64_t stride = 0;
};

/// sums[l] = sum over s of (line l's number s - subtract[s]); a null `subtract` counts as zeros.
template <class T, class Exec>
void line_sums(const char* label, const Exec& exec, const Lines<T>& lines, const Wide<T>* subtract, Wide<T>* sums);

}  // namespace tessera::kernels
