// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/assemble/gram_chunks.hpp"
#include "core/assemble/gram_kernels.hpp"
#include "core/assemble/gram_memory.hpp"
#include "core/assemble/gram_product.hpp"
#include "core/assemble/gram_strips.hpp"
#include "core/exchange/transfers.hpp"
#include "tessera/detail/strided.hpp"
#include "tessera/sharded_matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace tessera::detail {

/// Segments of a piece, side by side, each packed once however many ranks it is sent to. Which rows of X an axis has
/// depends on the number of processes and the coordinate alone: on a square grid process rows and columns share theirs.
template <class T>
class Outgoing {
 public:
  explicit Outgoing(T* memory) : end_(memory) {}

  /// The segment of `axis`, `size` numbers, which `write(data)` writes the first time.
  template <class Write>
  const T* packed(const BlockCyclic& axis, std::int64_t size, const Write& write) {
    const auto [at, is_new] = segments_.try_emplace({axis.processes, axis.coordinate}, end_);
    if (is_new) {
      write(end_);
      end_ += size;
    }
    return at->second;
  }

 private:
  std::map<std::pair<int, int>, T*> segments_;
  T* end_;
};

/// The strips of a chunk of X on this rank, of which each rank has a piece.
template <class T, class Exec>
class GramExchange {
 public:
  using MemorySpace = typename Exec::memory_space;
  using Piece = GramChunks::Piece;

  /// What this rank has of a chunk: a window of J, and how it becomes X.
  struct Contribution {
    Piece piece;
    Strided<const T> window;
    Centring<T> centring;
  };

  GramExchange(const Exec& exec, const GramChunks& chunks, const ShardedMatrix<T, MemorySpace>& matrix,
               const GramBuffers<T, Exec>& buffers, Transfers<Exec>& transfers)
      : exec_(exec), chunks_(chunks), matrix_(matrix), grid_(matrix.grid()), buffers_(buffers), transfers_(transfers) {}

  /// Begins to receive the other ranks' pieces.
  void receive(std::int64_t chunk, const std::vector<Piece>& pieces) {
    const int me = grid_.rank();
    for (int step = 1; step < grid_.size(); ++step) {
      const int from = (me + step) % grid_.size();
      for (const Strip strip : {Strip::row, Strip::column}) {
        if (!is_sent_to(me, strip)) continue;
        const Segment part = segment(axis(strip, me), from, pieces[static_cast<std::size_t>(from)]);
        if (part.size() == 0) continue;
        transfers_.receive(exec_, strips_of(chunk)[strip] + part.offset, part.size(), from, tag(strip));
      }
    }
  }

  /// Begins to send this rank's piece to those whose tiles need it.
  void send(const Contribution& mine) {
    Outgoing<T> outgoing(buffers_.outgoing);
    const int me = grid_.rank();
    for (int step = 1; step < grid_.size(); ++step) {
      const int to = (me + grid_.size() - step) % grid_.size();
      for (const Strip strip : {Strip::row, Strip::column}) {
        if (!is_sent_to(to, strip)) continue;
        const BlockCyclic theirs = axis(strip, to);
        const Segment part = segment(theirs, me, mine.piece);
        if (part.size() == 0) continue;
        const T* const data =
            outgoing.packed(theirs, part.size(), [&](T* memory) { write(mine, theirs, part, memory); });
        transfers_.send(exec_, data, part.size(), to, tag(strip));
      }
    }
  }

  /// Writes this rank's piece into its own strips.
  void keep(std::int64_t chunk, const Contribution& mine) {
    const int me = grid_.rank();
    for (const Strip strip : {Strip::row, Strip::column}) {
      if (!is_sent_to(me, strip)) continue;
      const Segment part = segment(axis(strip, me), me, mine.piece);
      if (part.size() > 0) write(mine, axis(strip, me), part, strips_of(chunk)[strip] + part.offset);
    }
  }

  /// Both strips of a chunk of so many terms, whose messages are done.
  typename GramProduct<T, Exec>::Operands strips(std::int64_t chunk, std::int64_t terms) {
    const auto& own = strips_of(chunk);
    const Nesting nesting = nesting_of(matrix_.rows(), matrix_.columns());
    if (nesting == Nesting::row_in_column) pick(own, Strip::row, Strip::column, terms);
    if (nesting == Nesting::column_in_row) pick(own, Strip::column, Strip::row, terms);
    return {as_matrix(own.row, matrix_.rows().local_extent(), terms),
            as_matrix(own.column, matrix_.columns().local_extent(), terms), chunks_.sharded_rows()};
  }

 private:
  /// The rows of a rank's piece that belong to an axis, and where they are in that strip, without a gap.
  struct Segment {
    LocalIndex first;
    std::int64_t rows;
    std::int64_t terms;
    std::int64_t offset;

    std::int64_t size() const { return rows * terms; }
  };

  Segment segment(const BlockCyclic& axis, int rank, const Piece& piece) const {
    const LocalIndex first = axis.local_lower_bound(GlobalIndex{chunks_.row_begin(rank)});
    const LocalIndex last = axis.local_lower_bound(GlobalIndex{chunks_.row_end(rank)});
    const std::int64_t offset = chunks_.sharded_rows() ? first.value * piece.terms : piece.offset * axis.local_extent();
    return {first, last - first, piece.terms, offset};
  }

  BlockCyclic axis(Strip strip, int rank) const {
    return strip == Strip::row ? matrix_.rows().seen_from(grid_.row_of(rank))
                               : matrix_.columns().seen_from(grid_.col_of(rank));
  }
  bool is_sent_to(int rank, Strip strip) const {
    return is_sent(strip, nesting_of(axis(Strip::row, rank), axis(Strip::column, rank)));
  }
  static Tag tag(Strip strip) { return {Tag::gram, static_cast<int>(strip)}; }
  const typename GramBuffers<T, Exec>::Strips& strips_of(std::int64_t chunk) const {
    return buffers_.strips[grid_.size() > 1 ? chunk % 2 : 0];
  }

  /// A strip, or a part of it, as a matrix: the terms of a row side by side where ranks have rows of X, else the rows
  /// of a term, so that what one rank has is in one place.
  MatrixView<T, MemorySpace> as_matrix(T* data, std::int64_t rows, std::int64_t terms) const {
    return chunks_.sharded_rows() ? make_matrix_view<MemorySpace>(data, terms, rows, std::max<std::int64_t>(1, terms))
                                  : make_matrix_view<MemorySpace>(data, rows, terms, std::max<std::int64_t>(1, rows));
  }

  void write(const Contribution& mine, const BlockCyclic& axis, const Segment& part, T* to) {
    const Strided<const T>& j = mine.window;
    const int row = chunks_.sharded_rows() ? 0 : 1;
    const BlockCyclic all{axis.n, axis.tile};
    const RowsOfX<T> from{j.data, all, chunks_.row_begin(grid_.rank()), j.stride[row], j.stride[1 - row]};
    const auto write_as = [&]<class Element>(const Element& element) {
      write_strip<T>("tessera::gram::write", exec_,
                     WriteStrip<T, MemorySpace, Element>{from, element, axis, part.first, chunks_.sharded_rows(),
                                                         as_matrix(to, part.rows, part.terms)});
    };
    if (chunks_.has_means()) {
      write_as(mine.centring);
    } else {
      write_as(Conjugated<T>{});
    }
  }

  /// What strip `to` has of strip `from`: all of its rows.
  void pick(const typename GramBuffers<T, Exec>::Strips& strips, Strip to, Strip from, std::int64_t terms) {
    const bool terms_inside = chunks_.sharded_rows();
    const BlockCyclic all = axis(from, grid_.rank());
    const BlockCyclic some = axis(to, grid_.rank());
    const RowsOfX<T> x{strips[from], all, 0, terms_inside ? terms : 1, terms_inside ? 1 : all.local_extent()};
    write_strip<T>("tessera::gram::pick", exec_,
                   WriteStrip<T, MemorySpace, AsItIs<T>>{
                       x, {}, some, LocalIndex{0}, terms_inside, as_matrix(strips[to], some.local_extent(), terms)});
  }

  Exec exec_;
  const GramChunks& chunks_;
  const ShardedMatrix<T, MemorySpace>& matrix_;
  const ProcessGrid& grid_;
  const GramBuffers<T, Exec>& buffers_;
  Transfers<Exec>& transfers_;
};

}  // namespace tessera::detail
