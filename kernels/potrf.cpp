#include "kernels/potrf.hpp"

#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

/// 1 / sqrt(x): for a device one instruction and few more.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Real reciprocal_root(Real x) {
#ifdef __CUDA_ARCH__
  return ::rsqrt(x);
#else
  return Real(1) / std::sqrt(x);
#endif
}

/// A = L L^H and X = L^-1 for one block, by one team, right-looking.
template <class T, class Exec>
struct PotrfBlock {
  using Space = typename Exec::memory_space;
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr int size = static_cast<int>(potrf_block);
  static constexpr int groups = 8;  // of threads, among which the columns are dealt
  static constexpr int threads = on_host<Exec> ? 1 : size * groups;

  MatrixView<T, Space> a;
  MatrixView<T, Space> x;
  std::int64_t offset;
  FailingMinor<Exec> failing;

  static constexpr int scratch_bytes() {
    return (on_host<Exec> ? size * (size + 1) / 2 : 4 * size) * static_cast<int>(sizeof(T));
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    T* const scratch = static_cast<T*>(team.team_shmem().get_shmem(scratch_bytes()));
    if constexpr (on_host<Exec>) {
      in_scratch(scratch);
    } else {
      in_registers(team, scratch);
    }
  }

 private:
  /// The pivot, or NaN from the first one on that is not positive.
  KOKKOS_FUNCTION Real positive(Real pivot, int k, bool& failed, bool reports) const {
    if (!(pivot > Real(0)) && !failed) {  // NaN compares false
      failed = true;
      if (reports && failing() > offset + k + 1) failing() = offset + k + 1;
    }
    return failed ? Real(NAN) : pivot;
  }

  /// One thread, column by column, on the lower triangle packed by columns.
  KOKKOS_FUNCTION void in_scratch(T* scratch) const {
    const int n = static_cast<int>(a.extent(0));
    const auto l = [&](int i, int j) -> T& { return scratch[i + j * (2 * n - j - 1) / 2]; };
    for (int j = 0; j < n; ++j) {
      for (int i = j; i < n; ++i) l(i, j) = a(i, j);
    }
    bool failed = false;
    for (int k = 0; k < n; ++k) {
      const Real root = std::sqrt(positive(detail::real(l(k, k)), k, failed, true));
      l(k, k) = T(root);
      for (int i = k + 1; i < n; ++i) l(i, k) = l(i, k) / root;
      for (int j = k + 1; j < n; ++j) {
        const T other = detail::conj(l(j, k));
        for (int i = j; i < n; ++i) l(i, j) -= l(i, k) * other;
      }
    }
    for (int j = 0; j < n; ++j) {
      for (int i = 0; i < n; ++i) a(i, j) = i < j ? T(0) : l(i, j);
      // L x = e_j by substitution
      for (int i = 0; i < n; ++i) x(i, j) = T(i == j ? 1 : 0);
      for (int k = j; k < n; ++k) {
        const T value = x(k, j) / detail::real(l(k, k));
        x(k, j) = value;
        for (int i = k + 1; i < n; ++i) x(i, j) -= l(i, k) * value;
      }
    }
  }

  /// Thread (i, g) keeps the columns g, g + groups, ... of row i in registers: L(i, 0:i], and right of that row i of
  /// L^-H, which comes of the identity below A by the same operations. The newest column goes round by scratch memory,
  /// in two buffers by turns, so that a column costs one barrier. All columns run through the same few instructions,
  /// which take longer to fetch than to execute.
  KOKKOS_FUNCTION void in_registers(const Team& team, T* scratch) const {
    constexpr int own = size / groups;
    const int n = static_cast<int>(a.extent(0));
    const int i = static_cast<int>(team.team_rank()) % size;
    const int g = static_cast<int>(team.team_rank()) / size;
    T row[own];  // from column c * groups + g on
    TESSERA_UNROLL
    for (int d = 0; d < own; ++d) {
      const int j = d * groups + g;
      row[d] = i < n && j <= i ? a(i, j) : T(0);
    }
    bool failed = false;
    TESSERA_ROLLED
    for (int c = 0; c * groups < n; ++c) {
      TESSERA_ROLLED
      for (int q = 0; q < groups; ++q) {
        const int k = c * groups + q;
        if (k >= n) break;
        T* const column = scratch + k % 2 * 2 * size;
        if (g == q) column[i] = row[0];
        team.team_barrier();
        const Real pivot = positive(detail::real(column[k]), k, failed, team.team_rank() == 0);
        const Real factor = reciprocal_root(pivot);
        const T in_column = i == k ? T(factor) : column[i] * factor;
        if (g == q) row[0] = i == k ? T(pivot * factor) : in_column;
        const T scaled = in_column * factor;
        // Beyond the block too, where the scratch memory goes on, with what is of no use.
        T others[own];
        TESSERA_UNROLL
        for (int d = 0; d < own; ++d) others[d] = column[(c + d) * groups + g];
        TESSERA_UNROLL
        for (int d = 0; d < own; ++d) {
          const int j = (c + d) * groups + g;
          const T updated = row[d] - scaled * detail::conj(others[d]);
          row[d] = j > k && (j <= i || k >= i) ? updated : row[d];  // row i of L^-H begins at column i
        }
      }
      const int j = c * groups + g;
      if (i < n && j < n) {
        a(i, j) = j <= i ? row[0] : T(0);
        x(j, i) = j < i ? T(0) : j == i ? T(Real(1) / detail::real(row[0])) : detail::conj(row[0]);
      }
      TESSERA_UNROLL
      for (int d = 0; d + 1 < own; ++d) row[d] = row[d + 1];
    }
  }
};

template <class T, class Exec>
void potrf_one_block(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a,
                     const MatrixView<T, typename Exec::memory_space>& x, std::int64_t offset,
                     const FailingMinor<Exec>& failing) {
  using Block = PotrfBlock<T, Exec>;
  Kokkos::parallel_for("tessera::potrf::block",
                       Kokkos::TeamPolicy<Exec>(queue.exec(), 1, Block::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(Block::scratch_bytes())),
                       Block{a, x, offset, failing});
}

/// About half of n, in whole blocks.
constexpr std::int64_t split(std::int64_t n) { return (n / 2 + potrf_block - 1) / potrf_block * potrf_block; }

}  // namespace

template <class T, class Exec>
void potrf(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a,
           const MatrixView<T, typename Exec::memory_space>& inverses, std::int64_t offset,
           const FailingMinor<Exec>& failing) {
  const auto n = static_cast<std::int64_t>(a.extent(0));
  if (n <= potrf_block) {
    potrf_one_block<T>(queue, a, block(inverses, 0, n, 0, n), offset, failing);
    return;
  }
  const std::int64_t h = split(n);
  const auto a11 = block(a, 0, h, 0, h);
  const auto a21 = block(a, h, n, 0, h);
  const auto a22 = block(a, h, n, h, n);
  const auto x1 = block(inverses, 0, h, 0, potrf_block);
  potrf<T>(queue, a11, x1, offset, failing);                                         // A11 = L11 L11^H
  trsm<T>(queue, Side::right, Op::conj_transpose, a11, x1, a21);                     // A21 = A21 L11^-H
  herk<T>(queue, T(-1), a21, T(1), a22);                                             // A22 -= A21 A21^H
  potrf<T>(queue, a22, block(inverses, h, n, 0, potrf_block), offset + h, failing);  // A22 = L22 L22^H
}

#define TESSERA_INSTANTIATE_POTRF(T, Exec)                                                      \
  template void potrf<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&, \
                               const MatrixView<T, typename Exec::memory_space>&, std::int64_t, \
                               const FailingMinor<Exec>&);
#define TESSERA_INSTANTIATE_POTRFS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_POTRF, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_POTRFS)

}  // namespace tessera::kernels
