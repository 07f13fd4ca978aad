#pragma once

#include <string>

namespace tessera::perf {

/// Where something was measured.
struct Machine {
  std::string date;  ///< UTC
  std::string cpu;
  int cores = 1;
  int blas_threads = 0;    ///< 0: the BLAS does not say
  std::string blas;        ///< its own description, where it is OpenBLAS
  std::string gemm_from;   ///< the file that gemm really comes from
  std::string potrf_from;  ///< the same of potrf
  std::string mpi;
};

Machine this_machine();

/// Programs that run or wish to, over the last minute.
double load_average();

}  // namespace tessera::perf
