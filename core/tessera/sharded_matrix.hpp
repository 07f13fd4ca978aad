#pragma once

#include <tessera/detail/backends.hpp>
#include <tessera/detail/local_block.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/distribution.hpp>
#include <tessera/matrix_view.hpp>
#include <tessera/process_grid.hpp>
#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace tessera {
namespace detail {

/// Writes f(i, j) into one slab where i >= j, and 0 above the diagonal, where nothing is ever read that counts.
template <class T, class MemorySpace, class Function>
struct FillSlab {
  LocalBlock<T, MemorySpace> slab;
  Function f;

  KOKKOS_FUNCTION void operator()(std::int64_t row, std::int64_t column) const {
    const std::int64_t i = slab.global_row(row).value;
    const std::int64_t j = slab.global_column(column).value;
    slab.a(row, column) = i > j ? T(f(i, j)) : i == j ? T(real(T(f(i, j)))) : T(0);
  }
};

/// Throws Misuse for what is no size of a matrix.
void require_dimensions(std::int64_t n, std::int64_t tile_size, std::int64_t slab);

/// What `rank` keeps of a matrix; the arguments are those of ShardedMatrix.
template <class T, class MemorySpace>
SlabLayout make_layout(GridShape grid, int rank, std::int64_t n, std::int64_t tile_size, std::int64_t slab);

}  // namespace detail

/// A Hermitian n x n matrix whose lower tiles are dealt block-cyclically to a process grid; about n*n/2 numbers in all.
///
/// Tile (I, J), `tile_size` rows and columns (the last ones fewer), lies on process (I mod rows, J mod cols). A rank
/// keeps its tiles as columns of a local matrix, in slabs (see SlabLayout): LayoutLeft Views in one allocation.
/// Above the diagonal nothing is read.
template <Scalar T, class MemorySpace = Kokkos::DefaultExecutionSpace::memory_space>
class ShardedMatrix {
 public:
  using value_type = T;
  using memory_space = MemorySpace;

  /// Collective over `grid`. The numbers are not initialised.
  /// `slab`: local columns per slab, rounded up to whole tiles and cut to n; 0: the default.
  /// Throws std::invalid_argument if n < 0, tile_size < 1, slab < 0 or the ranks disagree; std::bad_alloc, or what
  /// Kokkos throws, if a rank's memory does not suffice: on every rank.
  ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size, std::int64_t slab = 0);

  /// What is moved from is a 0 x 0 matrix on the same grid.
  ShardedMatrix(ShardedMatrix&& other) noexcept
      : grid_(other.grid_),
        layout_(std::exchange(other.layout_, {})),
        storage_(std::exchange(other.storage_, {})),
        slabs_(std::exchange(other.slabs_, {})) {}
  ShardedMatrix& operator=(ShardedMatrix&& other) noexcept {
    grid_ = other.grid_;
    layout_ = std::exchange(other.layout_, {});
    storage_ = std::exchange(other.storage_, {});
    slabs_ = std::exchange(other.slabs_, {});
    return *this;
  }
  ShardedMatrix(const ShardedMatrix&) = delete;
  ShardedMatrix& operator=(const ShardedMatrix&) = delete;

  const ProcessGrid& grid() const { return grid_; }
  std::int64_t n() const { return layout_.rows.n; }
  std::int64_t tile_size() const { return layout_.rows.tile; }
  std::int64_t slab() const { return layout_.slab; }
  std::int64_t bytes() const { return layout_.size() * static_cast<std::int64_t>(sizeof(T)); }  ///< on this rank
  const SlabLayout& layout() const { return layout_; }
  const BlockCyclic& rows() const { return layout_.rows; }
  const BlockCyclic& columns() const { return layout_.columns; }

  /// A(i, j) = f(i, j) for i >= j, on this rank's tiles; of f(i, i) the real part. Not collective, enqueued on `exec`.
  template <class Exec, class Function>
  void fill(const Exec& exec, const Function& f) {
    detail::require_backend<Exec>();
    static_assert(Kokkos::SpaceAccessibility<Exec, MemorySpace>::accessible);
    for (std::int64_t s = 0; s < layout_.count(); ++s) {
      const auto slab = slab_block(s);
      if (slab.a.size() == 0) continue;
      Kokkos::parallel_for(
          "tessera::fill::slab",
          Kokkos::MDRangePolicy<Exec, Kokkos::Rank<2, Kokkos::Iterate::Left, Kokkos::Iterate::Left>,
                                Kokkos::IndexType<std::int64_t>>(exec, {0, 0}, {layout_.height(s), layout_.width(s)}),
          detail::FillSlab<T, MemorySpace, Function>{slab, f});
    }
  }

  /// Whether this rank keeps tile (i, j), i >= j.
  bool has_tile(GlobalTile i, GlobalTile j) const { return i >= j && rows().is_mine(i) && columns().is_mine(j); }

  /// Tile (i, j), which this rank keeps.
  MatrixView<T, MemorySpace> tile(GlobalTile i, GlobalTile j) const {
    const LocalIndex first = columns().local_begin(j);
    return view(rows().local_begin(i), rows().local_begin(i + 1), first, first + columns().extent(j));
  }

  /// Local rows and columns [begin, end); the columns lie in one slab, the rows in its stored part.
  MatrixView<T, MemorySpace> view(LocalIndex row_begin, LocalIndex row_end, LocalIndex column_begin,
                                  LocalIndex column_end) const {
    const std::int64_t s = layout_.slab_of(column_begin);
    const LocalIndex row = layout_.row_begin(s);
    const LocalIndex column = layout_.column_begin(s);
    return block(slabs_[static_cast<std::size_t>(s)], row_begin - row, row_end - row, column_begin - column,
                 column_end - column);
  }

  // Below the public interface.

  /// A matrix in memory that may be there already.
  ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size, std::int64_t slab,
                detail::Memory<MemorySpace>& memory);

  /// What `view` returns, and where it stands.
  detail::LocalBlock<T, MemorySpace> local_block(LocalIndex row_begin, LocalIndex row_end, LocalIndex column_begin,
                                                 LocalIndex column_end) const {
    return {view(row_begin, row_end, column_begin, column_end), rows(), columns(), row_begin, column_begin};
  }
  /// All that slab `s` stores.
  detail::LocalBlock<T, MemorySpace> slab_block(std::int64_t s) const {
    return {slabs_[static_cast<std::size_t>(s)], rows(), columns(), layout_.row_begin(s), layout_.column_begin(s)};
  }

 private:
  ProcessGrid grid_;
  SlabLayout layout_;
  Kokkos::View<char*, MemorySpace> storage_;
  std::vector<MatrixView<T, MemorySpace>> slabs_;
};

}  // namespace tessera
