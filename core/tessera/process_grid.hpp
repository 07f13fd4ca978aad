#pragma once

#include <tessera/detail/agreement.hpp>

#include <memory>

namespace tessera {

/// The shape of a process grid.
struct GridShape {
  int rows = 0;
  int cols = 0;

  friend bool operator==(const GridShape&, const GridShape&) = default;
};

/// How device memory reaches MPI: as pointers that it is handed, or through host memory. automatic: as pointers where
/// the MPI says that it takes them (MPIX_Query_cuda_support). direct is for an MPI that takes them and does not say so;
/// with one that doesn't take them the program crashes. TESSERA_MPI_BUFFERS=direct or =staged in the environment has
/// the last word.
enum class MpiBuffers { automatic, direct, staged };

/// The most nearly square grid of `ranks` processes; the taller one, rows >= cols.
GridShape nearly_square(int ranks);

/// A `rows x cols` grid over all ranks of a communicator: rank = process row * cols + process column.
///
/// The constructors are collective over `comm`, which they duplicate: no message of Tessera's travels on the user's
/// own, and it may be freed at once. Copies share the duplicate; the last one frees it. Throws std::invalid_argument,
/// on every rank, unless rows, cols >= 1 and rows * cols is the size of `comm`.
class ProcessGrid {
 public:
  /// The most nearly square grid.
  explicit ProcessGrid(MPI_Comm comm, MpiBuffers mpi_buffers = MpiBuffers::automatic);
  ProcessGrid(MPI_Comm comm, GridShape shape, MpiBuffers mpi_buffers = MpiBuffers::automatic);
  ProcessGrid(MPI_Comm comm, int rows, int cols, MpiBuffers mpi_buffers = MpiBuffers::automatic)
      : ProcessGrid(comm, GridShape{rows, cols}, mpi_buffers) {}

  GridShape shape() const { return shape_; }
  int rows() const { return shape_.rows; }
  int cols() const { return shape_.cols; }
  int size() const { return rows() * cols(); }

  int rank() const { return rank_; }
  int row() const { return rank_ / cols(); }  ///< this rank's process row
  int col() const { return rank_ % cols(); }  ///< this rank's process column
  int rank_of(int row, int col) const { return row * cols() + col; }

  MpiBuffers mpi_buffers() const { return mpi_buffers_; }

  // Moving is copying: what is moved from keeps its communicator, and can still take part in finding a mistake.
  ProcessGrid(const ProcessGrid&) = default;
  ProcessGrid& operator=(const ProcessGrid&) = default;

  // Below the public interface: the communicator, and a grid on one whose users have agreed on the shape already.
  ProcessGrid(std::shared_ptr<const detail::Communicator> communicator, GridShape shape, MpiBuffers mpi_buffers);
  const detail::Communicator& communicator() const { return *communicator_; }

 private:
  std::shared_ptr<const detail::Communicator> communicator_;
  GridShape shape_;
  MpiBuffers mpi_buffers_ = MpiBuffers::automatic;
  int rank_ = 0;
};

namespace detail {
/// Throws Misuse unless `shape` is a grid of `ranks` processes.
void require_grid(const char* argument, GridShape shape, int ranks);
/// Throws Misuse unless it is one of the three.
void require_mpi_buffers(MpiBuffers mpi_buffers);
}  // namespace detail

}  // namespace tessera
