// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/kept_grid.hpp"

#include "core/exchange/communicator.hpp"

#include <memory>

namespace tessera::detail {
namespace {

int end_grid(MPI_Comm, int, void* grid, void*) {
  delete static_cast<ProcessGrid*>(grid);
  return MPI_SUCCESS;
}

/// Of the attribute that a grid is.
int key() {
  static const int made = [] {
    int keyval = MPI_KEYVAL_INVALID;
    check(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, end_grid, &keyval, nullptr), "MPI_Comm_create_keyval");
    return keyval;
  }();
  return made;
}

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
  ProcessGrid* kept = nullptr;
  int found = 0;
  check(MPI_Comm_get_attr(theirs, key(), static_cast<void*>(&kept), &found), "MPI_Comm_get_attr");
  if (found != 0) return *kept;

  const ProcessGrid grid = row_major_grid(theirs, shape, row, col);
  const std::exception_ptr failure = exception_of([&] {
    collectively(grid.communicator(), [&] {
      auto copy = std::make_unique<ProcessGrid>(grid);
      check(MPI_Comm_set_attr(theirs, key(), copy.get()), "MPI_Comm_set_attr");
      kept = copy.release();
    });
  });
  if (failure) {
    if (kept != nullptr) MPI_Comm_delete_attr(theirs, key());  // all ranks keep it, or none
    std::rethrow_exception(failure);
  }
  return *kept;
}

}  // namespace tessera::detail
