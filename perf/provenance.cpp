// SPDX-License-Identifier: BSD-3-Clause
#include "perf/provenance.hpp"

#include "perf/date.hpp"

#include <mpi.h>

#include <cstdlib>
#include <fstream>
#include <utility>

namespace tessera::perf {
namespace {

using Json = nlohmann::ordered_json;

std::string commit() {
  const char* const given = std::getenv("TESSERA_COMMIT");
  return given == nullptr ? "unknown" : given;
}

/// With what of the environment changes the speed.
std::string command() {
  int ranks = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  std::string text;
  for (const char* name : {"TESSERA_MPI_BUFFERS", "OPENBLAS_CORETYPE"}) {
    if (const char* const value = std::getenv(name)) text += std::string(name) + "=" + value + " ";
  }
  text += "mpirun -n " + std::to_string(ranks);
  std::ifstream words("/proc/self/cmdline");
  for (std::string word; std::getline(words, word, '\0');) text += " " + word;
  return text;
}

Json to_json(const Machine& machine) {
  Json data = {{"cpu", machine.cpu}, {"cores", machine.cores}};
  const std::pair<const char*, const std::string&> texts[] = {{"large_pages", machine.large_pages},
                                                              {"blas", machine.blas},
                                                              {"gemm_from", machine.gemm_from},
                                                              {"potrf_from", machine.potrf_from},
                                                              {"mpi", machine.mpi},
                                                              {"kokkos", machine.kokkos},
                                                              {"card", machine.card},
                                                              {"cuda", machine.cuda},
                                                              {"driver", machine.driver}};
  for (const auto& [name, text] : texts) {
    if (!text.empty()) data[name] = text;
  }
  if (machine.blas_threads > 0) data["blas_threads"] = machine.blas_threads;
  return data;
}

}  // namespace

Json provenance(const std::string& program, const Machine& machine) {
  return {{"program", program},
          {"date", utc_now()},
          {"commit", commit()},
          {"command", command()},
          {"machine", to_json(machine)}};
}

}  // namespace tessera::perf
