// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "failing.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <new>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

// What fails by way of Kokkos's tools.
namespace tessera::testing {

inline Failing view;    ///< allocations of Views
inline Failing kernel;  ///< launches

inline void on_allocation(Kokkos_Profiling_SpaceHandle, const char* label, const void*, std::uint64_t) {
  if (!std::string_view(label).starts_with("tessera::") || !view.now()) return;
  view.label = label;
  throw std::bad_alloc();
}

/// Not a std::bad_alloc: Kokkos throws a std::runtime_error where a device has an error.
inline void on_kernel(const char* label, std::uint32_t, std::uint64_t*) {
  if (!std::string_view(label).starts_with("tessera::") || !kernel.now()) return;
  kernel.label = label;
  throw std::runtime_error("this kernel has an error");
}

/// What fails while it lives.
class Armed {
 public:
  Armed(Failing& what, int number) : what_(what) {
    what_.failed = false;
    what_.label.clear();
    what_.label.reserve(200);
    // With tools Kokkos allocates in destructors, too, and ends the program where that fails.
    if (&what_ != &heap) {
      Kokkos::Tools::Experimental::set_allocate_data_callback(on_allocation);
      Kokkos::Tools::Experimental::set_begin_parallel_for_callback(on_kernel);
    }
    what_.left = number;
  }
  ~Armed() {
    what_.left = 0;
    Kokkos::Tools::Experimental::set_allocate_data_callback(nullptr);
    Kokkos::Tools::Experimental::set_begin_parallel_for_callback(nullptr);
  }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

 private:
  Failing& what_;
};

/// Whether Kokkos frees a View without taking from the heap. Its version 5 does not.
inline bool frees_without_heap() {
  constexpr int many = 1000;
  std::optional<Kokkos::View<char*>> freed(std::in_place, "a label that is too long to be part of its string", 8);
  heap.left = many;
  freed.reset();
  return std::exchange(heap.left, 0) == many;
}

}  // namespace tessera::testing
