#pragma once

#include <Kokkos_Macros.hpp>

#include <compare>
#include <cstdint>

// Index arithmetic of the block-cyclic distribution: pure functions, without MPI and without storage.
namespace tessera {

/// An index of one kind. Indices of different kinds do not mix; a distance is a plain integer.
template <class Kind>
struct Index {
  std::int64_t value = 0;

  constexpr friend auto operator<=>(Index, Index) = default;
  KOKKOS_FUNCTION constexpr friend Index operator+(Index i, std::int64_t d) { return {i.value + d}; }
  KOKKOS_FUNCTION constexpr friend std::int64_t operator-(Index i, Index j) { return i.value - j.value; }
  KOKKOS_FUNCTION constexpr Index& operator++() {
    ++value;
    return *this;
  }
  KOKKOS_FUNCTION constexpr Index& operator--() {
    --value;
    return *this;
  }
};

using GlobalIndex = Index<struct GlobalIndexKind>;  ///< a row or a column of the whole matrix
using LocalIndex = Index<struct LocalIndexKind>;    ///< a row or a column of one rank's share
using GlobalTile = Index<struct GlobalTileKind>;    ///< a row or a column of tiles of the whole matrix
using LocalTile = Index<struct LocalTileKind>;      ///< a row or a column of tiles of one rank's share

/// Consecutive tiles [begin, end) of the whole matrix.
struct TileRange {
  GlobalTile begin;
  GlobalTile end;

  constexpr std::int64_t size() const { return end - begin; }
  constexpr bool empty() const { return size() <= 0; }
};

/// One dimension of the distribution, seen from the process at `coordinate` of `processes`: indices 0..n-1 are cut into
/// tiles of `tile` (the last one may be shorter), and tile t belongs to process t mod `processes` (ScaLAPACK's
/// block-cyclic distribution with source process 0; compare NUMROC, INDXG2L, INDXL2G, INDXG2P).
struct BlockCyclic {
  std::int64_t n = 0;
  std::int64_t tile = 1;
  int processes = 1;
  int coordinate = 0;

  /// The same dimension, seen from another process.
  constexpr BlockCyclic seen_from(int other) const { return {n, tile, processes, other}; }

  constexpr GlobalTile tiles_end() const { return {(n + tile - 1) / tile}; }
  constexpr GlobalIndex begin(GlobalTile t) const { return {smaller(t.value * tile, n)}; }
  constexpr std::int64_t extent(GlobalTile t) const { return begin(t + 1) - begin(t); }
  constexpr std::int64_t extent_of(TileRange t) const { return begin(t.end) - begin(t.begin); }
  KOKKOS_FUNCTION constexpr GlobalTile tile_of(GlobalIndex i) const { return {i.value / tile}; }

  KOKKOS_FUNCTION constexpr int owner(GlobalTile t) const { return static_cast<int>(t.value % processes); }
  KOKKOS_FUNCTION constexpr bool is_mine(GlobalTile t) const { return owner(t) == coordinate; }

  KOKKOS_FUNCTION constexpr GlobalTile to_global(LocalTile t) const { return {t.value * processes + coordinate}; }
  KOKKOS_FUNCTION constexpr GlobalIndex to_global(LocalIndex i) const {
    if (processes == 1) return {i.value};  // without a division, where each element asks
    return {to_global(LocalTile{i.value / tile}).value * tile + i.value % tile};
  }
  /// Where tile `t`, or index `i`, stands in its owner's share.
  KOKKOS_FUNCTION constexpr LocalTile to_local(GlobalTile t) const { return {t.value / processes}; }
  KOKKOS_FUNCTION constexpr LocalIndex to_local(GlobalIndex i) const {
    return {to_local(tile_of(i)).value * tile + i.value % tile};
  }

  /// The first of this process's tiles at or after `t`: as a number, how many of its tiles stand before `t`.
  constexpr LocalTile local_lower_bound(GlobalTile t) const {
    return {t.value > coordinate ? (t.value - coordinate + processes - 1) / processes : 0};
  }
  /// The first of this process's indices in tile `t` or after it: as a number, how many of them stand before `t`.
  constexpr LocalIndex local_begin(GlobalTile t) const {
    return {smaller(local_lower_bound(t).value * tile, local_extent())};
  }
  /// The first of this process's indices at or after `i`: as a number, how many of them stand before `i`.
  constexpr LocalIndex local_lower_bound(GlobalIndex i) const {
    if (i.value >= n) return {local_extent()};
    return is_mine(tile_of(i)) ? to_local(i) : local_begin(tile_of(i));
  }
  constexpr LocalTile local_tiles_end() const { return local_lower_bound(tiles_end()); }
  constexpr std::int64_t local_extent() const {
    const std::int64_t whole = local_tiles_end().value * tile;
    const bool has_last = n > 0 && is_mine(tiles_end() + -1);
    return has_last ? whole - (tiles_end().value * tile - n) : whole;
  }
  /// Local indices of tile t and of those behind it.
  constexpr std::int64_t local_extent_from(GlobalTile t) const { return local_extent() - local_begin(t).value; }

 private:
  static constexpr std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
};

/// How one rank keeps its share of the lower tiles: as a column-major local matrix, cut into slabs of `slab`
/// consecutive local columns (whole tiles). A slab's rows begin at its first diagonal tile, but for the first slab,
/// whose rows begin at 0: so one slab as wide as everything is ScaLAPACK's local array, and slabs of one tile hold the
/// lower tiles alone.
struct SlabLayout {
  BlockCyclic rows;
  BlockCyclic columns;
  std::int64_t slab = 1;
  std::int64_t row_alignment = 1;  ///< leading dimensions are multiples of it

  constexpr std::int64_t count() const { return (columns.local_extent() + slab - 1) / slab; }
  constexpr std::int64_t slab_of(LocalIndex column) const { return column.value / slab; }
  constexpr LocalIndex column_begin(std::int64_t s) const {
    return {s * slab < columns.local_extent() ? s * slab : columns.local_extent()};
  }
  constexpr LocalIndex row_begin(std::int64_t s) const {
    return s == 0 ? LocalIndex{0} : rows.local_begin(columns.to_global(LocalTile{s * slab / columns.tile}));
  }
  constexpr std::int64_t width(std::int64_t s) const { return column_begin(s + 1) - column_begin(s); }
  constexpr std::int64_t height(std::int64_t s) const { return rows.local_extent() - row_begin(s).value; }
  constexpr std::int64_t leading_dimension(std::int64_t s) const {
    return (height(s) + row_alignment - 1) / row_alignment * row_alignment;
  }
  /// `body(from, to)` for the parts of the local columns [begin, end) that lie in one slab each.
  template <class Body>
  constexpr void for_each_slab(LocalIndex begin, LocalIndex end, const Body& body) const {
    while (begin < end) {
      const LocalIndex next = column_begin(slab_of(begin) + 1);
      const LocalIndex to = next < end ? next : end;
      body(begin, to);
      begin = to;
    }
  }
  /// Elements in all slabs together.
  constexpr std::int64_t size() const {
    std::int64_t sum = 0;
    for (std::int64_t s = 0; s < count(); ++s) sum += leading_dimension(s) * width(s);
    return sum;
  }
};

}  // namespace tessera
