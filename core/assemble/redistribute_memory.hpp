// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/line_kernels.hpp"
#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// Rows of A that move at a time, so that a buffer of them, and one message of them, have a bounded size.
template <class T, class MemorySpace>
std::int64_t rows_per_chunk(std::int64_t n) {
  const std::int64_t row_bytes = std::max<std::int64_t>(1, n) * std::int64_t{sizeof(T)};
  return std::max<std::int64_t>(1, Tuning<MemorySpace>::chunk_bytes / row_bytes);
}

/// The memory that redistribution takes beside the matrix.
template <class T, class MemorySpace>
struct RedistributeBuffers {
  /// `upper`: rows of A become columns. `buffered_rows`: those that this rank has to copy or to ask for. `numbered`:
  /// rows come in any order.
  RedistributeBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, bool upper,
                      std::int64_t buffered_rows, bool numbered = false) {
    const std::int64_t n = layout.rows.n;
    const std::int64_t chunk = rows_per_chunk<T, MemorySpace>(n);
    rows = workspace.template take<T>(std::min(chunk, buffered_rows), n);
    if (numbered) lines = workspace.template take<Line>(std::min(chunk, n));
    if (layout.rows.processes * layout.columns.processes == 1) return;
    const std::int64_t width = (upper ? layout.rows : layout.columns).seen_from(0).local_extent();
    outgoing = workspace.template take_for_messages<T>(std::min(chunk, n), width);
    incoming = workspace.template take_for_messages<T>(std::min(chunk, n), width);
  }

  T* rows;
  Line* lines = nullptr;
  T* outgoing = nullptr;
  T* incoming = nullptr;
};

}  // namespace tessera::detail
