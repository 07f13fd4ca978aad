// SPDX-License-Identifier: BSD-3-Clause
#include "failing.hpp"

#include <cstdlib>
#include <new>

tessera::testing::Failing tessera::testing::heap;

// In a file of its own: a compiler that sees both sides inlines them, and then warns of a malloc that is freed.
namespace {
void* allocate(std::size_t size) {
  void* const memory = tessera::testing::heap.now() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

// nvcc takes these to be of the device, too, and there nothing can be thrown.
void* operator new(std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
