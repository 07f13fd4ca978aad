// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "perf/dataset_name.hpp"

#include <tessera/options.hpp>

#include <mpi.h>

#include <string>

namespace tessera::perf {

/// A x = b in HDF5 files, as tessera-solve is asked for it.
struct FileSettings {
  DatasetName matrix;
  DatasetName rhs;
  DatasetName out;
  std::string scalar;  ///< that A and b must have; empty: any
  std::string json;
  CholeskyOptions options;
};

/// Collective. Solves, writes x, and says how fast and how accurately. The file of x is there when all has gone well,
/// and not otherwise.
void solve_files(MPI_Comm comm, const FileSettings& settings);

}  // namespace tessera::perf
