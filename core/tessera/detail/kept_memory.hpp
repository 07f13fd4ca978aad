#pragma once

#include <tessera/detail/memory.hpp>

#include <Kokkos_Core.hpp>

#include <memory>
#include <typeindex>
#include <typeinfo>

namespace tessera::detail {

/// A call's Memory, of whatever memory space the last call had, kept for the next one. A copy starts empty.
class KeptMemory {
 public:
  KeptMemory() = default;
  KeptMemory(const KeptMemory&) noexcept {}
  KeptMemory& operator=(const KeptMemory&) noexcept { return *this; }
  ~KeptMemory() {
    // Kokkos has no way to free a View any more.
    if (kept_ && !Kokkos::is_initialized()) new std::shared_ptr<void>(std::move(kept_));
  }

  void clear() noexcept { kept_.reset(); }

  /// The memory, as long as a call has it: another call meanwhile finds none.
  template <class MemorySpace>
  class Loan {
   public:
    explicit Loan(KeptMemory& from) : from_(from) {
      if (from.kept_ && from.space_ == typeid(MemorySpace))
        memory_ = std::static_pointer_cast<Memory<MemorySpace>>(from.kept_);
      from.kept_.reset();
      if (!memory_) memory_ = std::make_shared<Memory<MemorySpace>>();
    }
    ~Loan() {
      from_.kept_ = std::move(memory_);
      from_.space_ = typeid(MemorySpace);
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;

    Memory<MemorySpace>& operator*() const { return *memory_; }

   private:
    KeptMemory& from_;
    std::shared_ptr<Memory<MemorySpace>> memory_;
  };

 private:
  std::shared_ptr<void> kept_;
  std::type_index space_ = typeid(void);
};

}  // namespace tessera::detail
