// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// The kernels for rows of the caller's A in any order.
namespace tessera::detail {

/// A row of the caller's A as far as one rank keeps it: in that rank's local matrix a row, which goes across its
/// columns, or where A's upper triangle is read a column, which goes across its rows.
struct Line {
  std::int64_t row;     ///< in the caller's chunk
  std::int64_t number;  ///< in A
  LocalIndex local;     ///< in the local matrix
  LocalIndex begin;  ///< the local indices that it goes across: to the end of its tile on the diagonal, or from there
  LocalIndex end;
  std::int64_t packed;  ///< where element 0 would be, if all elements of a message lie one after the other
};

/// Elements of lines in the caller's chunk: of the lower triangle of A + diag_shift I, and zeros above its diagonal.
template <class T>
struct CallersLines {
  Strided<const T> rows;
  bool upper;
  RealOf<T> diag_shift;

  /// to[c * stride] = element k + c, which is beside row or column j + c of A.
  KOKKOS_FUNCTION void copy(const Line& line, LocalIndex, GlobalIndex j, std::int64_t count, T* to,
                            std::int64_t stride) const {
    const T* const a = rows.data + line.row * rows.stride[0] + j.value * rows.stride[1];
    const std::int64_t to_diagonal = line.number - j.value;
    const bool meets_diagonal = upper ? to_diagonal >= 0 : to_diagonal < count;
    for (std::int64_t c = 0; c < count; ++c) {
      const T* const element = a + c * rows.stride[1];
      if (meets_diagonal && (upper ? c < to_diagonal : c > to_diagonal)) {
        to[c * stride] = T(0);
      } else if (meets_diagonal && c == to_diagonal) {
        to[c * stride] = T(real(*element) + diag_shift);
      } else {
        to[c * stride] = upper ? conj(*element) : *element;
      }
    }
  }
};

/// Elements of lines in a message.
template <class T>
struct PackedLines {
  T* data;

  KOKKOS_FUNCTION T* at(const Line& line, LocalIndex k) const { return data + (line.packed + k.value); }
  KOKKOS_FUNCTION std::int64_t stride() const { return 1; }
  KOKKOS_FUNCTION void copy(const Line& line, LocalIndex k, GlobalIndex, std::int64_t count, T* to,
                            std::int64_t stride) const {
    const T* const from = at(line, k);
    for (std::int64_t c = 0; c < count; ++c) to[c * stride] = from[c];
  }
};

/// Elements of lines in a slab that begins at some row and column of the local matrix.
template <class T, class MemorySpace>
struct SlabLines {
  MatrixView<T, MemorySpace> a;
  LocalIndex row_begin;
  LocalIndex column_begin;
  bool upper;

  KOKKOS_FUNCTION T* at(const Line& line, LocalIndex k) const {
    return upper ? &a(k - row_begin, line.local - column_begin) : &a(line.local - row_begin, k - column_begin);
  }
  KOKKOS_FUNCTION std::int64_t stride() const { return upper ? 1 : static_cast<std::int64_t>(a.stride(1)); }
};

/// to = from, for what some lines have of [begin, end). On a device a thread has a few elements of one line; on the
/// host of many, which lie side by side in the cache.
template <class From, class To, bool on_host>
struct MoveLines {
  static constexpr std::int64_t height = on_host ? 64 : 1;
  static constexpr std::int64_t width = 16;

  From from;
  To to;
  BlockCyclic across;
  const Line* lines;  // in the order of their numbers
  std::int64_t count;
  LocalIndex begin;
  LocalIndex end;

  KOKKOS_FUNCTION std::int64_t blocks_down() const { return (count + height - 1) / height; }
  std::int64_t blocks() const { return blocks_down() * ((end - begin + width - 1) / width); }

  KOKKOS_FUNCTION void operator()(std::int64_t block) const {
    const std::int64_t first = block % blocks_down() * height;
    const std::int64_t last = smaller(first + height, count);
    std::int64_t k = begin.value + block / blocks_down() * width;
    const std::int64_t k_end = smaller(k + width, end.value);
    if (k_end <= lines[first].begin.value || lines[last - 1].end.value <= k) return;
    while (k < k_end) {  // consecutive indices of A
      const std::int64_t next = smaller(k + across.tile - k % across.tile, k_end);
      const GlobalIndex j = across.to_global(LocalIndex{k});
      for (std::int64_t i = first; i < last; ++i) {
        const Line& line = lines[i];
        const std::int64_t skipped = line.begin.value > k ? line.begin.value - k : 0;
        const std::int64_t size = smaller(next, line.end.value) - k - skipped;
        const LocalIndex at{k + skipped};
        if (size > 0) from.copy(line, at, j + skipped, size, to.at(line, at), to.stride());
      }
      k = next;
    }
  }
};

/// Enqueued on `exec`, in whose memory the lines are.
template <class Exec, class From, class To>
void move_lines(const char* label, const Exec& exec, const From& from, const To& to, const BlockCyclic& across,
                const Line* lines, std::int64_t count, LocalIndex begin, LocalIndex end) {
  if (count == 0 || !(begin < end)) return;
  const MoveLines<From, To, kernels::is_host<Exec>> move{from, to, across, lines, count, begin, end};
  Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, move.blocks()), move);
}

}  // namespace tessera::detail
