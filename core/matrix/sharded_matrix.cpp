#include "tessera/sharded_matrix.hpp"

#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace tessera {
namespace detail {

void require_dimensions(std::int64_t n, std::int64_t tile_size, std::int64_t slab) {
  // Index arithmetic stays exact, and gemm's dimensions are ints.
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (n < 0 || n > most) throw_misuse("n", "extent must be from 0 to 2^31 - 1, got " + std::to_string(n));
  if (tile_size < 0) throw_misuse("tile", "extent must not be negative, got " + std::to_string(tile_size));
  if (slab < 0) throw_misuse("slab", "extent must not be negative, got " + std::to_string(slab));
}

template <class T, class MemorySpace>
SlabLayout make_layout(GridShape grid, int rank, std::int64_t n, std::int64_t tile_size, std::int64_t slab) {
  const std::int64_t tile = std::clamp<std::int64_t>(tile_size, 1, std::max<std::int64_t>(n, 1));
  SlabLayout layout{{n, tile, grid.rows, rank / grid.cols}, {n, tile, grid.cols, rank % grid.cols}};
  if (slab == 0) slab = Tuning<MemorySpace>::slab((n + grid.cols - 1) / grid.cols);
  const std::int64_t whole = std::clamp<std::int64_t>(slab, 1, std::max<std::int64_t>(n, 1));
  layout.slab = std::min((whole + tile - 1) / tile * tile, std::max<std::int64_t>(n, 1));
  layout.row_alignment = std::max<std::int64_t>(1, Tuning<MemorySpace>::row_alignment / std::int64_t{sizeof(T)});
  return layout;
}

}  // namespace detail

template <Scalar T, class MemorySpace>
ShardedMatrix<T, MemorySpace>::ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size,
                                             std::int64_t slab)
    : grid_(grid) {
  detail::Memory<MemorySpace> memory;
  *this = ShardedMatrix(grid, n, tile_size, slab, memory);
}

template <Scalar T, class MemorySpace>
ShardedMatrix<T, MemorySpace>::ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size,
                                             std::int64_t slab, detail::Memory<MemorySpace>& memory)
    : grid_(grid) {
  const detail::Communicator& communicator = grid_.communicator();
  detail::agree(communicator, "ShardedMatrix", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::require_dimensions(n, tile_size, slab);
    agreement.same("scalar", detail::scalar_name<T>());
    agreement.same("memory space", std::string(MemorySpace::name()));
    agreement.same("n", std::to_string(n) + " rows");
    agreement.same("tile", tile_size);
    agreement.same("slab", slab);
  });

  const std::int64_t tile = detail::tile_size_for<T, MemorySpace>(tile_size, n, grid_.shape());
  layout_ = detail::make_layout<T, MemorySpace>(grid_.shape(), grid_.rank(), n, tile, slab);
  detail::collectively(communicator, [&] {
    storage_ = detail::Memory<MemorySpace>::reserve(memory.tiles, "tessera::ShardedMatrix::tiles", bytes());
    T* const data = reinterpret_cast<T*>(storage_.data());
    std::int64_t offset = 0;
    for (std::int64_t s = 0; s < layout_.count(); ++s) {
      slabs_.push_back(make_matrix_view<MemorySpace>(data + offset, layout_.height(s), layout_.width(s),
                                                     layout_.leading_dimension(s)));
      offset += layout_.leading_dimension(s) * layout_.width(s);
    }
  });
}

#define TESSERA_INSTANTIATE_MATRIX(T, MemorySpace)                                                                   \
  template SlabLayout detail::make_layout<T, MemorySpace>(GridShape, int, std::int64_t, std::int64_t, std::int64_t); \
  template class ShardedMatrix<T, MemorySpace>;
#define TESSERA_INSTANTIATE_MATRICES(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_MATRIX, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_MATRICES)

}  // namespace tessera
