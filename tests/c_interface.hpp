#pragma once

#include "support.hpp"

#include <tessera/tessera.h>

#include <cstdint>
#include <new>
#include <stdexcept>
#include <type_traits>

// The C interface for tests in C++: what is in c_test beside, in C, needs no more than a program in C has.
namespace tessera::testing::c {

/// Throws what a status stands for.
inline void require(tessera_status status) {
  switch (status) {
    case TESSERA_OK:
      return;
    case TESSERA_INVALID_ARGUMENT:
      throw std::invalid_argument(tessera_last_error());
    case TESSERA_OUT_OF_MEMORY:
      throw std::bad_alloc();
    default:
      throw std::runtime_error(tessera_last_error());
  }
}

template <class View>
tessera_array array(const View& view, int by_rows = 0) {
  using T = typename View::non_const_value_type;
  constexpr bool is_real = std::is_floating_point_v<T>;
  constexpr bool is_single = std::is_same_v<detail::RealOf<T>, float>;
  constexpr int scalar = is_real     ? is_single ? TESSERA_FLOAT : TESSERA_DOUBLE
                         : is_single ? TESSERA_COMPLEX_FLOAT
                                     : TESSERA_COMPLEX_DOUBLE;
  constexpr bool on_host = std::is_same_v<typename View::memory_space, Kokkos::HostSpace>;
  constexpr bool is_matrix = View::rank == 2;
  return {view.data(),
          static_cast<std::int64_t>(view.extent(0)),
          is_matrix ? static_cast<std::int64_t>(view.extent(1)) : 1,
          static_cast<std::int64_t>(view.stride(0)),
          is_matrix ? static_cast<std::int64_t>(view.stride(1)) : 1,
          scalar,
          on_host ? TESSERA_HOST_MEMORY : TESSERA_DEVICE_MEMORY,
          by_rows};
}

inline tessera_options options(std::int64_t tile, GridShape grid = {}) {
  tessera_options result;
  tessera_options_init(&result, sizeof result);
  result.local_tile_size = tile;
  result.grid_rows = grid.rows;
  result.grid_cols = grid.cols;
  return result;
}

/// A factor that ends with its scope.
struct Factor {
  tessera_factor* handle = nullptr;
  Factor() = default;
  Factor(const Factor&) = delete;
  Factor& operator=(const Factor&) = delete;
  ~Factor() { tessera_factor_free(handle); }
};

}  // namespace tessera::testing::c
