// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/tuning.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// C = beta C - L(k:,c) L(k,c)^H for block column k and a rank's local columns c = [from, to), which lie in one slab.
template <class T, class MemorySpace>
struct Update {
  TileRange k;
  LocalIndex from;
  LocalIndex to;
  MatrixView<T, MemorySpace> row;  ///< L(k,c)^H; not used where this rank has all rows
  T beta;
  MatrixView<T, MemorySpace> target;  ///< C, from this rank's first row of k on

  std::int64_t depth() const { return to - from; }
};

/// The part of an update that is carried out in one piece: rows [begin, end) of C.
struct UpdatePart {
  LocalIndex begin;
  LocalIndex end;
  std::int64_t columns;        ///< of k, from its first on: by gemm
  std::int64_t triangle = 0;   ///< the columns after these, whose block is on the diagonal: by herk
  bool in_lower_half = false;  ///< of the rows, where halves are updated side by side
};

/// How the rows of an update are cut: by the sizes and the grid alone, so that the bits of the factor do not depend on
/// when messages arrive.
struct UpdateCut {
  bool separate_diagonal;  ///< blocks on the diagonal are parts of their own, of which the lower triangle is computed
  bool in_halves;          ///< the upper half of the rows, and beside it the lower one
  std::int64_t most_rows;  ///< of a part below the diagonal

  std::vector<UpdatePart> parts(const BlockCyclic& rows, TileRange k) const {
    std::vector<UpdatePart> result;
    const std::int64_t width = rows.extent_of(k);
    if (separate_diagonal) {
      const std::int64_t run = rows.processes == 1 ? k.size() : 1;  // tiles that are neighbours here, too
      for (GlobalTile t = k.begin; t < k.end; t = t + run) {
        if (!rows.is_mine(t)) continue;
        result.push_back({rows.local_begin(t), rows.local_begin(t + run), rows.begin(t) - rows.begin(k.begin),
                          rows.extent_of({t, t + run})});
      }
    }
    const LocalIndex begin = rows.local_begin(separate_diagonal ? k.end : k.begin);
    const LocalIndex end{rows.local_extent()};
    const LocalIndex middle = in_halves ? begin + (end - begin) / 256 * 128 : end;  // aligned for gemm
    append(result, begin, middle, width, false);
    append(result, middle, end, width, true);
    return result;
  }

 private:
  void append(std::vector<UpdatePart>& parts, LocalIndex begin, LocalIndex end, std::int64_t width,
              bool in_lower_half) const {
    for (LocalIndex first = begin; first < end;) {
      const LocalIndex last = std::min(end, first + most_rows);
      parts.push_back({first, last, width, 0, in_lower_half});
      first = last;
    }
  }
};

}  // namespace tessera::detail
