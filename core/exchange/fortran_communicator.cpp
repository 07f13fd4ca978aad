// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/fortran_communicator.hpp"

#include "core/exchange/communicator.hpp"

#include <cstddef>
#include <string>

namespace tessera::detail {

MPI_Comm communicator_of(int fortran_handle) {
  require_mpi();
  const MPI_Comm comm = MPI_Comm_f2c(static_cast<MPI_Fint>(fortran_handle));
  if (comm == MPI_Comm{}) throw_misuse("comm", "is no handle of a communicator, got " + std::to_string(fortran_handle));
  return comm;
}

std::string mpi_library() {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace tessera::detail
