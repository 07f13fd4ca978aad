// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/workspace.hpp"
#include "core/timed.hpp"
#include "kernels/blas.hpp"
#include "kernels/potri.hpp"
#include "kernels/queue.hpp"
#include "tessera/sharded_matrix.hpp"

#include <cstdint>

namespace tessera::detail {

/// The memory of InverseInPlace: nothing on the host.
template <class T, class Exec>
struct InPlaceBuffers {
  using MemorySpace = typename Exec::memory_space;

  InPlaceBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout) {
    blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
    potri = workspace.template take<T>(kernels::Potri<T, Exec>::workspace_size(layout.slab));
  }

  char* blas;
  T* potri;
};

/// The inverse on a rank alone, in slabs as LAPACK's potri has it in block columns: without right-hand sides beside L,
/// and in fewer and larger products than solves for unit vectors. Of what is above the diagonal nothing is read or
/// written.
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
        slabs_(matrix.layout().count()) {}

  void run() {
    for (std::int64_t s = slabs_ - 1; s >= 0; --s) invert_slab(s);
    for (std::int64_t s = 0; s < slabs_; ++s) multiply_slab(s);
  }

 private:
  /// L^-1 in a slab's columns, where those right of it have theirs: X21 = -X22 L21 L11^-1.
  void invert_slab(std::int64_t s) {
    const Region region("tessera::invert::triangle");
    for (std::int64_t t = slabs_ - 1; t > s; --t) {
      kernels::gemm<T>(queue_, T(1), Op::none, below(t, t), Op::none, part(t, s), T(1), below(t, s));
      potri_.trmm_left(Op::none, part(t, t), part(t, s));
    }
    kernels::negative_trsm_right<T>(queue_, part(s, s), below(s, s));
    potri_.trtri(part(s, s));
  }

  /// X^H X in a slab's columns, where X is L^-1 in these and in those right of them: downwards, as a row of it needs of
  /// X the rows from there on.
  void multiply_slab(std::int64_t s) {
    const Region region("tessera::invert::product");
    potri_.lauum(part(s, s));
    potri_.add_product(below(s, s), part(s, s));
    for (std::int64_t t = s + 1; t < slabs_; ++t) {
      potri_.trmm_left(Op::conj_transpose, part(t, t), part(t, s));
      kernels::gemm<T>(queue_, T(1), Op::conj_transpose, below(t, t), Op::none, below(t, s), T(1), part(t, s));
    }
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
};

}  // namespace tessera::detail
