// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/process_grid.hpp"

#include "core/exchange/communicator.hpp"

#include <optional>
#include <string>
#include <utility>

namespace tessera {

GridShape nearly_square(int ranks) {
  int cols = 1;
  for (int c = 2; c <= ranks / c; ++c) {
    if (ranks % c == 0) cols = c;
  }
  return {ranks / cols, cols};
}

namespace detail {

void require_grid(const char* argument, GridShape shape, int ranks) {
  const std::string value = std::to_string(shape.rows) + " x " + std::to_string(shape.cols);
  if (shape.rows < 1 || shape.cols < 1) {
    throw_misuse(argument, "rows and cols of the process grid must be at least 1, got " + value);
  }
  if (static_cast<std::int64_t>(shape.rows) * shape.cols != ranks) {
    throw_misuse(argument, value + " is not a grid of the communicator's " + std::to_string(ranks) + " ranks");
  }
}

void require_mpi_buffers(MpiBuffers mpi_buffers) {
  if (mpi_buffers != MpiBuffers::automatic && mpi_buffers != MpiBuffers::direct && mpi_buffers != MpiBuffers::staged) {
    throw_misuse("mpi_buffers",
                 "must be automatic, direct or staged, got " + std::to_string(static_cast<int>(mpi_buffers)));
  }
}

void require_grid_order(const char* argument, GridOrder order) {
  if (order != GridOrder::row_major && order != GridOrder::column_major) {
    throw_misuse(argument, "must be row_major or column_major, got " + std::to_string(static_cast<int>(order)));
  }
}

}  // namespace detail

namespace {

ProcessGrid agreed_grid(std::shared_ptr<const detail::Communicator> communicator, std::optional<GridShape> asked,
                        MpiBuffers mpi_buffers, GridOrder order) {
  const GridShape shape = asked.value_or(nearly_square(communicator->size()));
  detail::agree(*communicator, "ProcessGrid", [&](detail::Agreement& agreement) {
    detail::require_grid("grid", shape, communicator->size());
    detail::require_mpi_buffers(mpi_buffers);
    detail::require_grid_order("order", order);
    agreement.same("grid rows", shape.rows);
    agreement.same("grid cols", shape.cols);
    agreement.same("mpi_buffers", static_cast<int>(mpi_buffers));
    agreement.same("order", static_cast<int>(order));
  });
  return {std::move(communicator), {shape, order}, mpi_buffers};
}

}  // namespace

ProcessGrid::ProcessGrid(MPI_Comm comm, MpiBuffers mpi_buffers, GridOrder order)
    : ProcessGrid(agreed_grid(detail::duplicate(comm), std::nullopt, mpi_buffers, order)) {}

ProcessGrid::ProcessGrid(MPI_Comm comm, GridShape shape, MpiBuffers mpi_buffers, GridOrder order)
    : ProcessGrid(agreed_grid(detail::duplicate(comm), shape, mpi_buffers, order)) {}

ProcessGrid::ProcessGrid(std::shared_ptr<const detail::Communicator> communicator, GridNumbering numbering,
                         MpiBuffers mpi_buffers)
    : communicator_(std::move(communicator)),
      numbering_(numbering),
      mpi_buffers_(mpi_buffers),
      rank_(communicator_->rank()) {}

}  // namespace tessera
