// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/sharded_matrix.hpp"

#include "core/matrix/callers_array.hpp"
#include "core/matrix/leaves.hpp"
#include "core/tuning.hpp"
#include "kernels/instantiate.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace tessera {
namespace detail {

void require_dimensions(std::int64_t n, std::int64_t tile_size, std::int64_t slab, std::int64_t reserve) {
  // Index arithmetic stays exact, and gemm's dimensions are ints.
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  if (n < 0 || n > most) throw_misuse("n", "extent must be from 0 to 2^31 - 1, got " + std::to_string(n));
  if (tile_size < 0) throw_misuse("tile", "extent must not be negative, got " + std::to_string(tile_size));
  if (slab < 0) throw_misuse("slab", "extent must not be negative, got " + std::to_string(slab));
  if (reserve < 0 || reserve > most - n) {
    throw_misuse("reserve",
                 "must be from 0 to 2^31 - 1 - n = " + std::to_string(most - n) + ", got " + std::to_string(reserve));
  }
}

template <class T, class MemorySpace>
SlabLayout make_layout(const GridNumbering& grid, int rank, std::int64_t n, std::int64_t tile_size, std::int64_t slab,
                       std::int64_t reserve) {
  const GridShape shape = grid.shape;
  const std::int64_t most = std::max<std::int64_t>(n + reserve, 1);
  const std::int64_t tile = std::clamp<std::int64_t>(tile_size, 1, most);
  SlabLayout layout{{n, tile, shape.rows, grid.row_of(rank)}, {n, tile, shape.cols, grid.col_of(rank)}};
  layout.reserve = reserve;
  if (slab == 0) slab = Tuning<MemorySpace>::slab((n + reserve + shape.cols - 1) / shape.cols);
  const std::int64_t whole = std::clamp<std::int64_t>(slab, 1, most);
  layout.slab = std::min((whole + tile - 1) / tile * tile, most);
  layout.row_alignment = std::max<std::int64_t>(1, Tuning<MemorySpace>::row_alignment / std::int64_t{sizeof(T)});
  return layout;
}

}  // namespace detail

template <Scalar T, class MemorySpace>
ShardedMatrix<T, MemorySpace>::ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size,
                                             std::int64_t slab, std::int64_t reserve)
    : grid_(grid) {
  detail::Memory<MemorySpace> memory;
  *this = ShardedMatrix(grid, n, tile_size, slab, reserve, memory);
}

template <Scalar T, class MemorySpace>
ShardedMatrix<T, MemorySpace>::ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size,
                                             std::int64_t slab, std::int64_t reserve,
                                             detail::Memory<MemorySpace>& memory)
    : grid_(grid) {
  const detail::Communicator& communicator = grid_.communicator();
  detail::agree(communicator, "ShardedMatrix", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::require_dimensions(n, tile_size, slab, reserve);
    agreement.same("scalar", detail::scalar_name<T>());
    agreement.same("memory space", std::string(MemorySpace::name()));
    agreement.same("n", std::to_string(n) + " rows");
    agreement.same("tile", tile_size);
    agreement.same("slab", slab);
    agreement.same("reserve", reserve);
  });

  const std::int64_t tile = detail::tile_size_for<T, MemorySpace>(tile_size, n + reserve, grid_.shape());
  layout_ = detail::make_layout<T, MemorySpace>(grid_.numbering(), grid_.rank(), n, tile, slab, reserve);
  detail::collectively(communicator, [&] {
    const SlabLayout all = layout_.full();
    const std::int64_t inverses = detail::Leaves<MemorySpace>(all).template inverses_size<T>();
    storage_ = detail::Memory<MemorySpace>::reserve(
        memory.tiles, "tessera::ShardedMatrix::tiles",
        detail::saturated_sum(bytes(), detail::saturated_product(inverses, sizeof(T))));
    T* const data = reinterpret_cast<T*>(storage_.data());
    std::int64_t offset = 0;
    for (std::int64_t s = 0; s < all.count(); ++s) {
      slabs_.push_back(
          make_matrix_view<MemorySpace>(data + offset, all.height(s), all.width(s), all.leading_dimension(s)));
      offset += all.leading_dimension(s) * all.width(s);
    }
  });
}

template <Scalar T, class MemorySpace>
ShardedMatrix<T, MemorySpace>::ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size,
                                             const detail::CallersArray<T>& array)
    : grid_(grid) {
  const detail::Communicator& communicator = grid_.communicator();
  detail::agree(communicator, "ShardedMatrix::adopt", [&](detail::Agreement& agreement) {
    detail::require_kokkos();
    detail::require_dimensions(n, tile_size, 0, 0);
    if (tile_size == 0) detail::throw_misuse("tile", "extent must be at least 1, got 0");
    const detail::Strided<T>& view = array.elements;
    layout_ = detail::make_layout<T, MemorySpace>(grid_.numbering(), grid_.rank(), n, tile_size, 0);
    const std::int64_t rows = layout_.rows.local_extent();
    const std::int64_t columns = layout_.columns.local_extent();
    detail::require_array("view", view, rows, columns);
    // A stride that no column needs may be any.
    layout_.adopted = std::max<std::int64_t>(1, columns > 1 ? view.stride[1] : rows);
    agreement.same("scalar", detail::scalar_name<T>());
    agreement.same("memory space", std::string(MemorySpace::name()));
    agreement.same("n", std::to_string(n) + " rows");
    agreement.same("tile", tile_size);
  });
  detail::collectively(communicator, [&] {
    const std::int64_t inverses = detail::Leaves<MemorySpace>(layout_).template inverses_size<T>();
    detail::Memory<MemorySpace> memory;
    storage_ = detail::Memory<MemorySpace>::reserve(memory.tiles, "tessera::ShardedMatrix::inverses",
                                                    detail::saturated_product(inverses, sizeof(T)));
    callers_ = array.keep();
    for (std::int64_t s = 0; s < layout_.count(); ++s) {
      T* const first =
          array.elements.data + layout_.row_begin(s).value + layout_.column_begin(s).value * layout_.adopted;
      slabs_.push_back(make_matrix_view<MemorySpace>(first, layout_.height(s), layout_.width(s), layout_.adopted));
    }
  });
}

#define TESSERA_INSTANTIATE_MATRIX(T, MemorySpace)                                                               \
  template SlabLayout detail::make_layout<T, MemorySpace>(const GridNumbering&, int, std::int64_t, std::int64_t, \
                                                          std::int64_t, std::int64_t);                           \
  template class ShardedMatrix<T, MemorySpace>;
#define TESSERA_INSTANTIATE_MATRICES(MemorySpace) TESSERA_FOR_EACH_SCALAR(TESSERA_INSTANTIATE_MATRIX, MemorySpace)
TESSERA_FOR_EACH_MEMORY_SPACE(TESSERA_INSTANTIATE_MATRICES)

}  // namespace tessera
