// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/kept_grid.hpp"

#include "core/exchange/attribute.hpp"
#include "core/exchange/communicator.hpp"

#include <memory>

namespace tessera::detail {
namespace {

/// Whatever order the ranks of `comm` have, those of the result are row-major.
ProcessGrid row_major_grid(MPI_Comm comm, GridShape shape, int row, int col) {
  MPI_Comm ordered = MPI_COMM_NULL;
  check(MPI_Comm_split(comm, 0, row * shape.cols + col, &ordered), "MPI_Comm_split");
  const auto free = [](MPI_Comm* c) { MPI_Comm_free(c); };
  const std::unique_ptr<MPI_Comm, decltype(free)> freed(&ordered, free);  // the grid has a duplicate
  return {ordered, shape};
}

}  // namespace

const ProcessGrid& kept_grid(MPI_Fint comm, GridShape shape, int row, int col) {
  const MPI_Comm theirs = MPI_Comm_f2c(comm);
  using Kept = Attribute<ProcessGrid>;
  ProcessGrid* kept = Kept::of(theirs);
  if (kept != nullptr) return *kept;

  const ProcessGrid grid = row_major_grid(theirs, shape, row, col);
  const std::exception_ptr failure =
      exception_of([&] { collectively(grid.communicator(), [&] { kept = Kept::set(theirs, grid); }); });
  if (failure) {
    if (kept != nullptr) Kept::remove(theirs);  // all ranks keep it, or none
    std::rethrow_exception(failure);
  }
  return *kept;
}

}  // namespace tessera::detail
