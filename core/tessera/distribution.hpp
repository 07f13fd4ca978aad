// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <Kokkos_Macros.hpp>

#include <compare>
#include <cstdint>

/// @file
/// Index arithmetic of the block-cyclic distribution: pure functions, all indices from 0, without MPI or storage.

namespace tessera {
/// @addtogroup pieces
/// @{

/// An index of one kind. Indices of different kinds do not mix; a distance is a plain integer.
/// @tparam Kind only tells the kinds apart
template <class Kind>
struct Index {
  std::int64_t value = 0;  ///< the index as an integer

  /// By value.
  constexpr friend auto operator<=>(Index, Index) = default;
  /// The index `d` after `i`; d may be negative.
  KOKKOS_FUNCTION constexpr friend Index operator+(Index i, std::int64_t d) { return {i.value + d}; }
  /// The distance from `j` to `i`.
  KOKKOS_FUNCTION constexpr friend std::int64_t operator-(Index i, Index j) { return i.value - j.value; }
  /// To the next index.
  KOKKOS_FUNCTION constexpr Index& operator++() {
    ++value;
    return *this;
  }
  /// To the index before.
  KOKKOS_FUNCTION constexpr Index& operator--() {
    --value;
    return *this;
  }
};

using GlobalIndex = Index<struct GlobalIndexKind>;  ///< a row or a column of the whole matrix
using LocalIndex = Index<struct LocalIndexKind>;    ///< a row or a column of one rank's share
using GlobalTile = Index<struct GlobalTileKind>;    ///< a row or a column of tiles of the whole matrix
using LocalTile = Index<struct LocalTileKind>;      ///< a row or a column of tiles of one rank's share

namespace detail {
/// std::min, on a device too.
KOKKOS_FUNCTION constexpr std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
}  // namespace detail

/// Consecutive tiles [begin, end) of the whole matrix.
struct TileRange {
  GlobalTile begin;  ///< the first
  GlobalTile end;    ///< the one after the last

  constexpr std::int64_t size() const { return end - begin; }  ///< tiles
  constexpr bool empty() const { return size() <= 0; }         ///< whether there are none
};

/// One dimension of the distribution, as one process sees it: ScaLAPACK's block-cyclic distribution with source process
/// 0 (NUMROC, INDXG2L, INDXL2G, INDXG2P). Tile t belongs to process t mod `processes`.
struct BlockCyclic {
  std::int64_t n = 0;     ///< rows or columns of the matrix
  std::int64_t tile = 1;  ///< rows or columns of a tile; the last one may have fewer
  int processes = 1;      ///< process rows or columns of the grid
  int coordinate = 0;     ///< this process's row or column in the grid

  /// The same dimension, seen from another process.
  constexpr BlockCyclic seen_from(int other) const { return {n, tile, processes, other}; }

  /// One after the last tile.
  KOKKOS_FUNCTION constexpr GlobalTile tiles_end() const { return {(n + tile - 1) / tile}; }
  /// The first index of tile `t`; n for a tile after the last.
  KOKKOS_FUNCTION constexpr GlobalIndex begin(GlobalTile t) const { return {detail::smaller(t.value * tile, n)}; }
  /// How many indices tile `t` has.
  constexpr std::int64_t extent(GlobalTile t) const { return begin(t + 1) - begin(t); }
  /// How many indices the tiles `t` have.
  constexpr std::int64_t extent_of(TileRange t) const { return begin(t.end) - begin(t.begin); }
  /// The tile that has index `i`.
  KOKKOS_FUNCTION constexpr GlobalTile tile_of(GlobalIndex i) const { return {i.value / tile}; }

  /// The process row or column that tile `t` belongs to.
  KOKKOS_FUNCTION constexpr int owner(GlobalTile t) const { return static_cast<int>(t.value % processes); }
  /// Whether tile `t` belongs to this process.
  KOKKOS_FUNCTION constexpr bool is_mine(GlobalTile t) const { return owner(t) == coordinate; }

  /// Where this process's tile `t` is in the whole matrix.
  KOKKOS_FUNCTION constexpr GlobalTile to_global(LocalTile t) const { return {t.value * processes + coordinate}; }
  /// Where this process's index `i` is in the whole matrix.
  KOKKOS_FUNCTION constexpr GlobalIndex to_global(LocalIndex i) const {
    if (processes == 1) return {i.value};  // saves kernels a division for each element
    return {to_global(LocalTile{i.value / tile}).value * tile + i.value % tile};
  }
  /// Where tile `t` is in its owner's share.
  KOKKOS_FUNCTION constexpr LocalTile to_local(GlobalTile t) const { return {t.value / processes}; }
  /// Where index `i` is in its owner's share.
  KOKKOS_FUNCTION constexpr LocalIndex to_local(GlobalIndex i) const {
    return {to_local(tile_of(i)).value * tile + i.value % tile};
  }

  /// The first of this process's tiles at or after `t`; its value is the number of this process's tiles before `t`.
  KOKKOS_FUNCTION constexpr LocalTile local_lower_bound(GlobalTile t) const {
    return {t.value > coordinate ? (t.value - coordinate + processes - 1) / processes : 0};
  }
  /// The first of this process's indices in tile `t` or after; its value is the number of them before tile `t`.
  KOKKOS_FUNCTION constexpr LocalIndex local_begin(GlobalTile t) const {
    return {begin(t).value < n ? local_lower_bound(t).value * tile : local_extent()};
  }
  /// The first of this process's indices at or after `i`; its value is the number of them before `i`.
  KOKKOS_FUNCTION constexpr LocalIndex local_lower_bound(GlobalIndex i) const {
    if (i.value >= n) return {local_extent()};
    return is_mine(tile_of(i)) ? to_local(i) : local_begin(tile_of(i));
  }
  /// One after this process's last tile.
  KOKKOS_FUNCTION constexpr LocalTile local_tiles_end() const { return local_lower_bound(tiles_end()); }
  /// How many indices this process has (NUMROC).
  KOKKOS_FUNCTION constexpr std::int64_t local_extent() const {
    const std::int64_t whole = local_tiles_end().value * tile;
    const bool has_last = n > 0 && is_mine(tiles_end() + -1);
    return has_last ? whole - (tiles_end().value * tile - n) : whole;
  }
  /// How many indices this process has in tile `t` and after.
  constexpr std::int64_t local_extent_from(GlobalTile t) const { return local_extent() - local_begin(t).value; }
};

/// How one rank stores its share of the lower tiles: as a column-major local matrix that is cut into slabs of
/// consecutive local columns.
///
/// The first slab has all local rows. The rows of any other begin with the tile row of its first column, as nothing
/// above is needed. One slab as wide as the matrix is therefore ScaLAPACK's local array, and slabs of one tile hold
/// little more than the lower tiles.
///
/// Where rows and columns are reserved, all lies as in the larger matrix, of which the one here is the upper left part.
/// Where the caller's array is adopted, slabs are parts of it.
struct SlabLayout {
  BlockCyclic rows;                ///< the distribution of the rows
  BlockCyclic columns;             ///< the distribution of the columns
  std::int64_t slab = 1;           ///< local columns per slab, whole tiles
  std::int64_t row_alignment = 1;  ///< leading dimensions are multiples of it, in elements
  std::int64_t reserve = 0;        ///< rows and columns that the matrix may gain in its memory
  std::int64_t adopted = 0;        ///< leading dimension of a caller's array that is the local matrix; 0: there is none

  /// The same memory with an n x n matrix in it.
  /// @pre n is at most the present one and the reserve together
  constexpr SlabLayout resized(std::int64_t n) const {
    SlabLayout other = *this;
    other.rows.n = n;
    other.columns.n = n;
    other.reserve = rows.n + reserve - n;
    return other;
  }
  /// That of the matrix with all that is reserved.
  constexpr SlabLayout full() const { return resized(rows.n + reserve); }

  /// How many slabs there are.
  constexpr std::int64_t count() const { return (columns.local_extent() + slab - 1) / slab; }
  /// The slab that has this local column.
  constexpr std::int64_t slab_of(LocalIndex column) const { return column.value / slab; }
  /// The first local column of slab `s`; for a slab after the last, the number of local columns.
  constexpr LocalIndex column_begin(std::int64_t s) const {
    return {s * slab < columns.local_extent() ? s * slab : columns.local_extent()};
  }
  /// The first local row of slab `s`.
  constexpr LocalIndex row_begin(std::int64_t s) const {
    return s == 0 ? LocalIndex{0} : rows.local_begin(columns.to_global(LocalTile{s * slab / columns.tile}));
  }
  /// How many columns slab `s` has.
  constexpr std::int64_t width(std::int64_t s) const { return column_begin(s + 1) - column_begin(s); }
  /// How many rows slab `s` has.
  constexpr std::int64_t height(std::int64_t s) const { return rows.local_extent() - row_begin(s).value; }
  /// Elements from one column of slab `s` to the next.
  constexpr std::int64_t leading_dimension(std::int64_t s) const {
    if (adopted > 0) return adopted;
    return aligned(full().rows.local_extent() - row_begin(s).value);
  }
  /// Calls body(from, to) for each part of the local columns [begin, end) that lies in one slab.
  template <class Body>
  constexpr void for_each_slab(LocalIndex begin, LocalIndex end, const Body& body) const {
    while (begin < end) {
      const LocalIndex next = column_begin(slab_of(begin) + 1);
      const LocalIndex to = next < end ? next : end;
      body(begin, to);
      begin = to;
    }
  }
  /// How many elements all slabs have together, those between columns and those that are reserved included.
  constexpr std::int64_t size() const {
    const SlabLayout all = full();
    const std::int64_t all_rows = all.rows.local_extent();  // takes divisions
    const std::int64_t all_columns = all.columns.local_extent();
    if (adopted > 0) return adopted * all_columns;
    std::int64_t sum = 0;
    for (std::int64_t s = 0; s * slab < all_columns; ++s) {
      const std::int64_t rest = all_columns - s * slab;
      sum += aligned(all_rows - all.row_begin(s).value) * (rest < slab ? rest : slab);
    }
    return sum;
  }

 private:
  constexpr std::int64_t aligned(std::int64_t height) const {
    return (height + row_alignment - 1) / row_alignment * row_alignment;
  }
};

/// @}
}  // namespace tessera
