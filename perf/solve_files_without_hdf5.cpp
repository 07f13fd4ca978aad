// SPDX-License-Identifier: BSD-3-Clause
#include "perf/program.hpp"
#include "perf/solve_files.hpp"

namespace tessera::perf {

void solve_files(MPI_Comm, const FileSettings&) {
  throw UsageError("--matrix: this tessera-solve was built without HDF5");
}

}  // namespace tessera::perf
