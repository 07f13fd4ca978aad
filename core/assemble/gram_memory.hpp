// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_chunks.hpp"
#include "core/assemble/gram_residue_buffers.hpp"
#include "core/assemble/gram_strips.hpp"
#include "core/exchange/rank_sum.hpp"
#include "core/matrix/workspace.hpp"
#include "kernels/line_sums.hpp"
#include "kernels/queue.hpp"
#include "tessera/distribution.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace tessera::detail {

/// The memory that add_gram takes beside the matrix.
template <class T, class Exec>
struct GramBuffers {
  using MemorySpace = typename Exec::memory_space;
  using Wide = kernels::Wide<T>;
  static constexpr std::int64_t doubles_of_wide = sizeof(Wide) / sizeof(double);

  /// Of a chunk of X.
  struct Strips {
    T* row = nullptr;
    T* column = nullptr;

    T* operator[](Strip strip) const { return strip == Strip::row ? row : column; }
  };

  /// `buffered`: J is copied or asked for. `in_place`: it is multiplied where it is, see GramAssembly. `moduli`: of
  /// integer products.
  GramBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const GramChunks& chunks, int rank,
              bool buffered, bool in_place, int moduli = 0) {
    const BlockCyclic& rows = layout.rows;
    const BlockCyclic& columns = layout.columns;
    const bool alone = rows.processes * columns.processes == 1;
    const std::int64_t own_rows = chunks.rows_of(rank);
    const std::int64_t own_terms = chunks.most_own_terms_of(rank);

    blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
    window = workspace.template take<T>(buffered ? own_rows * own_terms : 0);
    if (moduli > 0) residues.emplace(workspace, layout, chunks.most_terms(), moduli);
    if (in_place) return;

    const bool one_strip = nesting_of(rows, columns) == Nesting::same;
    for (int parity = 0; parity < (alone ? 1 : 2); ++parity) {
      T* const column = workspace.template take<T>(columns.local_extent() * chunks.most_terms());
      T* const row = one_strip ? column : workspace.template take<T>(rows.local_extent() * chunks.most_terms());
      strips[parity] = {row, column};
    }
    if (!alone) {  // this rank's rows for all process rows, and for all process columns, if these are not the same
      const std::int64_t times = rows.processes == columns.processes ? 1 : 2;
      outgoing = workspace.template take<T>(times * own_rows * chunks.most_terms_of(rank));
    }
    if (chunks.term_means()) term_mean = workspace.template take<Wide>(own_terms);
    if (chunks.row_means()) {
      row_mean = workspace.template take<Wide>(own_rows);
      running_mean = workspace.template take<Wide>(own_rows);
      mover = workspace.template take<Wide>(own_rows);
    }
    const int ranks = rows.processes * columns.processes;
    const std::int64_t of_squares = residues && !alone ? rows.n * kernels::SquareSum::parts : 0;
    const std::int64_t most_sums = std::max(chunks.most_sums() * doubles_of_wide, of_squares);
    sums = workspace.template take<double>(ranks * share_of_sums(most_sums, ranks));
  }

  char* blas;
  T* window = nullptr;  // of the caller's J, if it is copied or asked for
  Strips strips[2];     // one chunk's are multiplied while the next one's arrive
  T* outgoing = nullptr;
  Wide* term_mean = nullptr;                            // of this rank's terms of a chunk
  Wide* row_mean = nullptr;                             // over these terms, of each row
  Wide* running_mean = nullptr;                         // over all terms so far
  Wide* mover = nullptr;                                // the term that moves the mean
  double* sums = nullptr;                               // room for sum_over_ranks
  std::optional<GramResidueBuffers<T, Exec>> residues;  // where products are of integers
};

}  // namespace tessera::detail
