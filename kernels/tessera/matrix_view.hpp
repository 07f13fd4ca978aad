// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera {
/// @addtogroup pieces
/// @{

/// An unmanaged column-major matrix in `MemorySpace`, with any leading dimension.
template <class T, class MemorySpace>
using MatrixView = Kokkos::View<T**, Kokkos::LayoutLeft, MemorySpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// The `rows x columns` column-major matrix at `data`, its columns `leading_dimension` elements apart.
/// @pre leading_dimension >= rows
template <class MemorySpace, class T>
MatrixView<T, MemorySpace> make_matrix_view(T* data, std::int64_t rows, std::int64_t columns,
                                            std::int64_t leading_dimension) {
  const MatrixView<T, MemorySpace> all(data, static_cast<std::size_t>(leading_dimension),
                                       static_cast<std::size_t>(columns));
  return Kokkos::subview(all, Kokkos::make_pair(std::int64_t{0}, rows), Kokkos::ALL());
}

/// Rows [row_begin, row_end) and columns [column_begin, column_end) of `a`.
template <class T, class MemorySpace>
MatrixView<T, MemorySpace> block(const MatrixView<T, MemorySpace>& a, std::int64_t row_begin, std::int64_t row_end,
                                 std::int64_t column_begin, std::int64_t column_end) {
  return Kokkos::subview(a, Kokkos::make_pair(row_begin, row_end), Kokkos::make_pair(column_begin, column_end));
}

/// @}
}  // namespace tessera
