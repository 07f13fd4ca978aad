// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/workspace.hpp"
#include "core/timed.hpp"
#include "core/tuning.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/potri.hpp"
#include "kernels/queue.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::detail {

/// The memory of InverseInPlace.
template <class T, class Exec>
struct InPlaceBuffers {
  using MemorySpace = typename Exec::memory_space;

  InPlaceBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout) {
    blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
    potri = workspace.template take<T>(kernels::Potri<T, Exec>::workspace_size(layout.slab));
    if (kernels::is_host<Exec>) copied_rows = workspace.template take<T>(most_rows(layout), layout.rows.n);
  }

  /// On the host: of X, that are multiplied together.
  static std::int64_t most_rows(const SlabLayout& layout) {
    return std::min({Tuning<MemorySpace>::update_width, layout.slab, layout.rows.n});
  }

  char* blas;
  T* potri;
  T* copied_rows = nullptr;
};

/// The inverse on a rank alone, A^-1 = X^H X with X = L^-1, in slabs as LAPACK's potri has it in block columns: without
/// right-hand sides beside L, and in fewer and larger products than solves for unit vectors. Of what is above the
/// diagonal nothing is read or written.
template <class T, class Exec>
class InverseInPlace {
 public:
  using MemorySpace = typename Exec::memory_space;
  using View = MatrixView<T, MemorySpace>;
  using Op = kernels::Op;

  InverseInPlace(kernels::Queue<Exec>& queue, const ShardedMatrix<T, MemorySpace>& matrix,
                 const InPlaceBuffers<T, Exec>& buffers)
      : queue_(queue),
        matrix_(matrix),
        potri_(queue, buffers.potri, matrix.layout().slab),
        slabs_(matrix.layout().count()),
        most_rows_(InPlaceBuffers<T, Exec>::most_rows(matrix.layout())),
        copied_rows_(buffers.copied_rows) {}

  void run() {
    for (std::int64_t s = slabs_ - 1; s >= 0; --s) invert_slab(s);
    const Region region("tessera::invert::product");
    for (std::int64_t s = 0; s < slabs_; ++s) kernels::is_host<Exec> ? multiply_rows_of(s) : multiply_slab(s);
  }

 private:
  /// X in a slab's columns, where those right of it have theirs: X21 = -X22 L21 L11^-1.
  void invert_slab(std::int64_t s) {
    const Region region("tessera::invert::triangle");
    for (std::int64_t t = slabs_ - 1; t > s; --t) {
      kernels::gemm<T>(queue_, T(1), Op::none, below(t, t), Op::none, part(t, s), T(1), below(t, s));
      potri_.trmm_left(Op::none, part(t, t), part(t, s));
    }
    kernels::negative_trsm_right<T>(queue_, part(s, s), below(s, s));
    potri_.trtri(part(s, s));
  }

  /// X^H X in a slab's columns, where these and those right of them have X: downwards, as a row of it needs of X the
  /// rows from there on.
  void multiply_slab(std::int64_t s) {
    potri_.lauum(part(s, s));
    potri_.add_product(below(s, s), part(s, s));
    for (std::int64_t t = s + 1; t < slabs_; ++t) {
      potri_.trmm_left(Op::conj_transpose, part(t, t), part(t, s));
      kernels::gemm<T>(queue_, T(1), Op::conj_transpose, below(t, t), Op::none, below(t, s), T(1), part(t, s));
    }
  }

  /// The same by rows of X, of which those above have been multiplied. A host's BLAS is faster at that: its threads
  /// wait for each other at each part of a sum, which is short here and goes to many rows. They are in a copy, as one
  /// matrix.
  void multiply_rows_of(std::int64_t slab) {
    const LocalIndex last = column(slab + 1);
    for (LocalIndex begin = column(slab); begin < last;) {
      const LocalIndex end = std::min(begin + most_rows_, last);
      multiply_rows(begin, end, slab);
      begin = end;
    }
  }

  void multiply_rows(LocalIndex begin, LocalIndex end, std::int64_t slab) {
    const std::int64_t height = end - begin;
    const View copied = make_matrix_view<MemorySpace>(copied_rows_, height, begin.value, height);
    const auto columns = [&](LocalIndex from, LocalIndex to) { return block(copied, 0, height, from.value, to.value); };
    const View x11 = matrix_.view(begin, end, begin, end);
    for (std::int64_t s = 0; s <= slab; ++s) {
      const LocalIndex to = std::min(column(s + 1), begin);
      kernels::copy<T>(queue_.exec(), matrix_.view(begin, end, column(s), to), columns(column(s), to));
    }
    for (std::int64_t s = 0; s <= slab; ++s) {
      const LocalIndex from = column(s);
      const LocalIndex to = std::min(column(s + 1), begin);
      potri_.add_product(columns(from, to), matrix_.view(from, to, from, to));
      kernels::gemm<T>(queue_, T(1), Op::conj_transpose, columns(to, begin), Op::none, columns(from, to), T(1),
                       matrix_.view(to, begin, from, to));
      potri_.trmm_left(Op::conj_transpose, x11, matrix_.view(begin, end, from, to));
    }
    potri_.lauum(x11);
  }

  /// Of slab `s` the rows that are slab t's columns, and those below them.
  View part(std::int64_t t, std::int64_t s) const { return rows(t, column(t + 1), s); }
  View below(std::int64_t t, std::int64_t s) const { return rows(t + 1, {matrix_.n()}, s); }
  View rows(std::int64_t t, LocalIndex end, std::int64_t s) const {
    return matrix_.view(column(t), end, column(s), column(s + 1));
  }
  LocalIndex column(std::int64_t s) const { return matrix_.layout().column_begin(s); }

  kernels::Queue<Exec>& queue_;
  const ShardedMatrix<T, MemorySpace>& matrix_;
  kernels::Potri<T, Exec> potri_;
  std::int64_t slabs_;
  std::int64_t most_rows_;
  T* copied_rows_;
};

}  // namespace tessera::detail
