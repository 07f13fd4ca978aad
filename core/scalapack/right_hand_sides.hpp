// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/transfers.hpp"
#include "core/scalapack/submatrix.hpp"
#include "tessera/by_rows.hpp"
#include "tessera/detail/memory.hpp"
#include "tessera/matrix_view.hpp"
#include "tessera/process_grid.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tessera::scalapack {

/// sub(B) of a ScaLAPACK routine, which comes some columns at a time as rows that each rank holds: rank r of R has rows
/// r n / R to (r + 1) n / R. It takes memory for three times a bounded number of elements, or one column's share.
template <class T>
class RightHandSides {
 public:
  using Rows = ByRows<MatrixView<T, Kokkos::HostSpace>>;

  /// `b`: this process's part of the array.
  RightHandSides(const ProcessGrid& grid, const Submatrix& part, T* b)
      : grid_(grid), part_(part), b_(b), width_(std::min(part.columns, most_columns())) {}

  /// Collective. `solve(rows)` replaces each column of sub(B); `changed` becomes true before the first one changes.
  template <class Solve>
  void replace(const Solve& solve, bool& changed) {
    const detail::Communicator& communicator = grid_.communicator();
    detail::collectively(communicator, [&] {
      rows_.resize(product(held(grid_.rank()), width_));
      const std::int64_t most = std::max(product(local_rows(), width_), product(held(grid_.rank()), width_));
      leaving_.resize(most);
      arriving_.resize(most);
    });
    for (begin_ = 0; begin_ < part_.columns; begin_ = end_) {
      end_ = std::min(begin_ + width_, part_.columns);
      move([this](int rank) { return common(grid_.rank(), rank); },
           [this](int rank) { return common(rank, grid_.rank()); }, element_of_b(), element_of_rows());
      solve(Rows{here()});
      changed = true;
      move([this](int rank) { return common(rank, grid_.rank()); },
           [this](int rank) { return common(grid_.rank(), rank); }, element_of_rows(), element_of_b());
    }
  }

 private:
  using Host = Kokkos::DefaultHostExecutionSpace;

  /// What a process of the grid and a holder of rows have in common of the columns in work: a rectangle of the
  /// process's local array.
  struct Common {
    BlockCyclic rows;
    BlockCyclic columns;
    LocalIndex row_begin;
    LocalIndex row_end;
    LocalIndex column_begin;
    LocalIndex column_end;

    std::int64_t size() const { return (row_end - row_begin) * (column_end - column_begin); }
    /// body(row, column, k) for its elements in order.
    template <class Body>
    void for_each(const Body& body) const {
      std::size_t k = 0;
      for (LocalIndex j = column_begin; j < column_end; ++j) {
        for (LocalIndex i = row_begin; i < row_end; ++i) body(i, j, k++);
      }
    }
  };

  static std::size_t product(std::int64_t rows, std::int64_t columns) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  }

  std::int64_t first_row(int rank) const { return rank * part_.rows / grid_.size(); }
  std::int64_t held(int rank) const { return first_row(rank + 1) - first_row(rank); }
  std::int64_t local_rows() const {
    const BlockCyclic rows = part_.rows_on(grid_.row(), grid_.shape());
    return rows.local_lower_bound(GlobalIndex{part_.row + part_.rows}) - rows.local_lower_bound(GlobalIndex{part_.row});
  }
  /// Of the columns of which a process row has 2^25 bytes in all.
  std::int64_t most_columns() const {
    const std::int64_t bytes = (part_.rows / grid_.rows() + 1) * std::int64_t{sizeof(T)};
    return std::max<std::int64_t>(1, (std::int64_t{1} << 25) / bytes);
  }

  Common common(int owner, int holder) const {
    const BlockCyclic rows = part_.rows_on(grid_.row_of(owner), grid_.shape());
    const BlockCyclic columns = part_.columns_on(grid_.col_of(owner), grid_.shape());
    const auto row = [&](std::int64_t i) { return rows.local_lower_bound(GlobalIndex{part_.row + i}); };
    const auto column = [&](std::int64_t j) { return columns.local_lower_bound(GlobalIndex{part_.column + j}); };
    return {rows, columns, row(first_row(holder)), row(first_row(holder + 1)), column(begin_), column(end_)};
  }

  MatrixView<T, Kokkos::HostSpace> here() {
    const std::int64_t rows = held(grid_.rank());
    return make_matrix_view<Kokkos::HostSpace>(rows_.data(), rows, end_ - begin_, std::max<std::int64_t>(1, rows));
  }
  auto element_of_b() const {
    return [this](const Common&, LocalIndex i, LocalIndex j) -> T& {
      return b_[i.value + j.value * part_.leading_dimension];
    };
  }
  auto element_of_rows() {
    return [this](const Common& c, LocalIndex i, LocalIndex j) -> T& {
      const std::int64_t row = c.rows.to_global(i).value - part_.row - first_row(grid_.rank());
      const std::int64_t column = c.columns.to_global(j).value - part_.column - begin_;
      return rows_[product(held(grid_.rank()), column) + static_cast<std::size_t>(row)];
    };
  }

  /// Collective. Each rank's `leaving(r)` to rank r, whose `arriving` of this one it is.
  template <class Leaving, class Arriving, class From, class To>
  void move(const Leaving& leaving, const Arriving& arriving, const From& from, const To& to) {
    detail::Memory<Kokkos::HostSpace> memory;
    std::optional<detail::Transfers<Host>> transfers;
    detail::collectively(grid_.communicator(), [&] {
      transfers.emplace(grid_, memory);
      T* message = arriving_.data();
      for_each_other([&](int rank) {
        const std::int64_t size = arriving(rank).size();
        if (size > 0) transfers->receive(Host(), message, size, rank, detail::Tag::rows);
        message += size;
      });
      message = leaving_.data();
      for_each_other([&](int rank) {
        const Common part = leaving(rank);
        part.for_each([&](LocalIndex i, LocalIndex j, std::size_t k) { message[k] = from(part, i, j); });
        if (part.size() > 0) transfers->send(Host(), message, part.size(), rank, detail::Tag::rows);
        message += part.size();
      });
      const Common own = leaving(grid_.rank());
      own.for_each([&](LocalIndex i, LocalIndex j, std::size_t) { to(own, i, j) = from(own, i, j); });
      transfers->wait();
      message = arriving_.data();
      for_each_other([&](int rank) {
        const Common part = arriving(rank);
        part.for_each([&](LocalIndex i, LocalIndex j, std::size_t k) { to(part, i, j) = message[k]; });
        message += part.size();
      });
    });
  }
  template <class Body>
  void for_each_other(const Body& body) const {
    for (int rank = 0; rank < grid_.size(); ++rank) {
      if (rank != grid_.rank()) body(rank);
    }
  }

  ProcessGrid grid_;
  Submatrix part_;
  T* b_;
  std::int64_t width_;
  std::int64_t begin_ = 0;  // the columns in work
  std::int64_t end_ = 0;
  std::vector<T> rows_;
  std::vector<T> leaving_;
  std::vector<T> arriving_;
};

}  // namespace tessera::scalapack
