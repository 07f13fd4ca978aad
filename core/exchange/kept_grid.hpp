// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/process_grid.hpp"

#include <mpi.h>

namespace tessera::detail {

/// Collective over a communicator of Fortran's: the grid of its ranks of which this one is at (row, col). It is made
/// once and kept with the communicator: it ends when that is freed.
/// @throws Misuse on every rank, unless the communicator has as many ranks as the grid
const ProcessGrid& kept_grid(MPI_Fint comm, GridShape shape, int row, int col);

}  // namespace tessera::detail
