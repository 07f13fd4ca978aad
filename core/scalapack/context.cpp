// SPDX-License-Identifier: BSD-3-Clause
#include "core/scalapack/context.hpp"

#include "core/exchange/kept_grid.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace tessera::scalapack {

void* behind(const char* name) noexcept {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "tessera_scalapack: there is no %s behind this library; it must be loaded before ScaLAPACK\n",
                 name);
    std::_Exit(127);
  }
  return found;
}

Context::Context(int number_) noexcept : number(number_) {
  using Gridinfo = void(const int*, int*, int*, int*, int*);
  static Gridinfo* const gridinfo = behind<Gridinfo>("blacs_gridinfo_");
  gridinfo(&number, &shape.rows, &shape.cols, &row, &col);
}

const ProcessGrid& Context::grid() const {
  using Get = void(const int*, const int*, int*);
  static Get* const get = behind<Get>("blacs_get_");
  constexpr int communicator_of_context = 10;
  int communicator = 0;
  get(&number, &communicator_of_context, &communicator);
  return detail::kept_grid(communicator, shape, row, col);
}

}  // namespace tessera::scalapack
