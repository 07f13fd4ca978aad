// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/elementwise.hpp"
#include "tessera/detail/local_block.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/distribution.hpp"
#include "tessera/scalar.hpp"
#include "tessera/sharded_matrix.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// The kernels that read the caller's A.
namespace tessera::detail {

/// Elements of the lower triangle of A + diag_shift I, from some of the caller's rows, `first_row` and those behind it:
/// as they are or, where A's `upper` triangle is to be read, as columns, conjugated.
template <class T>
struct CallersTriangle {
  Strided<const T> rows;
  std::int64_t first_row;
  bool upper;
  RealOf<T> diag_shift;

  KOKKOS_FUNCTION std::int64_t row_stride() const { return rows.stride[upper ? 1 : 0]; }
  KOKKOS_FUNCTION std::int64_t column_stride() const { return rows.stride[upper ? 0 : 1]; }
  KOKKOS_FUNCTION const T* at(std::int64_t i, std::int64_t j) const {
    return rows.data + (i * row_stride() + j * column_stride() - first_row * rows.stride[0]);
  }
  KOKKOS_FUNCTION T below_diagonal(const T* a) const { return upper ? conj(*a) : *a; }
  /// Above the diagonal it is 0, and nothing is read.
  KOKKOS_FUNCTION T operator()(std::int64_t i, std::int64_t j) const {
    if (i < j) return T(0);
    return i == j ? T(real(*at(i, j)) + diag_shift) : below_diagonal(at(i, j));
  }
};

template <class T, class MemorySpace>
struct TakeIn {
  CallersTriangle<T> from;
  LocalBlock<T, MemorySpace> to;

  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    to.a(row, column) = from(to.global_row(row).value, to.global_column(column).value);
  }
};

/// The same for a cache: in blocks that are long where the caller's elements lie side by side, and write whole cache
/// lines. A tile's indices are consecutive, so that all of it but the diagonal is a strided copy.
template <class T, class MemorySpace>
struct TakeInBlocks {
  /// Elements; with smaller tiles there is nothing to gain.
  static constexpr std::int64_t cache_line = 64 / std::int64_t{sizeof(T)};

  TakeIn<T, MemorySpace> whole;
  std::int64_t rows = static_cast<std::int64_t>(whole.to.a.extent(0));
  std::int64_t columns = static_cast<std::int64_t>(whole.to.a.extent(1));
  bool reads_down = whole.from.row_stride() < whole.from.column_stride();
  std::int64_t height = reads_down ? 64 : cache_line;
  std::int64_t width = 1024 / height;
  std::int64_t blocks_down = (rows + height - 1) / height;
  std::int64_t blocks = blocks_down * ((columns + width - 1) / width);

  KOKKOS_FUNCTION void operator()(std::int64_t block) const {
    const std::int64_t row_begin = block % blocks_down * height;
    const std::int64_t row_end = smaller(row_begin + height, rows);
    const std::int64_t column_begin = block / blocks_down * width;
    const std::int64_t column_end = smaller(column_begin + width, columns);
    for (std::int64_t column = column_begin; column < column_end;) {
      const Run j = run_in_tile(whole.to.columns, whole.to.column_begin + column, column_end - column);
      for (std::int64_t row = row_begin; row < row_end;) {
        const Run i = run_in_tile(whole.to.rows, whole.to.row_begin + row, row_end - row);
        take_in(i, j, &whole.to.a(row, column));
        row += i.size;
      }
      column += j.size;
    }
  }

 private:
  /// Consecutive indices of A.
  struct Run {
    std::int64_t begin;
    std::int64_t size;
  };

  /// From that of `begin` on to the end of its tile, `most` at most.
  KOKKOS_FUNCTION static Run run_in_tile(const BlockCyclic& axis, LocalIndex begin, std::int64_t most) {
    return {axis.to_global(begin).value, smaller(axis.tile - begin.value % axis.tile, most)};
  }

  KOKKOS_FUNCTION void take_in(const Run& i, const Run& j, T* to) const {
    const CallersTriangle<T>& from = whole.from;
    const auto leading_dimension = static_cast<std::int64_t>(whole.to.a.stride(1));
    const std::int64_t stride = from.row_stride();
    const bool below_diagonal = i.begin >= j.begin + j.size;
    for (std::int64_t c = 0; c < j.size; ++c, to += leading_dimension) {
      if (below_diagonal) {
        const T* a = from.at(i.begin, j.begin + c);
        for (std::int64_t r = 0; r < i.size; ++r) to[r] = from.below_diagonal(a + r * stride);
      } else {
        for (std::int64_t r = 0; r < i.size; ++r) to[r] = from(i.begin + r, j.begin + c);
      }
    }
  }
};

/// Zeros above the diagonal; on the host by columns, where an element's place in the whole matrix costs more than it.
template <class T, class MemorySpace>
struct ClearAboveDiagonal {
  LocalBlock<T, MemorySpace> block;

  KOKKOS_FUNCTION void operator()(std::int64_t column) const {
    const LocalIndex diagonal = block.rows.local_lower_bound(block.global_column(column));
    const std::int64_t rows = smaller(diagonal - block.row_begin, static_cast<std::int64_t>(block.a.extent(0)));
    for (std::int64_t row = 0; row < rows; ++row) block.a(row, column) = T(0);
  }
  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    if (block.global_row(row).value < block.global_column(column).value) block.a(row, column) = T(0);
  }
};

/// What a slab stores above its diagonal takes part in updates, though nothing comes of it: it must be finite.
template <class T, class Exec>
void clear_above_diagonal(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& matrix) {
  const char* const label = "tessera::redistribute::clear";
  const SlabLayout& layout = matrix.layout();
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    const LocalIndex next_top =
        s + 1 < layout.count() ? layout.row_begin(s + 1) : LocalIndex{layout.rows.local_extent()};
    const auto top =
        matrix.local_block(layout.row_begin(s), next_top, layout.column_begin(s), layout.column_begin(s + 1));
    const ClearAboveDiagonal<T, typename Exec::memory_space> clear{top};
    if constexpr (kernels::is_host<Exec>) {
      const auto columns = static_cast<std::int64_t>(top.a.extent(1));
      Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, columns), clear);
    } else {
      kernels::for_each<T>(label, exec, top.a, clear);
    }
  }
}

}  // namespace tessera::detail
