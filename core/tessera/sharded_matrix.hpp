// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>
#include <tessera/detail/backends.hpp>
#include <tessera/detail/local_block.hpp>
#include <tessera/detail/memory.hpp>
#include <tessera/detail/region.hpp>
#include <tessera/detail/saturated.hpp>
#include <tessera/detail/strided.hpp>
#include <tessera/distribution.hpp>
#include <tessera/matrix_view.hpp>
#include <tessera/process_grid.hpp>
#include <tessera/scalar.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tessera {
/// @addtogroup pieces
/// @{
namespace detail {

/// Writes f(i, j) into one slab where i >= j, and 0 above the diagonal, which has no part in the result.
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

/// Throws Misuse for sizes that no matrix has.
void require_dimensions(std::int64_t n, std::int64_t tile_size, std::int64_t slab, std::int64_t reserve);

/// The tile size `asked`, cut to n; for 0 default_tile_size, with the cap that is fastest for the memory space and the
/// grid.
template <class T, class MemorySpace>
std::int64_t tile_size_for(std::int64_t asked, std::int64_t n, GridShape grid);

/// The local block-cyclic array of a caller, and what keeps its memory.
template <class T>
struct CallersArray {
  Strided<T> elements;
  const std::function<std::shared_ptr<const void>()>& keep;
};

/// What `rank` stores of a matrix; the other arguments are those of ShardedMatrix, but that the tile is chosen.
template <class T, class MemorySpace>
SlabLayout make_layout(const GridNumbering& grid, int rank, std::int64_t n, std::int64_t tile_size, std::int64_t slab,
                       std::int64_t reserve = 0);

}  // namespace detail

/// A Hermitian n x n matrix, of which the lower tiles are distributed block-cyclically over a process grid: about
/// n*n/2 numbers over all ranks.
///
/// Tile (I, J) lies on process (I mod rows, J mod cols), as ScaLAPACK has it. It has `tile_size` rows and columns; the
/// last ones may have fewer. A rank stores its tiles in the slabs of a local matrix (see SlabLayout), in one
/// allocation. Slabs also hold elements above the diagonal: these have no part in any result, but must be finite. fill
/// and redistribute set them to 0. In an adopted array they may be anything; only these two and add_gram change them.
///
/// It owns Kokkos memory and must end before Kokkos::finalize, as a View must: Kokkos ends the program otherwise. A
/// moved-from matrix owns none.
template <Scalar T, class MemorySpace = Kokkos::DefaultExecutionSpace::memory_space>
class ShardedMatrix {
 public:
  using value_type = T;              ///< the scalar
  using memory_space = MemorySpace;  ///< where the tiles are

  /// A matrix whose elements are not initialised. Collective over `grid`.
  /// @param grid is copied
  /// @param n rows and columns of the matrix
  /// @param tile_size rows and columns of a tile, cut to n + reserve; 0: default_tile_size, with the cap that is
  ///   fastest for MemorySpace and the grid
  /// @param slab local columns per slab, rounded up to whole tiles and cut to n + reserve; 0: a width that is fast in
  ///   MemorySpace
  /// @param reserve rows and columns that CholeskyFactor::append may add later: tiles and slabs are laid out for
  ///   n + reserve, and the additional ones cost nothing but memory
  /// @throws std::invalid_argument on every rank, unless n, tile_size, slab and reserve >= 0, n + reserve < 2^31, and
  ///   the ranks agree
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice
  ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size = 0, std::int64_t slab = 0,
                std::int64_t reserve = 0);

  /// A matrix in the caller's local block-cyclic array, as ScaLAPACK has it with RSRC = CSRC = 0: no element is copied,
  /// and results appear there. Collective over `grid`.
  ///
  /// The matrix keeps the View, and with it the memory, if it is managed; else the memory must outlive the matrix, and
  /// the factor or the inverse that takes it over. factorize, solves, products, inverses and norms neither read nor
  /// change what stands above the diagonal of the whole matrix, bit by bit, also if they throw; while they run, others
  /// must not look at it. It has no reserve.
  /// @param grid is copied
  /// @param n rows and columns of the matrix
  /// @param tile_size rows and columns of a tile: MB = NB of the descriptor
  /// @param view a rank-2 View of T, whose rows have stride 1, in memory that the execution space of MemorySpace can
  ///   access; it has at least this rank's rows and columns, and any leading dimension
  /// @throws std::invalid_argument on every rank, unless 0 <= n < 2^31, tile_size >= 1, the ranks agree, and each
  ///   rank's View has these extents and strides
  /// @throws std::bad_alloc or Kokkos's std::runtime_error, on every rank, if a rank's memory does not suffice; a
  ///   device takes some for inverses of diagonal blocks
  template <class View>
  static ShardedMatrix adopt(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size, const View& view) {
    static_assert(Kokkos::is_view<View>::value && View::rank == 2 && std::is_same_v<typename View::value_type, T>,
                  "view is a rank-2 View of the matrix's scalar");
    static_assert(
        Kokkos::SpaceAccessibility<typename MemorySpace::execution_space, typename View::memory_space>::accessible,
        "view is in memory that kernels on this matrix can access");
    const std::function<std::shared_ptr<const void>()> keep = [&view] { return std::make_shared<const View>(view); };
    return ShardedMatrix(grid, n, tile_size, detail::CallersArray<T>{detail::strided(view), keep});
  }

  /// Leaves `other` a 0 x 0 matrix on the same grid. Local.
  ShardedMatrix(ShardedMatrix&& other) noexcept
      : grid_(other.grid_),
        layout_(std::exchange(other.layout_, {})),
        storage_(std::exchange(other.storage_, {})),
        callers_(std::exchange(other.callers_, {})),
        slabs_(std::exchange(other.slabs_, {})) {}
  /// Leaves `other` a 0 x 0 matrix on the same grid. Local.
  ShardedMatrix& operator=(ShardedMatrix&& other) noexcept {
    grid_ = other.grid_;
    layout_ = std::exchange(other.layout_, {});
    storage_ = std::exchange(other.storage_, {});
    callers_ = std::exchange(other.callers_, {});
    slabs_ = std::exchange(other.slabs_, {});
    return *this;
  }
  ShardedMatrix(const ShardedMatrix&) = delete;
  ShardedMatrix& operator=(const ShardedMatrix&) = delete;

  const ProcessGrid& grid() const { return grid_; }             ///< the process grid
  std::int64_t n() const { return layout_.rows.n; }             ///< rows and columns of the whole matrix
  std::int64_t tile_size() const { return layout_.rows.tile; }  ///< rows and columns of a tile
  std::int64_t slab() const { return layout_.slab; }            ///< local columns per slab
  std::int64_t reserve() const { return layout_.reserve; }      ///< rows and columns that can still be appended
  bool is_adopted() const { return layout_.adopted > 0; }       ///< whether it is in the caller's array
  /// Bytes of the tiles on this rank, those that are reserved included, or of the caller's array.
  std::int64_t bytes() const { return detail::saturated_product(layout_.size(), sizeof(T)); }
  const SlabLayout& layout() const { return layout_; }            ///< how this rank stores its tiles
  const BlockCyclic& rows() const { return layout_.rows; }        ///< the distribution of the rows
  const BlockCyclic& columns() const { return layout_.columns; }  ///< the distribution of the columns

  /// A(i, j) = f(i, j) for i >= j on this rank's tiles, with the real part of f(i, i). Local; enqueued on `exec`.
  /// @param exec an execution space that can access MemorySpace
  /// @param f callable in kernels of `exec` with the global indices (std::int64_t i, std::int64_t j), from 0
  template <class Exec, class Function>
  void fill(const Exec& exec, const Function& f) {
    detail::require_backend<Exec>();
    static_assert(Kokkos::SpaceAccessibility<Exec, MemorySpace>::accessible);
    const detail::Region region("tessera::fill");
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

  /// Whether tile (i, j) is a lower one, i >= j, and on this rank.
  bool has_tile(GlobalTile i, GlobalTile j) const { return i >= j && rows().is_mine(i) && columns().is_mine(j); }

  /// Tile (i, j), in place: writing to it changes the matrix. It must not outlive the storage.
  /// @pre has_tile(i, j)
  MatrixView<T, MemorySpace> tile(GlobalTile i, GlobalTile j) const {
    const LocalIndex first = columns().local_begin(j);
    return view(rows().local_begin(i), rows().local_begin(i + 1), first, first + columns().extent(j));
  }

  /// Local rows [row_begin, row_end) and columns [column_begin, column_end), in place. It must not outlive the storage.
  /// No columns are an empty View, wherever they begin.
  /// @pre the columns lie in one slab, and the rows among those that it has
  MatrixView<T, MemorySpace> view(LocalIndex row_begin, LocalIndex row_end, LocalIndex column_begin,
                                  LocalIndex column_end) const {
    if (column_begin == column_end) {  // may be beyond the last slab
      const std::int64_t rows = row_end - row_begin;
      return make_matrix_view<MemorySpace>(static_cast<T*>(nullptr), rows, 0, std::max<std::int64_t>(1, rows));
    }
    const std::int64_t s = layout_.slab_of(column_begin);
    const LocalIndex row = layout_.row_begin(s);
    const LocalIndex column = layout_.column_begin(s);
    return block(slabs_[static_cast<std::size_t>(s)], row_begin - row, row_end - row, column_begin - column,
                 column_end - column);
  }

  // Below the public interface.

  /// As the first constructor, in the tiles of `memory` where these suffice. Collective over `grid`.
  ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size, std::int64_t slab,
                std::int64_t reserve, detail::Memory<MemorySpace>& memory);

  /// Makes it n x n in its memory: elements that it loses are kept there, and those that it gains are what they were.
  /// @pre n is at most the present one and the reserve together
  void resize(std::int64_t n) { layout_ = layout_.resized(n); }

  /// Behind its own tiles, as a later allocation would take longer than factoring a small matrix: where a factor on a
  /// device has the inverses of this rank's diagonal blocks, in the layout of Leaves.
  T* leaf_inverses() const { return reinterpret_cast<T*>(storage_.data() + (is_adopted() ? 0 : bytes())); }

  /// What view() returns, and its place in the whole matrix.
  detail::LocalBlock<T, MemorySpace> local_block(LocalIndex row_begin, LocalIndex row_end, LocalIndex column_begin,
                                                 LocalIndex column_end) const {
    return {view(row_begin, row_end, column_begin, column_end), rows(), columns(), row_begin, column_begin};
  }
  /// Slab `s`, and its place in the whole matrix.
  detail::LocalBlock<T, MemorySpace> slab_block(std::int64_t s) const {
    return local_block(layout_.row_begin(s), {rows().local_extent()}, layout_.column_begin(s),
                       layout_.column_begin(s + 1));
  }

 private:
  ShardedMatrix(const ProcessGrid& grid, std::int64_t n, std::int64_t tile_size, const detail::CallersArray<T>& array);

  ProcessGrid grid_;
  SlabLayout layout_;
  Kokkos::View<char*, MemorySpace> storage_;
  std::shared_ptr<const void> callers_;            // the View of an array that is adopted
  std::vector<MatrixView<T, MemorySpace>> slabs_;  // with what is reserved
};

namespace detail {

/// Notes what all ranks must agree on of a matrix that they pass, within agree().
template <class T, class MemorySpace>
void note_matrix(Agreement& agreement, const ShardedMatrix<T, MemorySpace>& matrix) {
  agreement.same("scalar", scalar_name<T>());
  agreement.same("n", std::to_string(matrix.n()) + " rows");
  agreement.same("tile", matrix.tile_size());
}

}  // namespace detail
/// @}
}  // namespace tessera
