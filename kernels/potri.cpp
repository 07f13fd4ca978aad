// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/potri.hpp"

#include "kernels/blas.hpp"
#include "kernels/block_inverse.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::kernels {
namespace {

template <class T, class Space>
struct Halves {
  static constexpr std::int64_t least = BlockInverse<T, Space>::most_rows;

  explicit Halves(const MatrixView<T, Space>& l)
      : n(static_cast<std::int64_t>(l.extent(0))),
        middle(std::min(n, (n / 2 + least - 1) / least * least)),
        l11(block(l, 0, middle, 0, middle)),
        l21(block(l, middle, n, 0, middle)),
        l22(block(l, middle, n, middle, n)) {}

  std::int64_t n;
  std::int64_t middle;
  MatrixView<T, Space> l11;
  MatrixView<T, Space> l21;
  MatrixView<T, Space> l22;
};

template <class T, class Space>
void trtri_block(const MatrixView<T, Space>& l) {
  const BlockInverse<T, Space> inverse(l);
  const auto x = inverse.view();
  for (std::size_t j = 0; j < l.extent(1); ++j) {
    for (std::size_t i = j; i < l.extent(0); ++i) l(i, j) = x(i, j);
  }
}

/// Row by row: what comes later does not need the rows above.
template <class T, class Space>
void lauum_block(const MatrixView<T, Space>& l) {
  const std::size_t n = l.extent(0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      T sum(0);
      for (std::size_t k = i; k < n; ++k) sum += detail::conj(l(k, i)) * l(k, j);
      l(i, j) = i == j ? T(detail::real(sum)) : sum;
    }
  }
}

}  // namespace

template <class T, class Exec>
requires is_host<Exec>
void trtri(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l) {
  const Halves<T, typename Exec::memory_space> of(l);
  if (of.n <= of.least) return trtri_block(l);
  trtri<T>(queue, of.l22);
  trmm_left<T>(queue, Op::none, of.l22, of.l21);
  negative_trsm_right<T>(queue, of.l11, of.l21);  // and not by the inverse of L11, which would be less accurate
  trtri<T>(queue, of.l11);
}

template <class T, class Exec>
requires is_host<Exec>
void lauum(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l) {
  const Halves<T, typename Exec::memory_space> of(l);
  if (of.n <= of.least) return lauum_block(l);
  lauum<T>(queue, of.l11);
  herk<T>(queue, T(1), Op::conj_transpose, of.l21, T(1), of.l11);
  trmm_left<T>(queue, Op::conj_transpose, of.l22, of.l21);
  lauum<T>(queue, of.l22);
}

#define TESSERA_INSTANTIATE_POTRI(T, Exec)                                                       \
  template void trtri<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&); \
  template void lauum<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_POTRIS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_POTRI, Exec)
TESSERA_FOR_EACH_HOST_EXEC(TESSERA_INSTANTIATE_POTRIS)

}  // namespace tessera::kernels
