#include "kernels/invert.hpp"

#include "kernels/instantiate.hpp"
#include "kernels/queue.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

namespace tessera::kernels {
namespace {

/// X = L^-1 for each block on the diagonal, by a team each, from the last column to the first: with column j of L and
/// the columns of X right of it, X(i,j) = -X(i,j+1:i) L(j+1:i,j) / L(j,j).
template <class T, class Exec>
struct InvertBlock {
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr int size = substitution_block<T>;
  static constexpr int threads = on_host<Exec> ? 1 : size;
  static constexpr int scratch_bytes = (size * (size + 1) / 2 + 2 * size) * static_cast<int>(sizeof(T));

  MatrixView<const T, typename Exec::memory_space> l;
  T* inverses;

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const std::int64_t first = std::int64_t{team.league_rank()} * size;
    const std::int64_t rest = static_cast<std::int64_t>(l.extent(0)) - first;
    const int n = static_cast<int>(rest < size ? rest : size);
    T* const x = inverses + std::int64_t{team.league_rank()} * size * size;
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
        x[i + j * size] = value;
      });
    }
  }
};

}  // namespace

template <class T, class Exec>
void invert_blocks(const Exec& exec, const MatrixView<const T, typename Exec::memory_space>& l, T* inverses) {
  using Block = InvertBlock<T, Exec>;
  const Block invert_block{l, inverses};
  const auto blocks = static_cast<int>(substitution_blocks<T>(static_cast<std::int64_t>(l.extent(0))));
  if (blocks == 0) return;
  Kokkos::parallel_for("tessera::invert",
                       Kokkos::TeamPolicy<Exec>(exec, blocks, Block::threads)
                           .set_scratch_size(0, Kokkos::PerTeam(int{Block::scratch_bytes})),
                       invert_block);
}

#define TESSERA_INSTANTIATE_INVERT(T, Exec) \
  template void invert_blocks<T, Exec>(const Exec&, const MatrixView<const T, typename Exec::memory_space>&, T*);
#define TESSERA_INSTANTIATE_INVERTS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_INVERT, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_INVERTS)

}  // namespace tessera::kernels
