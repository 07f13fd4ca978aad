// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/invert.hpp"

#include "kernels/backend.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>

namespace tessera::kernels {
namespace {

/// X = L^-1 for each block on a diagonal, by a team each, from the last column to the first: with column j of L and the
/// columns of X right of it, X(i,j) = -X(i,j+1:i) L(j+1:i,j) / L(j,j).
template <class T, class Exec>
struct InvertBlocks {
  using Real = detail::RealOf<T>;
  using Team = typename Kokkos::TeamPolicy<Exec>::member_type;

  static constexpr std::size_t most = 8;  // triangles: with more than 512 bytes a launch on a device waits for others
  static constexpr int size = substitution_block<T>;
  static constexpr int threads = is_host<Exec> ? 1 : size;
  static constexpr int leading_dimension = size + 1;
  static constexpr int scratch_bytes = (size * leading_dimension + 2 * size) * static_cast<int>(sizeof(T));

  TriangleToInvert<T> triangles[most];
  int blocks;  // of the largest

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const TriangleToInvert<T>& triangle = triangles[team.league_rank() / blocks];
    const std::int64_t number = team.league_rank() % blocks;
    const std::int64_t rest = triangle.rows - number * size;
    if (rest <= 0) return;
    const int n = static_cast<int>(rest < size ? rest : size);
    const T* const l = triangle.l + number * size * (triangle.leading_dimension + 1);
    T* const x = triangle.inverses + number * size * size;
    T* const columns = static_cast<T*>(team.team_shmem().get_shmem(int{scratch_bytes}));  // of L, of two columns
    T* const inverse = columns + 2 * size;
    for (int j = n - 1; j >= 0; --j) {
      T* const column = columns + j % 2 * size;
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, j, n),
                           [&](int i) { column[i] = l[i + j * triangle.leading_dimension]; });
      team.team_barrier();
      const T reciprocal(Real(1) / detail::real(column[j]));
      Kokkos::parallel_for(Kokkos::TeamThreadRange(team, j, n), [&](int i) {
        T sum(0);
        for (int k = j + 1; k <= i; ++k) sum += inverse[i + k * leading_dimension] * column[k];
        const T value = i == j ? reciprocal : -sum * reciprocal;
        inverse[i + j * leading_dimension] = value;
        x[i + j * size] = value;
      });
    }
  }
};

}  // namespace

template <class T, class Exec>
void invert_blocks(const Exec& exec, const std::vector<TriangleToInvert<T>>& triangles) {
  using Invert = InvertBlocks<T, Exec>;
  for (std::size_t first = 0; first < triangles.size(); first += Invert::most) {
    Invert invert{};
    std::size_t count = 0;
    for (; count < Invert::most && first + count < triangles.size(); ++count) {
      invert.triangles[count] = triangles[first + count];
      const auto blocks = static_cast<int>(substitution_blocks<T>(invert.triangles[count].rows));
      invert.blocks = std::max(invert.blocks, blocks);
    }
    if (invert.blocks == 0) continue;
    Kokkos::parallel_for("tessera::invert",
                         Kokkos::TeamPolicy<Exec>(exec, static_cast<int>(count) * invert.blocks, Invert::threads)
                             .set_scratch_size(0, Kokkos::PerTeam(int{Invert::scratch_bytes})),
                         invert);
  }
}

#define TESSERA_INSTANTIATE_INVERT(T, Exec) \
  template void invert_blocks<T, Exec>(const Exec&, const std::vector<TriangleToInvert<T>>&);
#define TESSERA_INSTANTIATE_INVERTS(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_INVERT, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_INVERTS)

}  // namespace tessera::kernels
