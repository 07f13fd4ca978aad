#pragma once

#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "kernels/line_sums.hpp"
#include "tessera/distribution.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/scalar.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

// The kernels that make panels of a chunk of X.
namespace tessera::detail {

/// Rows of X as far as somebody has them: row i stands at data[i row_stride + k line_stride] for its line k, counted
/// from the axis's row `first`.
template <class T>
struct RowsOfX {
  const T* data = nullptr;
  BlockCyclic axis;
  std::int64_t first = 0;
  std::int64_t row_stride = 0;
  std::int64_t line_stride = 0;
};

/// How the caller's J becomes X: conjugated, less its means, with the line that moves the mean behind the others.
template <class T>
struct Centring {
  std::int64_t own_lines = 0;
  const kernels::Wide<T>* line_mean = nullptr;
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
  KOKKOS_FUNCTION T operator()(const T* element, std::int64_t row, std::int64_t line) const {
    if (line == own_lines) return conj(narrow(mover[row]));
    kernels::Wide<T> x(*element);
    if (line_mean != nullptr) x -= line_mean[line];
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

/// Writes rows of X, those of `axis` from local index `first` on, into a panel: each row's lines side by side, or each
/// line's rows.
template <class T, class MemorySpace, class Element>
struct WritePanel {
  RowsOfX<T> from;
  Element element;
  BlockCyclic axis;
  LocalIndex first;
  bool lines_inside;
  MatrixView<T, MemorySpace> to;

  KOKKOS_FUNCTION std::int64_t position(std::int64_t row) const {
    return from.axis.to_local(axis.to_global(first + row)).value - from.first;
  }
  KOKKOS_FUNCTION const T* at(std::int64_t position, std::int64_t line) const {
    return from.data + (position * from.row_stride + line * from.line_stride);
  }
  KOKKOS_FUNCTION void operator()(std::int64_t inside, std::int64_t outside) const {
    const std::int64_t row = position(lines_inside ? outside : inside);
    const std::int64_t line = lines_inside ? inside : outside;
    to(inside, outside) = element(at(row, line), row, line);
  }
};

/// The same for a cache, a tile of the axis at a time, whose rows are consecutive: where X is transposed, in blocks
/// that fit into it.
template <class T, class MemorySpace, class Element>
struct WritePanelTiles {
  static constexpr std::int64_t side = 32;

  WritePanel<T, MemorySpace, Element> whole;
  std::int64_t rows;
  std::int64_t lines;

  std::int64_t first_tile() const { return whole.first.value / whole.axis.tile; }
  std::int64_t tiles() const { return (whole.first.value + rows - 1) / whole.axis.tile + 1 - first_tile(); }

  KOKKOS_FUNCTION void operator()(std::int64_t tile) const {
    const std::int64_t tile_begin = (whole.first.value / whole.axis.tile + tile) * whole.axis.tile - whole.first.value;
    const std::int64_t begin = tile_begin > 0 ? tile_begin : 0;
    const std::int64_t end = smaller(tile_begin + whole.axis.tile, rows);
    const std::int64_t position = whole.position(begin) - begin;
    const std::int64_t height = whole.from.row_stride == 1 && !whole.lines_inside ? end : side;
    const std::int64_t width = whole.from.line_stride == 1 && whole.lines_inside ? lines : side;
    for (std::int64_t i = begin; i < end; i += height) {
      for (std::int64_t k = 0; k < lines; k += width) {
        write(position, i, smaller(i + height, end), k, smaller(k + width, lines));
      }
    }
  }

 private:
  KOKKOS_FUNCTION static std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

  KOKKOS_FUNCTION void write(std::int64_t position, std::int64_t row_begin, std::int64_t row_end,
                             std::int64_t line_begin, std::int64_t line_end) const {
    if (whole.lines_inside) {
      for (std::int64_t row = row_begin; row < row_end; ++row) {
        for (std::int64_t line = line_begin; line < line_end; ++line) {
          whole.to(line, row) = whole.element(whole.at(position + row, line), position + row, line);
        }
      }
    } else {
      for (std::int64_t line = line_begin; line < line_end; ++line) {
        for (std::int64_t row = row_begin; row < row_end; ++row) {
          whole.to(row, line) = whole.element(whole.at(position + row, line), position + row, line);
        }
      }
    }
  }
};

template <class T, class Exec, class Element>
void write_panel(const char* label, const Exec& exec,
                 const WritePanel<T, typename Exec::memory_space, Element>& panel) {
  if (panel.to.size() == 0) return;
  if constexpr (kernels::is_host<Exec>) {
    const WritePanelTiles<T, typename Exec::memory_space, Element> tiles{
        panel, static_cast<std::int64_t>(panel.to.extent(panel.lines_inside ? 1 : 0)),
        static_cast<std::int64_t>(panel.to.extent(panel.lines_inside ? 0 : 1))};
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, tiles.tiles()),
                         tiles);
  } else {
    kernels::for_each<T>(label, exec, panel.to, panel);
  }
}

/// to[i] = from[i] * factor
template <class W>
struct Scale {
  const W* from;
  double factor;
  W* to;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { to[i] = from[i] * factor; }
};

/// Takes a chunk of `count` lines with these means, after `before` other lines, into the running means: X X^H over all
/// of them is that over each part, less its own means, and that of the mover (Chan, Golub, LeVeque, Algorithms for
/// computing the sample variance, Am. Stat. 37 (1983), eq. 2.1b).
template <class W>
struct MoveMean {
  W* row_mean;
  W* running_mean;
  W* mover;
  double count;
  double weight;  // sqrt(before * count / (before + count))
  double step;    // count / (before + count)

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    row_mean[i] = row_mean[i] / count;  // which was a sum
    const W distance = row_mean[i] - running_mean[i];
    mover[i] = distance * weight;
    running_mean[i] += distance * step;
  }
};

/// mover = (running mean - mean of all) * weight
template <class W>
struct MergeMean {
  const W* running_mean;
  const W* mean;
  W* mover;
  double weight;
  KOKKOS_FUNCTION void operator()(std::int64_t i) const { mover[i] = (running_mean[i] - mean[i]) * weight; }
};

}  // namespace tessera::detail
