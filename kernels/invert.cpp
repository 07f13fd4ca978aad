#include "kernels/invert.hpp"

#include "kernels/blas.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <algorithm>

namespace tessera::kernels {
namespace {

/// Zeros above the diagonal of L, and in X.
template <class T, class Space>
struct Clear {
  MatrixView<T, Space> x;
  MatrixView<T, Space> l;
  KOKKOS_FUNCTION void operator()(std::int64_t i, std::int64_t j) const {
    x(i, j) = T(0);
    if (i < j) l(i, j) = T(0);
  }
};

/// X = L^-1 for each block on the diagonal, by a team each, from the last column to the first: with column j of L and
/// the columns of X right of it, X(i,j) = -X(i,j+1:i) L(j+1:i,j) / L(j,j).
template <class T, class Exec>
struct InvertBlock {
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr int size = 64;
  static constexpr int threads = on_host<Exec> ? 1 : size;
  static constexpr int scratch_bytes = (size * (size + 1) / 2 + 2 * size) * static_cast<int>(sizeof(T));

  MatrixView<const T, typename Exec::memory_space> l;
  MatrixView<T, typename Exec::memory_space> x;

  std::int64_t blocks() const { return (static_cast<std::int64_t>(l.extent(0)) + size - 1) / size; }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const std::int64_t first = std::int64_t{team.league_rank()} * size;
    const std::int64_t rest = static_cast<std::int64_t>(l.extent(0)) - first;
    const int n = static_cast<int>(rest < size ? rest : size);
    T* const columns = static_cast<T*>(team.team_shmem().get_shmem(int{scratch_bytes}));  // of L, two by turns
    T* const inverse = columns + 2 * size;                                                // its lower triangle, packed
    const auto start = [=](int j) { return inverse + j * (2 * n - j - 1) / 2; };
    for (int j = n - 1; j >= 0; --j) {
      T* const column = columns + j % 2 * size;
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, j, n), [&](int i) { column[i] = l(first + i, first + j); });
      team.team_barrier();
      const T reciprocal(Real(1) / detail::real(column[j]));
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, j, n), [&](int i) {
        T sum(0);
        for (int k = j + 1; k <= i; ++k) sum += start(k)[i] * column[k];
        const T value = i == j ? reciprocal : -sum * reciprocal;
        start(j)[i] = value;
        x(first + i, first + j) = value;
      });
    }
  }
};

}  // namespace

template <class T, class Exec>
void invert(Queue<Exec>& queue, const MatrixView<T, typename Exec::memory_space>& l,
            const MatrixView<T, typename Exec::memory_space>& x, T* workspace) {
  using Space = typename Exec::memory_space;
  using Block = InvertBlock<T, Exec>;
  const auto n = static_cast<std::int64_t>(l.extent(0));
  if (n == 0) return;
  for_each<T>("tessera::invert::clear", queue.exec(), x, Clear<T, Space>{x, l});
  const Block invert_block{l, x};
  Kokkos::parallel_for("tessera::invert::block",
                       Kokkos::TeamPolicy<Exec>(queue.exec(), static_cast<int>(invert_block.blocks()), Block::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(int{Block::scratch_bytes})),
                       invert_block);
  // Rows [begin + h, end) of `count` pairs at once, each with the columns [begin, begin + h).
  const auto join = [&](std::int64_t begin, std::int64_t h, std::int64_t end, std::int64_t count) {
    const std::int64_t middle = begin + h;
    const std::int64_t step = 2 * h;
    const auto product = make_matrix_view<Space>(workspace, end - middle, h, end - middle);
    gemm_batched<T>(queue, T(1), block(l, middle, end, begin, middle), step, block(x, begin, middle, begin, middle),
                    step, product, 0, count);
    gemm_batched<T>(queue, T(-1), block(x, middle, end, middle, end), step, product, 0,
                    block(x, middle, end, begin, middle), step, count);
  };
  for (std::int64_t h = Block::size; h < n; h *= 2) {
    const std::int64_t pairs = n / (2 * h);
    const std::int64_t rest = pairs * 2 * h;
    if (pairs > 0) join(0, h, 2 * h, pairs);
    if (rest + h < n) join(rest, h, n, 1);
  }
}

template <class T, class Exec>
void solve_by_inverse(Queue<Exec>& queue, Op op, const MatrixView<const T, typename Exec::memory_space>& l,
                      const MatrixView<const T, typename Exec::memory_space>& x,
                      const MatrixView<T, typename Exec::memory_space>& b,
                      const MatrixView<T, typename Exec::memory_space>& y, T* workspace) {
  const auto rows = static_cast<std::int64_t>(y.extent(0));
  const auto d = make_matrix_view<typename Exec::memory_space>(workspace, rows, static_cast<std::int64_t>(y.extent(1)),
                                                               std::max<std::int64_t>(1, rows));
  gemm<T>(queue, T(1), op, x, Op::none, b, T(0), y);   // Y = X B
  gemm<T>(queue, T(-1), op, l, Op::none, y, T(1), b);  // B -= L Y
  gemm<T>(queue, T(1), op, x, Op::none, b, T(0), d);   // D = X B
  gemm<T>(queue, T(-1), op, l, Op::none, d, T(1), b);  // B -= L D
  gemm<T>(queue, T(1), op, x, Op::none, b, T(1), d);   // D += X B
  add<T>(queue.exec(), d, y);                          // Y += D
}

#define TESSERA_INSTANTIATE_INVERT(T, Exec)                                                                          \
  template void invert<T, Exec>(Queue<Exec>&, const MatrixView<T, typename Exec::memory_space>&,                     \
                                const MatrixView<T, typename Exec::memory_space>&, T*);                              \
  template void solve_by_inverse<T, Exec>(Queue<Exec>&, Op, const MatrixView<const T, typename Exec::memory_space>&, \
                                          const MatrixView<const T, typename Exec::memory_space>&,                   \
                                          const MatrixView<T, typename Exec::memory_space>&,                         \
                                          const MatrixView<T, typename Exec::memory_space>&, T*);
#define TESSERA_INSTANTIATE_INVERTS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_INVERT, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_INVERTS)

}  // namespace tessera::kernels
