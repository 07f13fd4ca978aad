// SPDX-License-Identifier: BSD-3-Clause
#include "core/c/arguments.hpp"
#include "core/c/errors.hpp"
#include "core/start_kokkos.hpp"
#include "tessera/version.hpp"

#include <cstdio>
#include <limits>
#include <new>
#include <stdexcept>
#include <utility>

namespace tessera::c {
namespace {

thread_local char last_error[2048] = "";

/// Whether tessera_finalize is to finalise Kokkos.
bool is_ours = false;

}  // namespace

tessera_status report() noexcept {
  const auto as = [](tessera_status status, const char* text) {
    tessera_set_error(text);
    return status;
  };
  try {
    throw;
  } catch (const NotPositiveDefinite& e) {
    return as(TESSERA_NOT_POSITIVE_DEFINITE, e.what());
  } catch (const std::invalid_argument& e) {
    return as(TESSERA_INVALID_ARGUMENT, e.what());
  } catch (const std::bad_alloc& e) {
    return as(TESSERA_OUT_OF_MEMORY, e.what());
  } catch (const MpiError& e) {
    return as(TESSERA_MPI_ERROR, e.what());
  } catch (const std::exception& e) {
    return as(TESSERA_ERROR, e.what());
  } catch (...) {
    return as(TESSERA_ERROR, "an exception that is no std::exception");
  }
}

void require_ok(const char* name, int status) {
  if (status == TESSERA_OK) return;
  if (status == TESSERA_OUT_OF_MEMORY) throw std::bad_alloc();
  if (last_error[0] != '\0') throw std::runtime_error(last_error);
  throw std::runtime_error(std::string(name) + " returned " + std::to_string(status));
}

}  // namespace tessera::c

using namespace tessera;
using namespace tessera::c;

void tessera_options_init(tessera_options* options, size_t size) {
  const tessera_options defaults{size,
                                 0,
                                 0,
                                 0,
                                 0,
                                 TESSERA_RAISE,
                                 TESSERA_LOWER,
                                 1,
                                 TESSERA_MPI_BUFFERS_AUTOMATIC,
                                 0,
                                 10,
                                 TESSERA_NATIVE,
                                 0,
                                 TESSERA_DEFAULT_SPACE,
                                 0,
                                 nullptr,
                                 nullptr,
                                 -1};
  std::copy_n(reinterpret_cast<const char*>(&defaults), std::min(size, sizeof defaults),
              reinterpret_cast<char*>(options));
}

void tessera_info_init(tessera_info* info, size_t size) {
  tessera_info nothing{};
  nothing.size = size;
  nothing.log_determinant = std::numeric_limits<double>::quiet_NaN();
  std::copy_n(reinterpret_cast<const char*>(&nothing), std::min(size, sizeof nothing), reinterpret_cast<char*>(info));
}

const char* tessera_version(void) { return tessera::version(); }

const char* tessera_mpi_library(void) {
  static const std::string text = detail::exception_of([] { detail::mpi_library(); }) ? "" : detail::mpi_library();
  return text.c_str();
}

int tessera_has_device(void) {
#ifdef KOKKOS_ENABLE_CUDA
  return 1;
#else
  return 0;
#endif
}

tessera_status tessera_initialize(int device) {
  return guarded([device] { is_ours = detail::start_kokkos("tessera_initialize", device) || is_ours; });
}

tessera_status tessera_finalize(void) {
  return guarded([] {
    if (std::exchange(is_ours, false) && Kokkos::is_initialized()) Kokkos::finalize();
  });
}

const char* tessera_last_error(void) { return last_error; }

void tessera_set_error(const char* text) {
  if (text == last_error) return;
  std::snprintf(last_error, sizeof last_error, "%s", text == nullptr ? "" : text);
}

tessera_status tessera_copy(const tessera_array* from, const tessera_array* to) {
  return guarded([&] {
    detail::require_kokkos();
    require_array("from", from);
    require_array("to", to);
    if (from->rows != to->rows || from->columns != to->columns || from->scalar != to->scalar) {
      detail::throw_misuse("to", "must have the extents and the scalar of from, " + std::to_string(from->rows) + " x " +
                                     std::to_string(from->columns) + " of " + std::to_string(from->scalar) + ", got " +
                                     std::to_string(to->rows) + " x " + std::to_string(to->columns) + " of " +
                                     std::to_string(to->scalar));
    }
    with_scalar(from->scalar, [&]<class T>() {
      const Default exec;
      const Kokkos::View<T**, Default::memory_space> between(
          Kokkos::view_alloc("tessera::copy", Kokkos::WithoutInitializing), static_cast<std::size_t>(from->rows),
          static_cast<std::size_t>(from->columns));
      with_memory(from->memory, [&]<class Space>() {
        const auto source = detail::read_only(detail::strided(array_view<T, Space>(*from)));
        detail::gather_from<Space, T>(exec, source, detail::strided(between));
      });
      with_memory(to->memory, [&]<class Space>() {
        detail::scatter_to<Space, T>(exec, detail::read_only(detail::strided(between)),
                                     detail::strided(array_view<T, Space>(*to)));
      });
      exec.fence();
    });
  });
}
