// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/line_sums.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// The kernels that make strips of a chunk of X.
namespace tessera::detail {

/// Rows of X as far as somebody has them: row i stands at data[i row_stride + k term_stride] for its term k, counted
/// from the axis's row `first`.
template <class T>
struct RowsOfX {
  const T* data = nullptr;
  BlockCyclic axis;
  std::int64_t first = 0;
  std::int64_t row_stride = 0;
  std::int64_t term_stride = 0;
};

/// How the caller's J becomes X: conjugated, less its means, with the term that moves the mean behind the others.
template <class T>
struct Centring {
  std::int64_t own_terms = 0;
  const kernels::Wide<T>* term_mean = nullptr;
  const kernels::Wide<T>* row_mean = nullptr;
  const kernels::Wide<T>* mover = nullptr;

  KOKKOS_FUNCTION static T narrow(const kernels::Wide<T>& x) {
    using Real = RealOf<T>;
    if constexpr (std::is_same_v<T, Real>) {
      return static_cast<Real>(x);
    } else {
      return T(static_cast<Real>(x.real()), static_cast<Real>(x.imag()));
    }
  }
  KOKKOS_FUNCTION T operator()(const T* element, std::int64_t row, std::int64_t term) const {
    if (term == own_terms) return conj(narrow(mover[row]));
    kernels::Wide<T> x(*element);
    if (term_mean != nullptr) x -= term_mean[term];
    if (row_mean != nullptr) x -= row_mean[row];
    return conj(narrow(x));
  }
};

/// The same without means.
template <class T>
struct Conjugated {
  KOKKOS_FUNCTION T operator()(const T* element, std::int64_t, std::int64_t) const { return conj(*element); }
};

/// X as it is already.
template <class T>
struct AsItIs {
  KOKKOS_FUNCTION T operator()(const T* element, std::int64_t, std::int64_t) const { return *element; }
};

/// Writes rows of X, those of `axis` from local index `first` on, into a strip: each row's terms side by side, or each
/// term's rows.
template <class T, class MemorySpace, class Element>
struct WriteStrip {
  RowsOfX<T> from;
  Element element;
  BlockCyclic axis;
  LocalIndex first;
  bool terms_inside;
  MatrixView<T, MemorySpace> to;

  KOKKOS_FUNCTION std::int64_t position(std::int64_t row) const {
    return from.axis.to_local(axis.to_global(first + row)).value - from.first;
  }
  KOKKOS_FUNCTION const T* at(std::int64_t position, std::int64_t term) const {
    return from.data + (position * from.row_stride + term * from.term_stride);
  }
  KOKKOS_FUNCTION void operator()(std::int64_t inside, std::int64_t outside) const {
    const std::int64_t row = position(terms_inside ? outside : inside);
    const std::int64_t term = terms_inside ? inside : outside;
    to(inside, outside) = element(at(row, term), row, term);
  }
};

/// The same for a cache, a tile of the axis at a time, whose rows are consecutive: where X is transposed, in blocks
/// that fit into it.
template <class T, class MemorySpace, class Element>
struct WriteStripTiles {
  static constexpr std::int64_t side = 32;

  WriteStrip<T, MemorySpace, Element> whole;
  std::int64_t rows;
  std::int64_t terms;

  std::int64_t first_tile() const { return whole.first.value / whole.axis.tile; }
  std::int64_t tiles() const { return (whole.first.value + rows - 1) / whole.axis.tile + 1 - first_tile(); }

  KOKKOS_FUNCTION void operator()(std::int64_t tile) const {
    const std::int64_t tile_begin = (whole.first.value / whole.axis.tile + tile) * whole.axis.tile - whole.first.value;
    const std::int64_t begin = tile_begin > 0 ? tile_begin : 0;
    const std::int64_t end = smaller(tile_begin + whole.axis.tile, rows);
    const std::int64_t position = whole.position(begin) - begin;
    const std::int64_t height = whole.from.row_stride == 1 && !whole.terms_inside ? end : side;
    const std::int64_t width = whole.from.term_stride == 1 && whole.terms_inside ? terms : side;
    for (std::int64_t i = begin; i < end; i += height) {
      for (std::int64_t k = 0; k < terms; k += width) {
        write(position, i, smaller(i + height, end), k, smaller(k + width, terms));
      }
    }
  }

 private:
  KOKKOS_FUNCTION void write(std::int64_t position, std::int64_t row_begin, std::int64_t row_end,
                             std::int64_t term_begin, std::int64_t term_end) const {
    if (whole.terms_inside) {
      for (std::int64_t row = row_begin; row < row_end; ++row) {
        for (std::int64_t term = term_begin; term < term_end; ++term) {
          whole.to(term, row) = whole.element(whole.at(position + row, term), position + row, term);
        }
      }
    } else {
      for (std::int64_t term = term_begin; term < term_end; ++term) {
        for (std::int64_t row = row_begin; row < row_end; ++row) {
          whole.to(row, term) = whole.element(whole.at(position + row, term), position + row, term);
        }
      }
    }
  }
};

template <class T, class Exec, class Element>
void write_strip(const char* label, const Exec& exec,
                 const WriteStrip<T, typename Exec::memory_space, Element>& strip) {
  if (strip.to.size() == 0) return;
  if constexpr (kernels::is_host<Exec>) {
    const WriteStripTiles<T, typename Exec::memory_space, Element> tiles{
        strip, static_cast<std::int64_t>(strip.to.extent(strip.terms_inside ? 1 : 0)),
        static_cast<std::int64_t>(strip.to.extent(strip.terms_inside ? 0 : 1))};
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, tiles.tiles()),
                         tiles);
  } else {
    kernels::for_each<T>(label, exec, strip.to, strip);
  }
}

}  // namespace tessera::detail
