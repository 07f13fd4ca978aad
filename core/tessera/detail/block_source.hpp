// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/strided.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>

// How the library reads the caller's matrix, be it a View or an operator.
namespace tessera::detail {

/// Rows [row_begin, row_end) and columns [column_begin, column_end) of one rank's part of a matrix.
struct Window {
  std::int64_t row_begin = 0;
  std::int64_t row_end = 0;
  std::int64_t column_begin = 0;
  std::int64_t column_end = 0;

  std::int64_t rows() const { return row_end - row_begin; }
  std::int64_t columns() const { return column_end - column_begin; }
  std::int64_t size() const { return rows() * columns(); }
};

/// The storage orders of a rank-2 View that BLAS knows.
enum class Order { neither, column_major, row_major };

/// This rank's part of the caller's matrix, to be read in windows, in memory that the execution space can access.
template <class T>
struct BlockSource {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  bool buffered = false;         ///< whether `block` needs its buffer, memory for the window
  Order order = Order::neither;  ///< of the blocks
  /// A window's block, valid until the next call.
  std::function<Strided<const T>(T* buffer, const Window&)> block;

  /// The block, or nothing if the window is empty.
  Strided<const T> ask(T* buffer, const Window& window) const {
    return window.size() > 0 ? block(buffer, window) : Strided<const T>{};
  }
};

template <class A>
inline constexpr bool is_view = Kokkos::is_view<std::remove_cvref_t<A>>::value;

/// The block that an operator writes.
template <class T, class Exec>
using BlockView = Kokkos::View<T**, typename Exec::memory_space>;

/// The order in which BLAS, which counts with ints, can read `s`. A single row or column may have both orders: then its
/// layout decides.
template <class Layout, class T>
Order order_of(const Strided<T>& s) {
  const auto is_contiguous = [&s](int r) {
    return s.stride[r] == 1 && s.stride[1 - r] >= s.extent[r] && s.stride[1 - r] <= std::numeric_limits<int>::max();
  };
  const bool column_major = is_contiguous(0);
  const bool row_major = is_contiguous(1);
  if (column_major && row_major) {
    return std::is_same_v<Layout, Kokkos::LayoutLeft> ? Order::column_major : Order::row_major;
  }
  return column_major ? Order::column_major : row_major ? Order::row_major : Order::neither;
}

/// The order of a BlockView.
template <class Exec>
inline constexpr Order order_of_blocks =
    std::is_same_v<typename BlockView<double, Exec>::array_layout, Kokkos::LayoutLeft> ? Order::column_major
                                                                                       : Order::row_major;

/// The blocks of a rank-2 View: in place if `exec` can access it, else copied.
template <class T, class Exec, class View>
BlockSource<T> view_source(const Exec& exec, const View& view) {
  using Space = typename View::memory_space;
  const Strided<const T> all = read_only(strided(view));
  const auto part = [all](const Window& w) {
    Strided<const T> some = all;
    some.data += w.row_begin * all.stride[0] + w.column_begin * all.stride[1];
    some.extent[0] = w.rows();
    some.extent[1] = w.columns();
    return some;
  };
  if constexpr (accessible<Exec, Space>) {
    return {all.extent[0], all.extent[1], false, order_of<typename View::array_layout>(all),
            [part](T*, const Window& w) { return part(w); }};
  } else {
    return {all.extent[0], all.extent[1], true, Order::row_major,
            [exec, part](T* buffer, const Window& w) -> Strided<const T> {
              const Strided<T> block{buffer, 2, {w.rows(), w.columns()}, {w.columns(), 1}};
              gather_from<Space, T>(exec, part(w), block);
              return read_only(block);
            }};
  }
}

/// Blocks that write(window, block) writes.
template <class T, class Exec, class Write>
BlockSource<T> written_source(std::int64_t rows, std::int64_t columns, const Write& write) {
  return {rows, columns, true, order_of_blocks<Exec>, [write](T* buffer, const Window& w) {
            const BlockView<T, Exec> block(buffer, static_cast<std::size_t>(w.rows()),
                                           static_cast<std::size_t>(w.columns()));
            write(w, block);
            return read_only(strided(block));
          }};
}

}  // namespace tessera::detail
