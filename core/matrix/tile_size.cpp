// SPDX-License-Identifier: BSD-3-Clause
#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"
#include "tessera/cholesky_distributed.hpp"
#include "tessera/options.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <string>

namespace tessera {

std::int64_t default_tile_size(std::int64_t n, int ranks, std::int64_t cap) {
  if (n < 0) detail::throw_misuse("n", "must not be negative, got " + std::to_string(n));
  if (ranks < 1) detail::throw_misuse("ranks", "must be at least 1, got " + std::to_string(ranks));
  return std::min(n, std::clamp<std::int64_t>(n / ranks, 64, std::max<std::int64_t>(64, cap)));
}

namespace detail {

template <class T, class MemorySpace>
std::int64_t tile_size_for(std::int64_t asked, std::int64_t n, GridShape grid) {
  return asked != 0 ? std::min(asked, n)
                    : default_tile_size(n, grid.rows * grid.cols, Tuning<MemorySpace>::tile_cap(n, grid));
}

template <class T, class Exec>
bool is_for_one_device(std::int64_t n, std::int64_t nrhs, GridShape grid, Arithmetic arithmetic, int moduli) {
  constexpr std::int64_t few = 16;
  return grid.rows * grid.cols > 1 && nrhs <= few &&
         n <= Tuning<typename Exec::memory_space>::template rows_for_one_device<T> &&
         moduli_for<T, Exec>(arithmetic, moduli, n, grid.rows * grid.cols) == 0;
}

#define TESSERA_INSTANTIATE_FOR_ONE(T, Exec) \
  template bool is_for_one_device<T, Exec>(std::int64_t, std::int64_t, GridShape, Arithmetic, int);
#define TESSERA_INSTANTIATE_FOR_ONES(Exec) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_FOR_ONE, Exec)
TESSERA_FOR_EACH_EXEC(TESSERA_INSTANTIATE_FOR_ONES)

#define TESSERA_INSTANTIATE_TILE(T, MemorySpace) \
  template std::int64_t tile_size_for<T, MemorySpace>(std::int64_t, std::int64_t, GridShape);
#define TESSERA_INSTANTIATE_TILES(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_TILE, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_TILES)

}  // namespace detail
}  // namespace tessera
