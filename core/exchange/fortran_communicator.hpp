// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include <string>

namespace tessera::detail {

/// The communicator that Fortran, and so C and Python, know by this handle. Throws Misuse unless MPI is running.
MPI_Comm communicator_of(int fortran_handle);

/// What MPI_Get_library_version says; MPI need not be initialised.
std::string mpi_library();

}  // namespace tessera::detail
