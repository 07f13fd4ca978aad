#include "perf/compare_host/machine.hpp"

#include "perf/compare_host/fortran.hpp"
#include "perf/date.hpp"

#include <dlfcn.h>
#include <mpi.h>
#include <sched.h>

#include <cstdlib>
#include <fstream>

extern "C" {
[[gnu::weak]] char* openblas_get_config();
[[gnu::weak]] int openblas_get_num_threads();
}

namespace tessera::perf {
namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::string file_of(void* function) {
  Dl_info info;
  return dladdr(function, &info) != 0 && info.dli_fname ? info.dli_fname : "unknown";
}

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string version(text, static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.date = utc_now();
  machine.cpu = cpu_name();
  machine.cores = usable_cores();
  if (openblas_get_num_threads) machine.blas_threads = openblas_get_num_threads();
  machine.blas = openblas_get_config ? openblas_get_config() : "unknown";
  machine.gemm_from = file_of(reinterpret_cast<void*>(&dgemm_));
  machine.potrf_from = file_of(reinterpret_cast<void*>(&dpotrf_));
  machine.mpi = mpi_version();
  return machine;
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

}  // namespace tessera::perf
