// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "core/exchange/fortran_communicator.hpp"
#include "tessera/cholesky_distributed.hpp"
#include "tessera/tessera.h"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// What the C interface is called with, as arguments of the C++ interface.
namespace tessera::c {

/// Throws Misuse unless `size` is that of a `Struct`, as it is or as it was when it had fewer members.
void require_size(const char* argument, std::size_t size, std::size_t most);

/// What `given` has, and the defaults of what it lacks.
/// @param given may be null
template <class Struct>
Struct complete(const char* argument, const Struct* given, void (*init)(Struct*, std::size_t)) {
  Struct all;
  init(&all, sizeof all);
  if (given == nullptr) return all;
  require_size(argument, given->size, sizeof all);
  std::copy_n(reinterpret_cast<const char*>(given), given->size, reinterpret_cast<char*>(&all));
  return all;
}

CholeskyOptions options_of(const tessera_options& options);
/// 0 x 0 leaves the shape to the library.
std::optional<GridShape> grid_of(int rows, int cols);

void require_scalar(const std::string& argument, int scalar);
void require_space(int space);
/// Throws Misuse unless it is 0 or 1.
bool flag_of(const std::string& argument, int value);

/// Throws Misuse unless all that can be seen of the array alone is right. What a device has been given to do is then
/// done, as it may write the array.
void require_array(const char* argument, const tessera_array* array);

/// Throws Misuse unless `info` is null or initialised.
void require_info(const tessera_info* info);
/// @param to may be null
void write_info(const CholeskyInfo& info, tessera_info* to);

/// Runs `work`. Where it throws NotPositiveDefinite, `info`, which may be null, gets the leading minor.
template <class Work>
void noting_minor(tessera_info* info, const Work& work) {
  if (info != nullptr) {
    const auto shifts = info->shifts;
    tessera_info_init(info, info->size);
    info->shifts = shifts;
  }
  try {
    work();
  } catch (const NotPositiveDefinite& e) {
    if (info != nullptr) info->leading_minor = e.leading_minor();
    throw;
  }
}

/// body.operator()<T>() with a scalar that require_scalar has let pass.
template <class Body>
void with_scalar(int scalar, const Body& body) {
  switch (scalar) {
    case TESSERA_FLOAT:
      return body.template operator()<float>();
    case TESSERA_COMPLEX_DOUBLE:
      return body.template operator()<Kokkos::complex<double>>();
    case TESSERA_COMPLEX_FLOAT:
      return body.template operator()<Kokkos::complex<float>>();
    default:
      return body.template operator()<double>();
  }
}

template <class T>
inline constexpr int scalar_of = std::is_same_v<T, double>                    ? TESSERA_DOUBLE
                                 : std::is_same_v<T, float>                   ? TESSERA_FLOAT
                                 : std::is_same_v<T, Kokkos::complex<double>> ? TESSERA_COMPLEX_DOUBLE
                                                                              : TESSERA_COMPLEX_FLOAT;

using Host = Kokkos::DefaultHostExecutionSpace;
/// Where Tessera has no backend for Kokkos's default, it works on the host.
using Default =
    std::conditional_t<detail::has_backend<Kokkos::DefaultExecutionSpace>, Kokkos::DefaultExecutionSpace, Host>;

/// body.operator()<Exec>() with the execution space of what require_space has let pass.
template <class Body>
void with_space(int space, const Body& body) {
  if (space == TESSERA_HOST_SPACE) return body.template operator()<Host>();
  return body.template operator()<Default>();
}

/// body.operator()<MemorySpace>() with the memory space of an array that require_array has let pass.
template <class Body>
void with_memory([[maybe_unused]] int memory, const Body& body) {
#ifdef KOKKOS_ENABLE_CUDA
  if (memory == TESSERA_DEVICE_MEMORY) return body.template operator()<Kokkos::CudaSpace>();
#endif
  body.template operator()<Kokkos::HostSpace>();
}

template <class T, class Space>
using ArrayView = Kokkos::View<T**, Kokkos::LayoutStride, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

template <class T, class Space>
ArrayView<T, Space> array_view(const tessera_array& array) {
  const auto stride_of = [](std::int64_t extent, std::int64_t stride, std::int64_t other_extent, std::int64_t other) {
    return static_cast<std::size_t>(
        extent > 1 ? stride : detail::saturated_product(std::max<std::int64_t>(1, other_extent), other));
  };
  // The stride of a single row or column says nothing: any may stand there.
  const std::int64_t column_stride = array.columns > 1 ? array.column_stride : 1;
  const std::size_t rows_apart = stride_of(array.rows, array.row_stride, array.columns, column_stride);
  const std::size_t columns_apart =
      stride_of(array.columns, column_stride, array.rows, static_cast<std::int64_t>(rows_apart));
  return ArrayView<T, Space>(static_cast<T*>(array.data),
                             Kokkos::LayoutStride(static_cast<std::size_t>(array.rows), rows_apart,
                                                  static_cast<std::size_t>(array.columns), columns_apart));
}

/// A: rows, or an operator.
struct Matrix {
  const tessera_array* rows = nullptr;
  const tessera_operator* on_request = nullptr;
  bool is_operator = false;

  /// Throws Misuse unless all that can be seen of it alone is right.
  void require() const;
  int scalar() const { return is_operator ? on_request->scalar : rows->scalar; }
};

/// Has the caller's operator write rows.
void call_to_dense(const tessera_operator& a, std::int64_t first_row, const tessera_array& rows);

/// A C operator as one of the C++ interface.
template <class T>
struct Operator {
  tessera_operator a;

  template <class Exec>
  void to_dense(const Exec& exec, std::int64_t first_row, const detail::BlockView<T, Exec>& rows) const {
    constexpr bool on_host = detail::accessible<Host, typename Exec::memory_space>;
    exec.fence();  // what is enqueued may still read the rows that were there before
    call_to_dense(a, first_row,
                  {rows.data(), static_cast<std::int64_t>(rows.extent(0)), static_cast<std::int64_t>(rows.extent(1)),
                   static_cast<std::int64_t>(rows.stride(0)), static_cast<std::int64_t>(rows.stride(1)), scalar_of<T>,
                   on_host ? TESSERA_HOST_MEMORY : TESSERA_DEVICE_MEMORY, 0});
  }
};

/// b in the caller's memory, which x replaces.
template <class T, bool by_rows>
struct RightHandSides {
  tessera_array array;
};

/// For its extents: where b is, Tree knows.
template <class T, bool by_rows>
ArrayView<T, Kokkos::HostSpace> view_of(const RightHandSides<T, by_rows>& b) {
  return array_view<T, Kokkos::HostSpace>(b.array);
}

/// Collective, and the first thing that a call does: after check() on each rank, a duplicate of the communicator.
template <class Check>
std::shared_ptr<const detail::Communicator> begin(int comm, const char* operation, const Check& check) {
  auto communicator = detail::duplicate(detail::communicator_of(comm));
  detail::agree(*communicator, operation, [&](detail::Agreement&) {
    detail::require_kokkos();
    check();
  });
  return communicator;
}

}  // namespace tessera::c

namespace tessera::detail {

template <class T>
inline constexpr bool is_by_rows<c::RightHandSides<T, true>> = true;
template <class T, bool by_rows>
inline constexpr bool is_one_view<c::RightHandSides<T, by_rows>> = true;

template <class T, bool by_rows>
inline constexpr bool is_replaced<c::RightHandSides<T, by_rows>> = true;

template <class T, bool by_rows>
struct Tree<c::RightHandSides<T, by_rows>> {
  using Scalar = T;
  using Solution = c::RightHandSides<T, by_rows>;

  template <class Body>
  static void for_each(const Solution& b, const Body& body) {
    c::with_memory(b.array.memory, [&]<class Space>() { body(c::array_view<T, Space>(b.array)); });
  }
  template <class Body>
  static Solution map(const Solution& b, const Body&) {
    return b;
  }
  static std::string describe(const Solution& b) {
    const auto s = strided(view_of(b));
    return by_rows ? describe_rows(s, false) : detail::describe(s);
  }
};

template <class T, class Exec>
struct MatrixSource<const c::Matrix, T, Exec> {
  using OfOperator = MatrixSource<const c::Operator<T>, T, Exec>;

  static void describe(Agreement& agreement, const c::Matrix& a, std::int64_t n) {
    if (a.is_operator) {
      const c::Operator<T> on_request{*a.on_request};
      return OfOperator::describe(agreement, on_request, n);
    }
    const auto rows = c::array_view<T, Kokkos::HostSpace>(*a.rows);
    MatrixSource<const std::remove_const_t<decltype(rows)>, T, Exec>::describe(agreement, rows, n);
  }

  static std::int64_t bytes_held(const c::Matrix& a) {
    std::int64_t bytes = 0;
    if (!a.is_operator) {
      c::with_memory(a.rows->memory, [&]<class Space>() {
        bytes = bytes_held_by<typename Exec::memory_space>(c::array_view<T, Space>(*a.rows));
      });
    }
    return bytes;
  }

  static void take_in(const Exec& exec, const c::Matrix& a, ShardedMatrix<T, typename Exec::memory_space>& matrix,
                      double diag_shift, Triangle triangle, Memory<typename Exec::memory_space>& memory) {
    if (a.is_operator) {
      const c::Operator<T> on_request{*a.on_request};
      return OfOperator::take_in(exec, on_request, matrix, diag_shift, triangle, memory);
    }
    BlockSource<T> source;
    collectively(matrix.grid().communicator(), [&] {
      c::with_memory(a.rows->memory,
                     [&]<class Space>() { source = view_source<T>(exec, c::array_view<T, Space>(*a.rows)); });
    });
    redistribute_rows(exec, source, matrix, diag_shift, triangle, memory);
  }
};

}  // namespace tessera::detail
