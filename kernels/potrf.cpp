#include "kernels/potrf.hpp"

#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <cmath>

namespace tessera::kernels {
namespace {

/// The lower triangle of a small matrix, packed by columns in scratch memory.
template <class T>
struct Packed {
  T* data;
  int n;
  KOKKOS_FUNCTION T& operator()(int i, int j) const { return data[i + j * (2 * n - j - 1) / 2]; }
  KOKKOS_FUNCTION static constexpr int size(int n) { return n * (n + 1) / 2; }
};

/// A = L L^H and X = L^-1 for one block, by one team; right-looking, so that each step is parallel.
template <class T, class Exec>
struct PotrfBlock {
  using Space = typename Exec::memory_space;
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  MatrixView<T, Space> a;
  MatrixView<T, Space> x;
  std::int64_t offset;
  FailingMinor<Exec> failing;

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int n = static_cast<int>(a.extent(0));
    const Packed<T> l{static_cast<T*>(team.team_shmem().get_shmem(Packed<T>::size(n) * sizeof(T))), n};
    each_column(team, 0, n, [&](int j) {
      for (int i = j; i < n; ++i) l(i, j) = a(i, j);
    });
    team.team_barrier();
    bool failed = false;
    for (int k = 0; k < n; ++k) {
      const Real pivot = detail::real(l(k, k));
      if (!(pivot > Real(0)) && !failed) {  // NaN compares false
        failed = true;
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          if (failing() > offset + k + 1) failing() = offset + k + 1;
        });
      }
      const Real root = failed ? NAN : Real(std::sqrt(pivot));
      team.team_barrier();
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, k, n),
                           [&](int i) { l(i, k) = i == k ? T(root) : l(i, k) / root; });
      team.team_barrier();
      each_column(team, k + 1, n, [&](int j) {
        const T factor = detail::conj(l(j, k));
        for (int i = j; i < n; ++i) l(i, j) -= l(i, k) * factor;
      });
      team.team_barrier();
    }
    each_column(team, 0, n, [&](int j) {
      for (int i = 0; i < n; ++i) a(i, j) = i < j ? T(0) : l(i, j);
      // L x = e_j by substitution down column j, which no other thread reads
      for (int i = 0; i < j; ++i) x(i, j) = T(0);
      for (int i = j; i < n; ++i) x(i, j) = T(i == j ? 1 : 0);
      for (int k = j; k < n; ++k) {
        const T value = x(k, j) / detail::real(l(k, k));
        x(k, j) = value;
        for (int i = k + 1; i < n; ++i) x(i, j) -= l(i, k) * value;
      }
    });
  }

 private:
  template <class Body>
  KOKKOS_FUNCTION static void each_column(const Team& team, int begin, int end, const Body& body) {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, begin, end), body);
  }
};

template <class T, class Exec>
void potrf_one_block(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& a,
                     const MatrixView<T, typename Exec::memory_space>& x, std::int64_t offset,
                     const FailingMinor<Exec>& failing) {
  const int team_size = on_host<Exec> ? 1 : static_cast<int>(potrf_block);
  const auto scratch = static_cast<std::size_t>(Packed<T>::size(static_cast<int>(a.extent(0)))) * sizeof(T);
  Kokkos::parallel_for("tessera::potrf::block",
                       Kokkos::TeamPolicy<Exec>(queue.exec(), 1, team_size)
                           .set_scratch_size(0, Kokkos::PerTeam(static_cast<int>(scratch))),
                       PotrfBlock<T, Exec>{a, x, offset, failing});
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
