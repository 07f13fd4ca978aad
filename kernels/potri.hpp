// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/op.hpp"
#include "kernels/queue.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <cstdint>

namespace tessera::kernels {

/// What the two halves of an inverse, A^-1 = L^-H L^-1, do on one rank with triangular blocks, as LAPACK has them.
/// Above the diagonal these blocks are neither read nor written.
///
/// A device's BLAS is slow at triangles: there all of it is gemm, with copies of small ones that are filled up.
template <class T, class Exec>
class Potri {
 public:
  using View = MatrixView<T, typename Exec::memory_space>;
  using ConstView = MatrixView<const T, typename Exec::memory_space>;

  /// The numbers in `workspace` for blocks of so many columns, and no more rows of triangles.
  static std::int64_t workspace_size(std::int64_t columns);

  Potri(Queue<Exec>& queue, T* workspace, std::int64_t columns);

  /// L = L^-1. With X = L^-1, X L - I is as small as by substitution.
  void trtri(const View& l);

  /// The lower triangle of L^H L in L's place; its diagonal is real.
  void lauum(const View& l);

  /// C = C + A^H A on the lower triangle of C, whose diagonal is real.
  void add_product(const ConstView& a, const View& c);

  /// B = L B, or L^H B.
  void trmm_left(Op op, const ConstView& l, const View& b);

 private:
  /// Whether a triangle is not divided any more.
  static bool is_small(const ConstView& l);
  void trtri_small(const View& l);
  void lauum_small(const View& l);

  // On a device.
  /// C = A^H A + beta C on the lower triangle of a small square.
  void set_product(const ConstView& a, detail::RealOf<T> beta, const View& c);
  void trmm_small(Op op, const ConstView& l, const View& b);
  // A triangle that is filled up, and a product or what is multiplied.
  static std::int64_t filled_rows(std::int64_t columns);
  View filled(const ConstView& l) const;
  View product(std::int64_t rows, std::int64_t columns) const;

  Queue<Exec>& queue_;
  T* workspace_;
  std::int64_t filled_rows_;
};

}  // namespace tessera::kernels
