// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/potri.hpp"

#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/block_inverse.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/halves.hpp"
#include "kernels/herk_by_halves.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>
#include <cstdint>

namespace tessera::kernels {
namespace {

/// Rows of a triangle that is not divided any more. On a device dividing it costs more than multiplying zeros.
template <class T, class Exec>
constexpr std::int64_t least_rows() {
  if constexpr (is_host<Exec>) {
    return BlockInverse<T, typename Exec::memory_space>::most_rows;
  } else {
    return 1024;
  }
}

template <class T, class Exec>
struct Halves {
  using View = MatrixView<T, typename Exec::memory_space>;

  explicit Halves(const View& l)
      : n(static_cast<std::int64_t>(l.extent(0))),
        half(half_of(n, least_rows<T, Exec>())),
        l11(block(l, 0, half, 0, half)),
        l21(block(l, half, n, 0, half)),
        l22(block(l, half, n, half, n)) {}

  std::int64_t n;
  std::int64_t half;
  View l11;
  View l21;
  View l22;
};

/// B = L, with zeros above the diagonal.
template <class T, class Space>
struct FillUp {
  MatrixView<const T, Space> l;
  MatrixView<T, Space> b;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const { b(i, j) = i >= j ? l(i, j) : T(0); }
};

/// C = alpha B + beta C on the lower triangle, with beta 0 (C is not read) or 1, and a real diagonal.
template <class T, class Space>
struct TakeLower {
  using Real = detail::RealOf<T>;
  Real alpha;
  MatrixView<const T, Space> b;
  Real beta;
  MatrixView<T, Space> c;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    if (i < j) return;
    const T sum = beta == 0 ? alpha * b(i, j) : alpha * b(i, j) + c(i, j);
    c(i, j) = i == j ? T(detail::real(sum)) : sum;
  }
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

template <class T, class Exec>
void take_lower(const Exec& exec, detail::RealOf<T> alpha, const MatrixView<const T, typename Exec::memory_space>& b,
                detail::RealOf<T> beta, const MatrixView<T, typename Exec::memory_space>& c) {
  for_each<T>("tessera::potri::take_lower", exec, c, TakeLower<T, typename Exec::memory_space>{alpha, b, beta, c});
}

}  // namespace

template <class T, class Exec>
bool Potri<T, Exec>::is_small(const ConstView& l) {
  return static_cast<std::int64_t>(l.extent(0)) <= least_rows<T, Exec>();
}

template <class T, class Exec>
std::int64_t Potri<T, Exec>::filled_rows(std::int64_t columns) {
  return is_host<Exec> ? 0 : std::min(least_rows<T, Exec>(), columns);
}

template <class T, class Exec>
std::int64_t Potri<T, Exec>::workspace_size(std::int64_t columns) {
  return filled_rows(columns) * (filled_rows(columns) + columns);
}

template <class T, class Exec>
Potri<T, Exec>::Potri(Queue<Exec>& queue, T* workspace, std::int64_t columns)
    : queue_(queue), workspace_(workspace), filled_rows_(filled_rows(columns)) {}

template <class T, class Exec>
auto Potri<T, Exec>::filled(const ConstView& l) const -> View {
  using Space = typename Exec::memory_space;
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const View square = make_matrix_view<Space>(workspace_, n, n, filled_rows_);
  for_each_index("tessera::potri::fill_up", queue_.exec(), n, n, FillUp<T, Space>{l, square});
  return square;
}

template <class T, class Exec>
auto Potri<T, Exec>::product(std::int64_t rows, std::int64_t columns) const -> View {
  T* const behind = workspace_ + filled_rows_ * filled_rows_;
  return make_matrix_view<typename Exec::memory_space>(behind, rows, columns, filled_rows_);
}

template <class T, class Exec>
void Potri<T, Exec>::trtri(const View& l) {
  if (is_small(l)) return trtri_small(l);
  const Halves<T, Exec> of(l);
  trtri(of.l22);
  trmm_left(Op::none, of.l22, of.l21);
  negative_trsm_right<T>(queue_, of.l11, of.l21);  // and not by the inverse of L11, which would be less accurate
  trtri(of.l11);
}

template <class T, class Exec>
void Potri<T, Exec>::trtri_small(const View& l) {
  if constexpr (is_host<Exec>) {
    trtri_block(l);
  } else {
    const auto n = static_cast<std::int64_t>(l.extent(0));
    const View x = product(n, n);
    set_identity<T>(queue_.exec(), x);
    negative_trsm_right<T>(queue_, l, x);
    take_lower<T>(queue_.exec(), -1, x, 0, l);
  }
}

template <class T, class Exec>
void Potri<T, Exec>::lauum(const View& l) {
  if (is_small(l)) return lauum_small(l);
  const Halves<T, Exec> of(l);
  lauum(of.l11);
  add_product(of.l21, of.l11);
  trmm_left(Op::conj_transpose, of.l22, of.l21);
  lauum(of.l22);
}

template <class T, class Exec>
void Potri<T, Exec>::lauum_small(const View& l) {
  if constexpr (is_host<Exec>) {
    lauum_block(l);
  } else {
    const View x = filled(l);
    set_product(x, 0, l);
  }
}

template <class T, class Exec>
void Potri<T, Exec>::set_product(const ConstView& a, detail::RealOf<T> beta, const View& c) {
  const auto n = static_cast<std::int64_t>(c.extent(0));
  const View square = product(n, n);
  gemm<T>(queue_, T(1), Op::conj_transpose, a, Op::none, a, T(0), square);
  take_lower<T>(queue_.exec(), 1, square, beta, c);
}

template <class T, class Exec>
void Potri<T, Exec>::add_product(const ConstView& a, const View& c) {
  if (a.size() == 0) return;
  if constexpr (is_host<Exec>) {
    herk<T>(queue_, T(1), Op::conj_transpose, a, T(1), c);
  } else {
    constexpr std::int64_t most = 512;  // as its many rows are worth a launch the sooner
    herk_by_halves<T>(queue_, T(1), Op::conj_transpose, a, T(1), c, most,
                      [this](const ConstView& of_a, const View& square) { set_product(of_a, 1, square); });
  }
}

template <class T, class Exec>
void Potri<T, Exec>::trmm_left(Op op, const ConstView& l, const View& b) {
  if (b.size() == 0) return;
  if constexpr (is_host<Exec>) {
    kernels::trmm_left<T>(queue_, op, l, b);
  } else {
    if (is_small(l)) return trmm_small(op, l, b);
    const auto n = static_cast<std::int64_t>(l.extent(0));
    const auto columns = static_cast<std::int64_t>(b.extent(1));
    const std::int64_t half = half_of(n, least_rows<T, Exec>());
    const View upper = block(b, 0, half, 0, columns);
    const View lower = block(b, half, n, 0, columns);
    const ConstView below = block(l, half, n, 0, half);
    if (op == Op::none) {
      trmm_left(op, block(l, half, n, half, n), lower);
      gemm<T>(queue_, T(1), op, below, Op::none, upper, T(1), lower);
      trmm_left(op, block(l, 0, half, 0, half), upper);
    } else {
      trmm_left(op, block(l, 0, half, 0, half), upper);
      gemm<T>(queue_, T(1), op, below, Op::none, lower, T(1), upper);
      trmm_left(op, block(l, half, n, half, n), lower);
    }
  }
}

template <class T, class Exec>
void Potri<T, Exec>::trmm_small(Op op, const ConstView& l, const View& b) {
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const auto columns = static_cast<std::int64_t>(b.extent(1));
  const View square = filled(l);
  const View from = product(n, columns);
  copy<T>(queue_.exec(), b, from);
  const auto multiply = [&](std::int64_t begin, std::int64_t end) {  // these rows of B, by what is not all zeros
    const std::int64_t first = op == Op::none ? 0 : begin;
    const std::int64_t last = op == Op::none ? end : n;
    const View part = op == Op::none ? block(square, begin, end, first, last) : block(square, first, last, begin, end);
    gemm<T>(queue_, T(1), op, part, Op::none, block(from, first, last, 0, columns), T(0),
            block(b, begin, end, 0, columns));
  };
  multiply(0, n / 2);
  multiply(n / 2, n);
}

#define TESSERA_INSTANTIATE_POTRI(T, Exec) template class Potri<T, Exec>;
#define TESSERA_INSTANTIATE_POTRIS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_POTRI, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_POTRIS)

}  // namespace tessera::kernels
