// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/agreement.hpp>

#include <memory>

namespace tessera {
/// @addtogroup pieces
/// @{

/// The shape of a process grid.
struct GridShape {
  int rows = 0;  ///< process rows
  int cols = 0;  ///< process columns

  /// Memberwise.
  friend bool operator==(const GridShape&, const GridShape&) = default;
};

/// In which order the ranks of a communicator are dealt to a grid, as for BLACS.
enum class GridOrder {
  row_major,    ///< one process row after the other; BLACS's "R"
  column_major  ///< one process column after the other; BLACS's "C"
};

/// Which rank is where in a grid.
struct GridNumbering {
  GridShape shape = {};                    ///< of the grid
  GridOrder order = GridOrder::row_major;  ///< of its ranks

  /// No grid.
  constexpr GridNumbering() = default;
  /// A grid's shape and the order of its ranks.
  constexpr GridNumbering(GridShape s, GridOrder o = GridOrder::row_major) : shape(s), order(o) {}

  /// The process row of a rank.
  constexpr int row_of(int rank) const { return is_row_major() ? rank / shape.cols : rank % shape.rows; }
  /// The process column of a rank.
  constexpr int col_of(int rank) const { return is_row_major() ? rank % shape.cols : rank / shape.rows; }
  /// The rank of a process.
  constexpr int rank_of(int row, int col) const {
    return is_row_major() ? row * shape.cols + col : col * shape.rows + row;
  }

 private:
  constexpr bool is_row_major() const { return order == GridOrder::row_major; }
};

/// How messages in device memory reach MPI.
///
/// Messages in host memory are always passed as they are. TESSERA_MPI_BUFFERS=direct or =staged in the environment
/// overrides both.
enum class MpiBuffers {
  automatic,  ///< direct if MPI reports that it takes device pointers (MPIX_Query_cuda_support), else staged
  direct,     ///< MPI gets device pointers; if it does not take them, the program crashes
  staged      ///< copied to host memory, which MPI gets
};

/// The most nearly square grid of `ranks` processes, with rows >= cols.
/// @pre ranks >= 1
GridShape nearly_square(int ranks);

/// A `rows x cols` grid over all ranks of a communicator. In row-major order rank = process row * cols + process
/// column, in column-major order rank = process column * rows + process row.
///
/// The constructors are collective over `comm`. The first collective call with it duplicates it, and keeps the
/// duplicate as an attribute of `comm`: Tessera sends no message on the caller's communicator, which may be freed at
/// once. Grids, matrices and factors share the duplicate; the last of them and `comm` frees it with MPI_Comm_free. A
/// grid may end after MPI_Finalize and after Kokkos::finalize.
///
/// Two threads must not use one object, or two objects on one communicator, at the same time: grids, matrices, factors
/// or solvers.
class ProcessGrid {
 public:
  /// The grid of nearly_square(size of `comm`).
  /// @throws std::invalid_argument as the constructor from a GridShape does
  explicit ProcessGrid(MPI_Comm comm, MpiBuffers mpi_buffers = MpiBuffers::automatic,
                       GridOrder order = GridOrder::row_major);
  /// A grid of this shape.
  /// @throws std::invalid_argument on every rank, unless rows, cols >= 1, rows * cols is the size of `comm`, all ranks
  ///   pass the same, and TESSERA_MPI_LARGEST_MESSAGE is valid where the first call reads it; on this rank alone, if
  ///   `comm` is null or an inter-communicator, or MPI is not running
  /// @throws MpiError on the rank whose MPI call failed
  ProcessGrid(MPI_Comm comm, GridShape shape, MpiBuffers mpi_buffers = MpiBuffers::automatic,
              GridOrder order = GridOrder::row_major);
  /// A `rows x cols` grid.
  /// @throws std::invalid_argument as the constructor from a GridShape does
  ProcessGrid(MPI_Comm comm, int rows, int cols, MpiBuffers mpi_buffers = MpiBuffers::automatic,
              GridOrder order = GridOrder::row_major)
      : ProcessGrid(comm, GridShape{rows, cols}, mpi_buffers, order) {}

  GridShape shape() const { return numbering_.shape; }           ///< rows and columns
  GridOrder order() const { return numbering_.order; }           ///< of the ranks
  const GridNumbering& numbering() const { return numbering_; }  ///< both
  int rows() const { return shape().rows; }                      ///< process rows
  int cols() const { return shape().cols; }                      ///< process columns
  int size() const { return rows() * cols(); }                   ///< processes

  int rank() const { return rank_; }                                            ///< this process's rank
  int row() const { return row_of(rank_); }                                     ///< this rank's process row
  int col() const { return col_of(rank_); }                                     ///< this rank's process column
  int row_of(int rank) const { return numbering_.row_of(rank); }                ///< a rank's process row
  int col_of(int rank) const { return numbering_.col_of(rank); }                ///< a rank's process column
  int rank_of(int row, int col) const { return numbering_.rank_of(row, col); }  ///< the rank of a process

  MpiBuffers mpi_buffers() const { return mpi_buffers_; }  ///< what the constructor was given

  /// A grid on the same communicator. Local. Moving copies too: a moved-from object keeps its communicator, and can
  /// still take part in a collective call that reports its misuse.
  ProcessGrid(const ProcessGrid&) = default;
  ProcessGrid& operator=(const ProcessGrid&) = default;  ///< as the copy constructor

  // Below the public interface.

  /// A grid on a communicator whose ranks have agreed on the arguments. Local.
  ProcessGrid(std::shared_ptr<const detail::Communicator> communicator, GridNumbering numbering,
              MpiBuffers mpi_buffers);
  const detail::Communicator& communicator() const { return *communicator_; }  ///< Tessera's duplicate

 private:
  std::shared_ptr<const detail::Communicator> communicator_;
  GridNumbering numbering_;
  MpiBuffers mpi_buffers_ = MpiBuffers::automatic;
  int rank_ = 0;
};

namespace detail {
/// Throws Misuse unless `shape` is a grid of `ranks` processes.
void require_grid(const char* argument, GridShape shape, int ranks);
/// Throws Misuse unless `mpi_buffers` is one of the enumerators.
void require_mpi_buffers(MpiBuffers mpi_buffers);
/// Throws Misuse unless `order` is one of the enumerators.
void require_grid_order(const char* argument, GridOrder order);
}  // namespace detail

/// @}
}  // namespace tessera
