// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/shares.hpp"
#include "core/exchange/transfers.hpp"
#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "kernels/backend.hpp"
#include "kernels/elementwise.hpp"
#include "tessera/detail/strided.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

// The lower triangle of a matrix from one distribution to another, on the same ranks.
namespace tessera::detail {

/// Where a side keeps some columns of a message, of which Range are the positions.
template <class Element>
struct PlaceOfColumns {
  Element* data;  ///< of local row `row` and column `column`
  std::int64_t row;
  std::int64_t column;
  std::int64_t row_stride;
  std::int64_t column_stride;
  bool conjugate;
  Range columns;
};

/// The rows, or the columns, of a message.
struct SharedIndices {
  const std::int32_t* global;
  const std::int32_t* local;
};

/// Between a message, a rectangle of which the part above the diagonal is not used, and where a side keeps it.
template <class T, class Element>
struct MoveTriangle {
  static constexpr bool packs = std::is_const_v<Element>;
  using Message = std::conditional_t<packs, T, const T>;

  SharedIndices rows;
  SharedIndices columns;
  PlaceOfColumns<Element> place;
  Message* message;  // column-major
  std::int64_t height;

  KOKKOS_FUNCTION void operator()(std::int64_t k, std::int64_t l) const {
    const std::int32_t below = rows.global[k] - columns.global[l];
    Message& number = message[k + l * height];
    if (below < 0) {
      if constexpr (packs) number = T(0);
      return;
    }
    Element& element = place.data[(rows.local[k] - place.row) * place.row_stride +
                                  (columns.local[l] - place.column) * place.column_stride];
    if constexpr (packs) {
      number = value(element, below);
    } else {
      element = value(number, below);
    }
  }

 private:
  KOKKOS_FUNCTION T value(const T& x, std::int32_t below) const {
    return below == 0 ? T(real(x)) : place.conjugate ? conj(x) : x;
  }
};

/// The memory of a copy.
template <class T, class MemorySpace>
struct TriangleCopyBuffers {
  TriangleCopyBuffers(Workspace<MemorySpace>& workspace, std::int64_t indices, std::int64_t numbers_out,
                      std::int64_t numbers_in)
      : tables(workspace.template take<std::int32_t>(indices)),
        outgoing(workspace.template take<T>(numbers_out)),
        incoming(workspace.template take<T>(numbers_in)) {}

  std::int32_t* tables;
  T* outgoing;
  T* incoming;
};

/// A copy from one side to another, each of which has
///
///     const Side& side() const
///     bool on_host() const               whether its numbers are in memory that `exec` does not reach
///     place(columns, indices, body)      body(PlaceOfColumns) for parts that are all of `columns`
///
/// It goes on between pairs of ranks, to one and from one at a time, in messages of some of the columns that they
/// share, with the rows from the first of these on.
template <class T, class Exec, class From, class To>
class TriangleCopy {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Host = Kokkos::DefaultHostExecutionSpace;

  TriangleCopy(const Exec& exec, const ProcessGrid& grid, std::int64_t n, const From& from, const To& to,
               std::int64_t most_numbers, Memory<MemorySpace>& memory)
      : exec_(exec),
        me_(grid.rank()),
        ranks_(grid.size()),
        most_numbers_(most_numbers > 0 ? most_numbers : Tuning<MemorySpace>::chunk_bytes / std::int64_t{sizeof(T)}),
        transfers_(grid, memory),
        from_(from),
        to_(to),
        out_{Shares(n, from.side().rows, to.side().rows), Shares(n, from.side().columns, to.side().columns)},
        in_{Shares(n, to.side().rows, from.side().rows), Shares(n, to.side().columns, from.side().columns)},
        buffers_(buffers_in<TriangleCopyBuffers<T, MemorySpace>>(
            memory, out_.size() + in_.size(), most_in_message(out_, to.side()), most_in_message(in_, from.side()))) {
    if (from.on_host() || to.on_host()) {
      there_ = HostNumbers(Kokkos::view_alloc("tessera::scalapack::there", Kokkos::WithoutInitializing),
                           static_cast<std::size_t>(std::max(most_in_message(out_, to.side()),  //
                                                             most_in_message(in_, from.side()))));
    }
    std::int32_t* next = buffers_.tables;
    for (Both* const both : {&out_, &in_}) {
      bring(both->rows, next);
      bring(both->columns, next);
    }
    exec_.fence();
  }

  void run() {
    for (int step = 0; step < ranks_; ++step) {
      const int to = (me_ + step) % ranks_;
      const int from = (me_ - step + ranks_) % ranks_;
      const std::vector<Piece> leaving = pieces(out_, to_.side(), to);
      const std::vector<Piece> arriving = pieces(in_, from_.side(), from);
      for (std::size_t i = 0; i < std::max(leaving.size(), arriving.size()); ++i) {
        if (step == 0) {
          move<const T>(from_, out_, leaving[i], buffers_.outgoing);
          move<T>(to_, in_, arriving[i], buffers_.outgoing);
          continue;
        }
        if (i < arriving.size()) transfers_.receive(exec_, buffers_.incoming, arriving[i].size(), from, Tag::blocks);
        if (i < leaving.size()) {
          move<const T>(from_, out_, leaving[i], buffers_.outgoing);
          transfers_.send(exec_, static_cast<const T*>(buffers_.outgoing), leaving[i].size(), to, Tag::blocks);
        }
        transfers_.wait();
        if (i < arriving.size()) move<T>(to_, in_, arriving[i], buffers_.incoming);
      }
    }
    exec_.fence();
  }

 private:
  using HostNumbers = Kokkos::View<T*, Kokkos::HostSpace>;

  struct Dimension {
    explicit Dimension(Shares&& s) : shares(std::move(s)) {}
    std::int64_t size() const { return static_cast<std::int64_t>(shares.global().size()); }

    Shares shares;
    SharedIndices there = {};  // where `exec` reads them
  };
  /// What this rank has of the one side, by the ranks of the other.
  struct Both {
    Both(Shares&& r, Shares&& c) : rows(std::move(r)), columns(std::move(c)) {}
    std::int64_t size() const { return 2 * (rows.size() + columns.size()); }

    Dimension rows;
    Dimension columns;
  };
  struct Piece {
    Range rows;
    Range columns;
    std::int64_t size() const { return rows.size() * columns.size(); }
  };

  /// Columns of a message with so many rows.
  std::int64_t width(std::int64_t rows) const {
    return std::max<std::int64_t>(1, most_numbers_ / std::max<std::int64_t>(1, rows));
  }
  /// Of a message between this rank and any other.
  std::int64_t most_in_message(const Both& both, const Side& other) const {
    std::int64_t most = 0;
    for (int rank = 0; rank < ranks_; ++rank) {
      const std::int64_t rows = both.rows.shares.of(other.row_process(rank)).size();
      const std::int64_t columns = both.columns.shares.of(other.column_process(rank)).size();
      most = std::max(most, rows * std::min(columns, width(rows)));
    }
    return most;
  }

  std::vector<Piece> pieces(const Both& both, const Side& other, int rank) const {
    std::vector<Piece> result;
    const Range rows = both.rows.shares.of(other.row_process(rank));
    const Range columns = both.columns.shares.of(other.column_process(rank));
    const std::int64_t most = width(rows.size());
    for (std::int64_t begin = columns.begin; begin < columns.end; begin += most) {
      const std::int32_t first = both.columns.shares.global()[static_cast<std::size_t>(begin)];
      const Piece piece{both.rows.shares.from(rows, first), {begin, std::min(columns.end, begin + most)}};
      if (piece.rows.size() > 0) result.push_back(piece);
    }
    return result;
  }

  /// Indices to where `exec` reads them.
  void bring(Dimension& dimension, std::int32_t*& next) {
    const auto one = [&](const std::vector<std::int32_t>& from) {
      const auto count = static_cast<std::int64_t>(from.size());
      if (count > 0) {
        Kokkos::deep_copy(exec_, numbers_at<MemorySpace>(next, count),
                          numbers_at<Kokkos::HostSpace>(from.data(), count));
      }
      return std::exchange(next, next + count);
    };
    dimension.there = {one(dimension.shares.global()), one(dimension.shares.local())};
  }

  /// A piece from its place to a message (of const numbers), or back.
  template <class Element, class Place>
  void move(const Place& of, const Both& both, const Piece& piece, T* message) {
    if constexpr (!kernels::is_host<Exec>) {
      if (of.on_host()) {
        const auto here = numbers_at<Kokkos::HostSpace>(there_.data(), piece.size());
        const auto there = numbers_at<MemorySpace>(message, piece.size());
        if (!std::is_const_v<Element>) {
          Kokkos::deep_copy(exec_, here, there);
        }
        exec_.fence();
        const Host host;
        move_on<Element>(host, of, both, piece, on_host(both.rows), on_host(both.columns), there_.data());
        host.fence();
        if (std::is_const_v<Element>) {
          Kokkos::deep_copy(exec_, there, here);
          exec_.fence();
        }
        return;
      }
    }
    move_on<Element>(exec_, of, both, piece, both.rows.there, both.columns.there, message);
  }
  template <class Element, class AnyExec, class Place>
  void move_on(const AnyExec& exec, const Place& of, const Both& both, const Piece& piece, const SharedIndices& rows,
               const SharedIndices& columns, T* message) {
    const std::int64_t height = piece.rows.size();
    of.place(both.columns.shares, piece.columns, [&](const auto& place) {
      const MoveTriangle<T, Element> mover{
          behind(rows, piece.rows.begin),
          behind(columns, place.columns.begin),
          {place.data, place.row, place.column, place.row_stride, place.column_stride, place.conjugate, place.columns},
          message + (place.columns.begin - piece.columns.begin) * height,
          height};
      kernels::for_each_index("tessera::scalapack::move", exec, height, place.columns.size(), mover);
    });
  }
  static SharedIndices on_host(const Dimension& dimension) {
    return {dimension.shares.global().data(), dimension.shares.local().data()};
  }
  static SharedIndices behind(const SharedIndices& indices, std::int64_t begin) {
    return {indices.global + begin, indices.local + begin};
  }

  Exec exec_;
  int me_;
  int ranks_;
  std::int64_t most_numbers_;  // of a message, unless a column has more
  Transfers<Exec> transfers_;
  const From& from_;
  const To& to_;
  Both out_;
  Both in_;
  TriangleCopyBuffers<T, MemorySpace> buffers_;
  HostNumbers there_;  // a message's, where a side is on the host
};

}  // namespace tessera::detail
