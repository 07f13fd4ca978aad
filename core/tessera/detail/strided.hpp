// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <tessera/detail/saturated.hpp>
#include <tessera/matrix_view.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <string>
#include <utility>

// Views of any rank and layout as a pointer, 64-bit extents and strides, which is what the compiled library takes.
namespace tessera::detail {

template <class T>
struct Strided {
  static constexpr int most_ranks = 8;

  T* data = nullptr;
  int rank = 0;
  std::int64_t extent[most_ranks] = {};
  std::int64_t stride[most_ranks] = {};

  /// How many elements it has; saturated.
  std::int64_t size() const {
    std::int64_t product = 1;
    for (int r = 0; r < rank; ++r) product = saturated_product(product, extent[r]);
    return product;
  }
  /// From the first element to behind the last one.
  std::int64_t span() const {
    std::int64_t last = 0;
    for (int r = 0; r < rank; ++r) {
      if (extent[r] == 0) return 0;
      last += (extent[r] - 1) * stride[r];
    }
    return last + 1;
  }
  /// Element k in C order.
  KOKKOS_FUNCTION T& operator[](std::int64_t k) const {
    std::int64_t offset = 0;
    for (int r = rank; r-- > 1;) {
      offset += k % extent[r] * stride[r];
      k /= extent[r];
    }
    return data[offset + k * stride[0]];
  }
};

template <class View>
Strided<typename View::value_type> strided(const View& view) {
  Strided<typename View::value_type> s;
  s.data = view.data();
  s.rank = static_cast<int>(View::rank);
  for (int r = 0; r < s.rank; ++r) {
    s.extent[r] = static_cast<std::int64_t>(view.extent(static_cast<std::size_t>(r)));
    s.stride[r] = static_cast<std::int64_t>(view.stride(static_cast<std::size_t>(r)));
  }
  return s;
}

/// The elements at `data`, with the extents and strides of `like`.
template <class T, class Like>
Strided<T> strided_as(T* data, const Strided<Like>& like) {
  Strided<T> result{data, like.rank};
  for (int r = 0; r < like.rank; ++r) {
    result.extent[r] = like.extent[r];
    result.stride[r] = like.stride[r];
  }
  return result;
}

template <class T>
Strided<const T> read_only(const Strided<T>& s) {
  return strided_as(static_cast<const T*>(s.data), s);
}

/// As many elements at `data`, one after the other in C order.
template <class T, class Like>
Strided<T> contiguous(T* data, const Strided<Like>& like) {
  Strided<T> result = strided_as(data, like);
  std::int64_t stride = 1;
  for (int r = like.rank; r-- > 0;) {
    result.stride[r] = stride;
    stride *= like.extent[r];
  }
  return result;
}

/// The transpose of a matrix; its C order is the column-major order of `s`.
template <class T>
Strided<T> transposed(Strided<T> s) {
  std::swap(s.extent[0], s.extent[1]);
  std::swap(s.stride[0], s.stride[1]);
  return s;
}

template <class T>
std::string describe(const Strided<T>& s) {
  std::string text = "a View of rank " + std::to_string(s.rank) + " with extents (";
  for (int r = 0; r < s.rank; ++r) text += (r > 0 ? ", " : "") + std::to_string(s.extent[r]);
  return text + ")";
}

/// to = from, enqueued on `exec`, which can access both.
/// @pre they have the same extents
template <class T, class Exec>
void copy_elements(const char* label, const Exec& exec, const Strided<const T>& from, const Strided<T>& to);

template <class T>
struct FillElements {
  T* to;
  T value;
  KOKKOS_FUNCTION void operator()(std::int64_t k) const { to[k] = value; }
};

/// to[0..count) = value, enqueued on `exec`: a deep_copy with a label of our own.
template <class T, class Exec>
void fill(const char* label, const Exec& exec, T* to, std::int64_t count, T value) {
  Kokkos::parallel_for(label, Kokkos::RangePolicy<Exec, Kokkos::IndexType<std::int64_t>>(exec, 0, count),
                       FillElements<T>{to, value});
}

/// `count` numbers in the memory of `Space`, as a View that does not own them.
template <class Space, class T>
auto numbers_at(T* data, std::int64_t count) {
  return Kokkos::View<T*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(data, static_cast<std::size_t>(count));
}

/// Numbers in the memory of `exec` to the host's, after all that `exec` has been given; complete when it returns.
template <class Exec, class T>
void copy_to_host(const Exec& exec, const T* from, T* to, std::int64_t count) {
  Kokkos::deep_copy(exec, numbers_at<Kokkos::HostSpace>(to, count),
                    numbers_at<typename Exec::memory_space>(from, count));
  exec.fence();
}

/// Numbers of the host's memory to that of `exec`, after all that `exec` has been given; complete when it returns.
template <class Exec, class T>
void copy_from_host(const Exec& exec, const T* from, T* to, std::int64_t count) {
  Kokkos::deep_copy(exec, numbers_at<typename Exec::memory_space>(to, count),
                    numbers_at<Kokkos::HostSpace>(from, count));
  exec.fence();
}

template <class Exec, class Space>
inline constexpr bool accessible = Kokkos::SpaceAccessibility<Exec, Space>::accessible;

/// The execution space that can always access `Space`.
template <class Space>
using HomeOf = typename Space::execution_space;

/// copy_elements from any memory space; if `exec` cannot access it, by way of a copy there that lies as `to` does,
/// whose memory, with what is between its elements, is written.
template <class Space, class T, class Exec>
void gather_from(const Exec& exec, const Strided<const T>& from, const Strided<T>& to) {
  constexpr const char* label = "tessera::solve::gather";
  if constexpr (accessible<Exec, Space>) {
    copy_elements(label, exec, from, to);
  } else {
    const Kokkos::View<T*, Space> there(Kokkos::view_alloc("tessera::gather::there", Kokkos::WithoutInitializing),
                                        static_cast<std::size_t>(to.span()));
    const HomeOf<Space> home;
    copy_elements(label, home, from, strided_as(there.data(), to));
    home.fence();
    Kokkos::deep_copy(exec, numbers_at<typename Exec::memory_space>(to.data, to.span()), there);
    exec.fence();
  }
}

/// copy_elements to any memory space; if `exec` cannot access it, by way of a copy there that lies as `from` does.
template <class Space, class T, class Exec>
void scatter_to(const Exec& exec, const Strided<const T>& from, const Strided<T>& to) {
  constexpr const char* label = "tessera::solve::scatter";
  if constexpr (accessible<Exec, Space>) {
    copy_elements(label, exec, from, to);
  } else {
    const Kokkos::View<T*, Space> there(Kokkos::view_alloc("tessera::scatter::there", Kokkos::WithoutInitializing),
                                        static_cast<std::size_t>(from.span()));
    Kokkos::deep_copy(exec, there, numbers_at<typename Exec::memory_space>(from.data, from.span()));
    exec.fence();
    const HomeOf<Space> home;
    copy_elements(label, home, strided_as(static_cast<const T*>(there.data()), from), to);
    home.fence();
  }
}

}  // namespace tessera::detail
