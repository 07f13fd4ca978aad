// SPDX-License-Identifier: BSD-3-Clause
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
inline void require(tessera_status status, std::int64_t leading_minor = 0) {
  switch (status) {
    case TESSERA_OK:
      return;
    case TESSERA_NOT_POSITIVE_DEFINITE:
      throw NotPositiveDefinite(leading_minor);
    case TESSERA_MPI_ERROR:
      throw MpiError(tessera_last_error(), MPI_ERR_OTHER);
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

inline tessera_options options(const CholeskyOptions& given) {
  tessera_options result = options(given.local_tile_size, given.grid.value_or(GridShape{}));
  result.diag_shift = given.diag_shift;
  result.on_failure = static_cast<int>(given.on_failure);
  result.triangle = static_cast<int>(given.triangle);
  result.tries = given.shifts.tries;
  result.first_shift = given.shifts.first;
  result.shift_factor = given.shifts.factor;
  result.mpi_buffers = static_cast<int>(given.mpi_buffers);
  result.arithmetic = static_cast<int>(given.arithmetic);
  result.moduli = given.moduli;
  result.bytes_free = given.bytes_free.value_or(-1);
  return result;
}

/// An operator of C++ behind one of C: `context` is the address of an A.
template <class T, class A>
int to_dense(void* context, std::int64_t first_row, const tessera_array* rows) {
  using Exec = Kokkos::DefaultExecutionSpace;
  try {
    const detail::BlockView<T, Exec> block(static_cast<T*>(rows->data), static_cast<std::size_t>(rows->rows),
                                           static_cast<std::size_t>(rows->columns));
    static_cast<A*>(context)->to_dense(Exec{}, first_row, block);
    Kokkos::fence();
    return TESSERA_OK;
  } catch (const std::bad_alloc&) {
    return TESSERA_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    tessera_set_error(e.what());
    return TESSERA_ERROR;
  }
}

/// The one call, with a View or an operator as `a`: replaces b by x, and returns the leading minor that failed, or 0.
template <class A, class B>
std::int64_t solve(MPI_Comm comm, A& a, const B& b, const CholeskyOptions& given) {
  using T = typename B::non_const_value_type;
  tessera_info info;
  tessera_info_init(&info, sizeof info);
  const tessera_options chosen = options(given);
  const tessera_array x = array(b);
  tessera_status status = TESSERA_OK;
  if constexpr (Kokkos::is_view<A>::value) {
    const tessera_array rows = array(a);
    status = tessera_cholesky_distributed(MPI_Comm_c2f(comm), &rows, &x, &chosen, &info);
  } else {
    const tessera_operator on_request{to_dense<T, A>, &a, x.scalar};
    status = tessera_cholesky_distributed_operator(MPI_Comm_c2f(comm), &on_request, &x, &chosen, &info);
  }
  require(status, info.leading_minor);
  return info.leading_minor;
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
