// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/communicator.hpp"
#include "core/factorize/diagonal.hpp"
#include "core/factorize/leaf_inverses.hpp"
#include "core/matrix/workspace.hpp"
#include "core/timed.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_factor.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace tessera::detail {
namespace {

template <class MemorySpace>
struct DiagonalBuffers {
  DiagonalBuffers(Workspace<MemorySpace>& workspace, std::int64_t n) : values(workspace.template take<double>(n)) {}

  double* values;
};

/// Throws Misuse for a number that no factor has on its diagonal.
void require_diagonal(const std::vector<double>& diagonal) {
  for (std::size_t k = 0; k < diagonal.size(); ++k) {
    if (diagonal[k] > 0 && std::isfinite(diagonal[k])) continue;
    const std::string number = std::to_string(k);
    throw_misuse("l", "must have a positive and finite diagonal, got L(" + number + ", " + number +
                          ") = " + std::to_string(diagonal[k]));
  }
}

}  // namespace

template <class T, class Exec>
double complete_factor(const Exec& exec, const ShardedMatrix<T, typename Exec::memory_space>& l,
                       Memory<typename Exec::memory_space>& memory) {
  using MemorySpace = typename Exec::memory_space;
  const Region region("tessera::adopt");
  const Communicator& communicator = l.grid().communicator();
  double* values = nullptr;
  collectively(communicator, [&] { values = buffers_in<DiagonalBuffers<MemorySpace>>(memory, l.n()).values; });
  const std::vector<double> diagonal = diagonal_on_all(exec, l, values);
  collectively(communicator, [&] {
    require_diagonal(diagonal);
    if constexpr (Leaves<MemorySpace>::has_inverses) invert_leaves(exec, l);
  });
  return log_determinant_of(communicator, diagonal);
}

#define TESSERA_INSTANTIATE_COMPLETE(T, Exec)                                                                 \
  template double complete_factor<T, Exec>(const Exec&, const ShardedMatrix<T, typename Exec::memory_space>&, \
                                           Memory<typename Exec::memory_space>&);
#define TESSERA_INSTANTIATE_COMPLETES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_COMPLETE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_COMPLETES)

}  // namespace tessera::detail
