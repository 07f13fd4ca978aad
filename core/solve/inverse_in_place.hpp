// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/matrix/leaves.hpp"
#include "core/matrix/workspace.hpp"
#include "core/timed.hpp"
#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/potri.hpp"
#include "kernels/queue.hpp"
#include "kernels/slabs_of_l.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::detail {

/// The memory of InverseInPlace: nothing on the host.
template <class T, class Exec>
struct InPlaceBuffers {
  using MemorySpace = typename Exec::memory_space;

  InPlaceBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout) {
    if constexpr (!kernels::is_host<Exec>) {
      const std::int64_t width = Leaves<MemorySpace>(layout).width();
      blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
      numbers =
          workspace.template take<T>(std::max(width * width, kernels::Potri<T, Exec>::workspace_size(layout.slab)));
      substitution =
          workspace.template take<char>(kernels::Substitution<Exec>::template workspace_bytes<T>(width, 1, width));
    }
  }

  char* blas = nullptr;
  T* numbers = nullptr;  // of Potri, or a leaf's inverse
  char* substitution = nullptr;
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
        buffers_(buffers),
        potri_(queue, buffers.numbers, matrix.layout().slab),
        slabs_(matrix.layout().count()),
        leaves_(matrix.layout()) {}

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
    if constexpr (kernels::is_host<Exec>) {
      potri_.trtri(part(s, s));
    } else {
      const std::vector<TileRange>& all = leaves_.all();
      const auto before = [&](std::int64_t slab) {
        const LocalIndex end = column(slab);
        return std::lower_bound(all.begin(), all.end(), end,
                                [&](const TileRange& leaf, LocalIndex at) { return begin_of(leaf) < at; }) -
               all.begin();
      };
      invert_leaves(before(s), before(s + 1));
    }
  }

  /// The same of some leaves' columns and rows.
  void invert_leaves(std::int64_t begin, std::int64_t end) requires(!kernels::is_host<Exec>) {
    if (end - begin == 1) return invert_leaf(begin);
    const std::int64_t middle = begin + (end - begin) / 2;
    const LocalIndex first = begin_of(leaf(begin));
    const LocalIndex second = begin_of(leaf(middle));
    const LocalIndex last = end_of(leaf(end - 1));
    const View l21 = matrix_.view(second, last, first, second);
    invert_leaves(middle, end);
    potri_.trmm_left(Op::none, matrix_.view(second, last, second, last), l21);
    kernels::negative_trsm_right<T>(queue_, matrix_.view(first, second, first, second), l21);
    invert_leaves(begin, middle);
  }

  void invert_leaf(std::int64_t i) requires(!kernels::is_host<Exec>) {
    const LocalIndex first = begin_of(leaf(i));
    const LocalIndex last = end_of(leaf(i));
    const std::int64_t m = last - first;
    const View l = matrix_.view(first, last, first, last);
    const View x = make_matrix_view<MemorySpace>(buffers_.numbers, m, m, m);
    const kernels::SlabsOfL<T> one{
        {m, m, {{l.data(), static_cast<std::int64_t>(l.stride(1))}}}, m, leaves_.inverses(matrix_.leaf_inverses(), i)};
    kernels::set_identity<T>(queue_.exec(), x);
    kernels::Substitution<Exec>::template run<T>(queue_.exec(), Op::none, one, x, buffers_.substitution);
    potri_.take_lower(x, l);
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

  const TileRange& leaf(std::int64_t i) const { return leaves_.all()[static_cast<std::size_t>(i)]; }
  LocalIndex begin_of(const TileRange& leaf) const { return matrix_.columns().local_begin(leaf.begin); }
  LocalIndex end_of(const TileRange& leaf) const { return matrix_.columns().local_begin(leaf.end); }

  kernels::Queue<Exec>& queue_;
  const ShardedMatrix<T, MemorySpace>& matrix_;
  InPlaceBuffers<T, Exec> buffers_;
  kernels::Potri<T, Exec> potri_;
  std::int64_t slabs_;
  Leaves<MemorySpace> leaves_;
};

}  // namespace tessera::detail
