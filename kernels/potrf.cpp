// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/potrf.hpp"

#include "kernels/backend.hpp"
#include "kernels/blas.hpp"
#include "kernels/halves.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

/// A = L L^H for one block, by one thread of the host, column by column, on the lower triangle packed by columns.
template <class T, class Exec>
struct PotrfBlock {
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr int columns = 64;
  static constexpr int scratch_bytes = columns * (columns + 1) / 2 * static_cast<int>(sizeof(T));

  MatrixView<T, typename Exec::memory_space> a;
  std::int64_t offset;
  FailingMinor<Exec> failing;

  void operator()(const Team& team) const {
    T* const scratch = static_cast<T*>(team.team_shmem().get_shmem(int{scratch_bytes}));
    const int n = static_cast<int>(a.extent(0));
    const auto l = [&](int i, int j) -> T& { return scratch[i + j * (2 * n - j - 1) / 2]; };
    for (int j = 0; j < n; ++j) {
      for (int i = j; i < n; ++i) l(i, j) = a(i, j);
    }
    bool failed = false;
    for (int k = 0; k < n; ++k) {
      const Real pivot = detail::real(l(k, k));
      if (!(pivot > Real(0)) && !failed) {  // NaN compares false
        failed = true;
        if (failing() > offset + k + 1) failing() = offset + k + 1;
      }
      const Real root = failed ? Real(NAN) : std::sqrt(pivot);
      l(k, k) = T(root);
      for (int i = k + 1; i < n; ++i) l(i, k) = l(i, k) / root;
      for (int j = k + 1; j < n; ++j) {
        const T other = detail::conj(l(j, k));
        for (int i = j; i < n; ++i) l(i, j) -= l(i, k) * other;
      }
    }
    for (int j = 0; j < n; ++j) {
      for (int i = j; i < n; ++i) a(i, j) = l(i, j);
    }
  }
};

/// What is factored without recursion.
template <class T, class Exec>
constexpr std::int64_t leaf() {
  if constexpr (is_host<Exec>) {
    return PotrfBlock<T, Exec>::columns;
  } else {
    return TileKernels<Exec>::template columns<T>;
  }
}

template <class T, class Exec>
void potrf_leaf(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a, std::int64_t offset,
                const FailingMinor<Exec>& failing) {
  if constexpr (is_host<Exec>) {
    using Block = PotrfBlock<T, Exec>;
    Kokkos::parallel_for(
        "tessera::potrf::block",
        Kokkos::TeamPolicy<Exec>(queue.exec(), 1, 1).set_scratch_size(0, Kokkos::PerTeam(int{Block::scratch_bytes})),
        Block{a, offset, failing});
  } else {
    TileKernels<Exec>::template potrf<T>(queue.exec(), a, offset, failing);
  }
}

}  // namespace

template <class T, class Exec>
void potrf(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a, std::int64_t offset,
           const FailingMinor<Exec>& failing) {
  constexpr std::int64_t most = leaf<T, Exec>();
  const auto n = static_cast<std::int64_t>(a.extent(0));
  if (n == 0) return;
  if (n <= most) return potrf_leaf<T>(queue, a, offset, failing);
  const std::int64_t h = half_of(n, most);
  const auto a11 = block(a, 0, h, 0, h);
  const auto a21 = block(a, h, n, 0, h);
  const auto a22 = block(a, h, n, h, n);
  potrf<T>(queue, a11, offset, failing);            // A11 = L11 L11^H
  trsm_right<T>(queue, a11, a21);                   // A21 = A21 L11^-H
  herk<T>(queue, T(-1), Op::none, a21, T(1), a22);  // A22 -= A21 A21^H
  potrf<T>(queue, a22, offset + h, failing);        // A22 = L22 L22^H
}

#define TESSERA_INSTANTIATE_POTRF(T, Exec)                                                                    \
  template void potrf<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&, std::int64_t, \
                               const FailingMinor<Exec>&);
#define TESSERA_INSTANTIATE_POTRFS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_POTRF, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_POTRFS)

}  // namespace tessera::kernels
