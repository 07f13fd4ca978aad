// SPDX-License-Identifier: BSD-3-Clause
#include "perf/machine.hpp"

#include <dlfcn.h>
#include <mpi.h>
#include <sched.h>
#include <Kokkos_Core.hpp>

#include <cstdlib>
#include <fstream>

namespace tessera::perf {
namespace {

/// The first line of a file that begins so, without that and what separates it from the rest.
std::string line_of(const char* file, const std::string& begin) {
  std::ifstream text(file);
  for (std::string line; std::getline(text, line);) {
    if (line.rfind(begin, 0) != 0) continue;
    const auto rest = line.find_first_not_of(" \t:", begin.size());
    return rest == std::string::npos ? "" : line.substr(rest);
  }
  return "";
}

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// Of "always [madvise] never" what is in brackets.
std::string chosen(const std::string& choices) {
  const auto open = choices.find('[');
  const auto close = choices.find(']');
  return open == std::string::npos || close == std::string::npos ? "" : choices.substr(open + 1, close - open - 1);
}

/// A function of whatever library this process has loaded, or null.
template <class Function>
Function* loaded(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

std::string file_of(const char* function) {
  Dl_info info;
  void* const address = dlsym(RTLD_DEFAULT, function);
  return address != nullptr && dladdr(address, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string version(text, static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

std::string version(int number, int major, int minor) {
  return std::to_string(number / major) + "." + std::to_string(number % major / minor);
}

}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cpu = line_of("/proc/cpuinfo", "model name");
  machine.cores = usable_cores();
  machine.large_pages = chosen(line_of("/sys/kernel/mm/transparent_hugepage/enabled", ""));
  if (const auto threads = loaded<int()>("openblas_get_num_threads")) machine.blas_threads = threads();
  if (const auto config = loaded<char*()>("openblas_get_config")) machine.blas = config();
  machine.gemm_from = file_of("dgemm_");
  machine.potrf_from = file_of("dpotrf_");
  machine.mpi = mpi_version();
  machine.kokkos = version(KOKKOS_VERSION, 10000, 100);
#ifdef KOKKOS_ENABLE_CUDA
  cudaDeviceProp properties{};
  int device = 0;
  if (cudaGetDevice(&device) == cudaSuccess && cudaGetDeviceProperties(&properties, device) == cudaSuccess) {
    machine.card = properties.name;
  }
  int runtime = 0;
  if (cudaRuntimeGetVersion(&runtime) == cudaSuccess) machine.cuda = version(runtime, 1000, 10);
  machine.driver = line_of("/proc/driver/nvidia/version", "NVRM version");
#endif
  return machine;
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

}  // namespace tessera::perf
