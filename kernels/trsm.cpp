#include "kernels/blas.hpp"
#include "kernels/compat.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// The vectors of one part of B, as many as L's diagonal block has columns: W = X R with R what stands there and X the
/// block's inverse, and one correction, W += X (R - L W). All of it is in scratch memory, X and L one after the other.
template <class T, class Exec, Side side, Op op>
struct SolveBlock {
  using Space = typename Exec::memory_space;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr int size = static_cast<int>(potrf_block);
  static constexpr int vectors = sizeof(T) > 8 ? 4 : 16;  // of a team: together less than 48 KiB
  // A thread works out `width` entries of `pairs` vectors, which are `stride` apart.
  static constexpr int width = 4;
  static constexpr int pairs = sizeof(T) > 8 ? 1 : 2;
  static constexpr int stride = vectors / pairs;
  static constexpr int threads = stride * size / width;

  MatrixView<const T, Space> l;
  MatrixView<const T, Space> x;
  MatrixView<T, Space> b;

  std::int64_t count() const { return static_cast<std::int64_t>(b.extent(side == Side::left ? 1 : 0)); }
  static constexpr int scratch_bytes() {
    return (packed(size, size) + size + 2 * vectors * size) * static_cast<int>(sizeof(T));
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int n = static_cast<int>(l.extent(0));
    const std::int64_t first = static_cast<std::int64_t>(team.league_rank()) * vectors;
    const std::int64_t all = static_cast<std::int64_t>(b.extent(side == Side::left ? 1 : 0));
    const int own = static_cast<int>(all - first < vectors ? all - first : vectors);
    T* const r =
        static_cast<T*>(team.team_shmem().get_shmem(scratch_bytes()));  // entry i of vector v at v + i * vectors
    T* const w = r + vectors * n;
    T* const m = w + vectors * n;
    // in the order in which B lies in memory
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, vectors * n), [&](int e) {
      const int v = side == Side::left ? e / n : e % vectors;
      const int i = side == Side::left ? e % n : e / vectors;
      r[v + i * vectors] = v < own ? entry(first + v, i) : T(0);
    });
    enum { product, residual, correction };
    TESSERA_ROLLED
    for (int phase = product; phase <= correction; ++phase) {
      load(team, phase == residual ? l : x, n, m);
      team.team_barrier();
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, stride * ((n + width - 1) / width)), [&](int e) {
        const int v = e % stride;
        const int i = e / stride * width;
        T sums[pairs][width] = {};
        add_products(m, (phase == residual ? w : r) + v, i, n, sums);
        TESSERA_UNROLL
        for (int p = 0; p < pairs; ++p) {
          const int u = v + p * stride;
          TESSERA_UNROLL
          for (int q = 0; q < width; ++q) {
            if (i + q >= n) continue;
            const int at = u + (i + q) * vectors;
            if (phase == product) {
              w[at] = sums[p][q];
            } else if (phase == residual) {
              r[at] -= sums[p][q];
            } else if (u < own) {
              entry(first + u, i + q) = w[at] + sums[p][q];
            }
          }
        }
      });
      team.team_barrier();
    }
  }

 private:
  /// Entry i of vector v.
  KOKKOS_FORCEINLINE_FUNCTION T& entry(std::int64_t v, int i) const { return side == Side::left ? b(i, v) : b(v, i); }

  /// Where column k begins in a lower triangle that is packed by columns, so that (i, k) stands at i + packed(k).
  KOKKOS_FORCEINLINE_FUNCTION static constexpr int packed(int k, int n) { return k * n - k * (k + 1) / 2; }

  KOKKOS_FORCEINLINE_FUNCTION static void load(const Team& team, const MatrixView<const T, Space>& from, int n, T* to) {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, n * n), [&](int e) {
      const int i = e % n;
      const int k = e / n;
      if (i >= k) to[i + packed(k, n)] = from(i, k);
    });
  }

  /// sums += (M y)(i:i+width) for the vectors at y, y + stride, ..., with M = m, conj(m) or m^H. Beyond the last entry
  /// that is computed again, which costs nothing.
  KOKKOS_FORCEINLINE_FUNCTION void add_products(const T* m, const T* y, int i, int n, T (&sums)[pairs][width]) const {
    constexpr bool transposed = side == Side::left && op == Op::conj_transpose;
    const int begin = transposed ? i : 0;
    const int end = transposed || i + width > n ? n : i + width;
    for (int k = begin; k < end; ++k) {
      T factors[pairs];
      TESSERA_UNROLL
      for (int p = 0; p < pairs; ++p) factors[p] = y[p * stride + k * vectors];
      TESSERA_UNROLL
      for (int q = 0; q < width; ++q) {
        const int row = i + q < n ? i + q : n - 1;
        const bool stands = transposed ? k >= row : k <= row;
        const T stored = !stands ? T(0) : transposed ? m[k + packed(row, n)] : m[row + packed(k, n)];
        const T value = op == Op::none ? stored : detail::conj(stored);
        TESSERA_UNROLL
        for (int p = 0; p < pairs; ++p) sums[p][q] += value * factors[p];
      }
    }
  }
};

template <Side side, Op op, class T, class Exec>
void solve_block(Queue<Exec>& queue, const MatrixView<const T, typename Exec::memory_space>& l,
                 const MatrixView<const T, typename Exec::memory_space>& x,
                 const MatrixView<T, typename Exec::memory_space>& b) {
  using Block = SolveBlock<T, Exec, side, op>;
  const Block functor{l, x, b};
  const auto teams = static_cast<int>((functor.count() + Block::vectors - 1) / Block::vectors);
  Kokkos::parallel_for("tessera::trsm::block",
                       Kokkos::TeamPolicy<Exec>(queue.exec(), teams, on_host<Exec> ? 1 : Block::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(Block::scratch_bytes())),
                       functor);
}

}  // namespace

template <class T, class Exec>
void trsm_by_inverses(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                      const MatrixView<const T, typename Exec::memory_space>& inverses,
                      const MatrixView<T, typename Exec::memory_space>& b) {
  const auto n = static_cast<std::int64_t>(l.extent(0));
  const auto vectors = static_cast<std::int64_t>(b.extent(side == Side::left ? 1 : 0));
  if (vectors == 0) return;
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return side == Side::left ? block(b, begin, end, 0, vectors) : block(b, 0, vectors, begin, end);
  };
  // L^-H from the left goes from the last block to the first.
  const bool backward = side == Side::left && op == Op::conj_transpose;
  const std::int64_t blocks = (n + potrf_block - 1) / potrf_block;
  for (std::int64_t step = 0; step < blocks; ++step) {
    const std::int64_t j = (backward ? blocks - 1 - step : step) * potrf_block;
    const std::int64_t end = std::min(j + potrf_block, n);
    const auto w = part(j, end);
    const MatrixView<const T, typename Exec::memory_space> diagonal = block(l, j, end, j, end);
    const MatrixView<const T, typename Exec::memory_space> x = block(inverses, j, end, 0, end - j);
    if (backward) {
      solve_block<Side::left, Op::conj_transpose, T>(queue, diagonal, x, w);
      gemm<T>(queue, T(-1), op, block(l, j, end, 0, j), Op::none, w, T(1), part(0, j));  // B(0:j) -= L(j,0:j)^H W
    } else if (side == Side::left) {
      solve_block<Side::left, Op::none, T>(queue, diagonal, x, w);
      gemm<T>(queue, T(-1), op, block(l, end, n, j, end), Op::none, w, T(1), part(end, n));  // B(j+1:) -= L(j+1:,j) W
    } else {
      solve_block<Side::right, Op::conj_transpose, T>(queue, diagonal, x, w);
      gemm<T>(queue, T(-1), Op::none, w, op, block(l, end, n, j, end), T(1), part(end, n));
    }
  }
}

template <class T, class Exec>
void trsm(Queue<Exec>& queue, Side side, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
          [[maybe_unused]] const MatrixView<const T, typename Exec::memory_space>& inverses,
          const MatrixView<T, typename Exec::memory_space>& b) {
  if (b.size() == 0) return;
  if constexpr (on_host<Exec>) {
    compat::trsm<T>(queue.exec(), side == Side::left ? "L" : "R", op == Op::none ? "N" : "C", l, b);
  } else {
    trsm_by_inverses<T>(queue, side, op, l, inverses, b);
  }
}

#define TESSERA_INSTANTIATE_ONE_TRSM(name, T, Exec)                                                            \
  template void name<T, Exec>(Queue<Exec>&, Side, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                              const MatrixView<const T, typename Exec::memory_space>&,                         \
                              const MatrixView<T, typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_TRSM(T, Exec)     \
  TESSERA_INSTANTIATE_ONE_TRSM(trsm, T, Exec) \
  TESSERA_INSTANTIATE_ONE_TRSM(trsm_by_inverses, T, Exec)
#define TESSERA_INSTANTIATE_TRSMS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TRSM, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_TRSMS)

}  // namespace tessera::kernels
