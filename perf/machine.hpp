// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace tessera::perf {

/// Where something is measured. A text is empty where there is no such thing or nobody says.
struct Machine {
  std::string cpu;
  int cores = 1;            ///< that this process may use
  std::string large_pages;  ///< the system's setting of transparent huge pages: always, madvise or never
  int blas_threads = 0;     ///< 0: the BLAS does not say
  std::string blas;         ///< its own description, where it is OpenBLAS
  std::string gemm_from;    ///< the file that gemm really comes from
  std::string potrf_from;   ///< the same of potrf
  std::string mpi;
  std::string kokkos;
  std::string card;  ///< the GPU, if there is one
  std::string cuda;
  std::string driver;
};

Machine this_machine();

/// Programs that run or wish to, over the last minute.
double load_average();

}  // namespace tessera::perf
