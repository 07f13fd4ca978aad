#pragma once

#include "core/matrix/workspace.hpp"
#include "core/tuning.hpp"
#include "kernels/line_sums.hpp"
#include "kernels/queue.hpp"
#include "tessera/distribution.hpp"
#include "tessera/gram.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

namespace tessera::detail {

/// How a Jacobian is cut into chunks. A = X X^H, where X has a row for each row of A and a column for each line of J
/// that is summed over: X = J, whose lines are the parameters, or X = J^H, whose lines are the samples.
class GramChunks {
 public:
  /// What one rank contributes to a chunk.
  struct Piece {
    std::int64_t begin = 0;  ///< of its own lines, as it counts them
    std::int64_t end = 0;
    std::int64_t at = 0;     ///< the chunk's line that its first one is
    std::int64_t lines = 0;  ///< with the one that moves the mean

    std::int64_t own_lines() const { return end - begin; }
  };

  /// `first_sample`: where the samples of each rank begin, and where the last one's end.
  GramChunks(const GramOptions& options, std::int64_t parameters, std::vector<std::int64_t> first_sample,
             std::int64_t wished_lines)
      : sharded_rows_(options.form == GramForm::j_jh),
        line_means_(sharded_rows_ ? options.subtract_column_means : options.subtract_row_means),
        row_means_(sharded_rows_ ? options.subtract_row_means : options.subtract_column_means),
        parameters_(parameters),
        first_sample_(std::move(first_sample)),
        cuts_((all_lines() + wished_lines - 1) / wished_lines) {}

  bool sharded_rows() const { return sharded_rows_; }  ///< a rank has some rows of X, not some columns
  bool line_means() const { return line_means_; }      ///< from each column of X its mean is subtracted
  bool row_means() const { return row_means_; }        ///< from each row of X
  std::int64_t rows() const { return sharded_rows_ ? samples() : parameters_; }
  std::int64_t all_lines() const { return sharded_rows_ ? parameters_ : samples(); }
  std::int64_t samples() const { return first_sample_.back(); }
  std::int64_t samples_of(int rank) const { return first_sample(rank + 1) - first_sample(rank); }

  /// Rows of X that a rank has.
  std::int64_t row_begin(int rank) const { return sharded_rows_ ? first_sample(rank) : 0; }
  std::int64_t row_end(int rank) const { return sharded_rows_ ? first_sample(rank + 1) : parameters_; }
  std::int64_t rows_of(int rank) const { return row_end(rank) - row_begin(rank); }

  std::int64_t count() const { return cuts_ + (merges() ? 1 : 0); }
  /// The last chunk has the distance of each rank's mean from that of all, where a rank knows only its own.
  bool is_merge(std::int64_t chunk) const { return chunk == cuts_; }

  /// Of each rank.
  std::vector<Piece> pieces(std::int64_t chunk) const {
    std::vector<Piece> result;
    std::int64_t at = 0;
    for (int rank = 0; rank < ranks(); ++rank) {
      Piece piece{0, 0, at};
      if (is_merge(chunk)) {
        piece.lines = samples_of(rank) > 0 ? 1 : 0;
      } else {
        std::tie(piece.begin, piece.end) = sharded_rows_ ? cut(parameters_, chunk) : cut(samples_of(rank), chunk);
        const bool moves_mean = row_means_ && piece.begin > 0 && piece.own_lines() > 0;
        piece.lines = piece.own_lines() + (moves_mean ? 1 : 0);
      }
      if (!sharded_rows_) at += piece.lines;
      result.push_back(piece);
    }
    return result;
  }
  /// Columns of X in a chunk.
  std::int64_t lines(const std::vector<Piece>& pieces) const { return pieces.back().at + pieces.back().lines; }

  /// No chunk has more of them,
  std::int64_t most_lines() const {
    if (sharded_rows_) return most_lines_of(0);
    std::int64_t sum = 0;
    for (int rank = 0; rank < ranks(); ++rank) sum += most_lines_of(rank);
    return sum;
  }
  /// nor more of one rank, with the one that moves the mean or without.
  std::int64_t most_lines_of(int rank) const {
    const std::int64_t own = most_own_lines_of(rank);
    return own + (row_means_ && own > 0 ? 1 : 0);
  }
  std::int64_t most_own_lines_of(int rank) const {
    return cuts_ == 0 ? 0 : ((sharded_rows_ ? parameters_ : samples_of(rank)) + cuts_ - 1) / cuts_;
  }

 private:
  bool merges() const {
    if (!row_means_ || sharded_rows_) return false;
    int with_samples = 0;
    for (int rank = 0; rank < ranks(); ++rank) with_samples += samples_of(rank) > 0 ? 1 : 0;
    return with_samples > 1;
  }
  int ranks() const { return static_cast<int>(first_sample_.size()) - 1; }
  std::int64_t first_sample(int rank) const { return first_sample_[static_cast<std::size_t>(rank)]; }
  /// Cut `chunk` of a rank's lines, as even as they go.
  std::pair<std::int64_t, std::int64_t> cut(std::int64_t own, std::int64_t chunk) const {
    const auto begin = [&](std::int64_t c) { return own / cuts_ * c + std::min(own % cuts_, c); };
    return {begin(chunk), begin(chunk + 1)};
  }

  bool sharded_rows_;
  bool line_means_;
  bool row_means_;
  std::int64_t parameters_;
  std::vector<std::int64_t> first_sample_;
  std::int64_t cuts_;
};

/// Whether BLAS takes J's windows where they are: one rank has all of it, nothing is subtracted, and it is not the
/// conjugate that BLAS would need.
template <class T>
bool is_multiplied_in_place(const GramOptions& options, int ranks, Order order) {
  if (ranks > 1 || options.subtract_column_means || options.subtract_row_means) return false;
  return order == Order::column_major || (order == Order::row_major && std::is_same_v<T, RealOf<T>>);
}

/// Lines that are multiplied together: of a View that is multiplied where it is, all that BLAS can count.
template <class MemorySpace>
std::int64_t gram_lines(std::int64_t n, bool buffered, bool in_place) {
  return in_place && !buffered ? std::int64_t{1} << 30 : Tuning<MemorySpace>::gram_depth(n);
}

/// Whose tiles' rows are among the rows of its tiles' columns, or the other way round, on a process grid.
struct PanelsOf {
  PanelsOf(int grid_rows, int grid_cols, int row, int col)
      : rows_within_columns(grid_rows % grid_cols == 0 && row % grid_cols == col),
        columns_within_rows(grid_cols % grid_rows == 0 && col % grid_rows == row) {}

  bool are_one() const { return rows_within_columns && columns_within_rows; }
  // One that lies in the other is not sent.
  bool gets_rows() const { return !rows_within_columns; }
  bool gets_columns() const { return !columns_within_rows || rows_within_columns; }

  bool rows_within_columns;
  bool columns_within_rows;
};

/// The memory that add_gram takes beside the matrix.
template <class T, class Exec>
struct GramBuffers {
  using MemorySpace = typename Exec::memory_space;

  /// Rows of a chunk of X: those of this rank's rows of A, and those of its columns.
  struct Panels {
    T* rows = nullptr;
    T* columns = nullptr;
  };

  /// `buffered`: J is copied or asked for. `in_place`: it is multiplied where it is, see GramAssembly.
  GramBuffers(Workspace<MemorySpace>& workspace, const SlabLayout& layout, const GramChunks& chunks, int rank,
              bool buffered, bool in_place) {
    const BlockCyclic& rows = layout.rows;
    const BlockCyclic& columns = layout.columns;
    const std::int64_t lines = chunks.most_lines();
    const std::int64_t sent_lines = chunks.most_lines_of(rank);
    const std::int64_t own_lines = chunks.most_own_lines_of(rank);
    const std::int64_t own_rows = chunks.rows_of(rank);
    const bool alone = rows.processes * columns.processes == 1;
    const PanelsOf panels_of(rows.processes, columns.processes, rows.coordinate, columns.coordinate);
    blas = workspace.template take<char>(kernels::Queue<Exec>::workspace_bytes);
    window = workspace.template take<T>(buffered ? own_rows * own_lines : 0);
    if (in_place) return;
    for (int parity = 0; parity < (alone ? 1 : 2); ++parity) {
      Panels& chunk = panels[parity];
      chunk.columns = workspace.template take<T>(columns.local_extent() * lines);
      chunk.rows = panels_of.are_one() ? chunk.columns : workspace.template take<T>(rows.local_extent() * lines);
    }
    if (!alone) {
      outgoing = workspace.template take<T>(own_rows * sent_lines * (rows.processes == columns.processes ? 1 : 2));
    }
    if (chunks.line_means()) line_mean = workspace.template take<kernels::Wide<T>>(own_lines);
    if (chunks.row_means()) {
      row_mean = workspace.template take<kernels::Wide<T>>(own_rows);
      running_mean = workspace.template take<kernels::Wide<T>>(own_rows);
      mover = workspace.template take<kernels::Wide<T>>(own_rows);
    }
  }

  char* blas;
  T* window = nullptr;  // of the caller's J, if it is copied or asked for
  Panels panels[2];     // one is multiplied while the next one arrives
  T* outgoing = nullptr;
  kernels::Wide<T>* line_mean = nullptr;     // of this rank's lines of a chunk
  kernels::Wide<T>* row_mean = nullptr;      // over these lines, of each row
  kernels::Wide<T>* running_mean = nullptr;  // over all lines so far
  kernels::Wide<T>* mover = nullptr;         // the line that moves the mean
};

}  // namespace tessera::detail
