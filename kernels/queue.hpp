#pragma once

#include "kernels/vendor_blas.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::kernels {

/// Whether the host can work on what `Exec` keeps in its memory: then the host's BLAS does.
template <class Exec>
inline constexpr bool on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Exec::memory_space>::accessible;

/// An execution-space instance, and what the kernels that are enqueued on it use in turn: a BLAS handle and a
/// workspace.
template <class Exec>
class Queue {
 public:
  using memory_space = typename Exec::memory_space;

  /// With as much workspace as the kernels to be enqueued say that they need.
  explicit Queue(const Exec& exec, void* workspace = nullptr) : exec_(exec), blas_(exec), workspace_(workspace) {}

  const Exec& exec() const { return exec_; }
  const VendorBlas<Exec>& blas() const { return blas_; }

  /// Uninitialised memory, the same for each kernel in turn.
  template <class T>
  T* workspace() const {
    return static_cast<T*>(workspace_);
  }

 private:
  Exec exec_;
  VendorBlas<Exec> blas_;
  void* workspace_;
};

}  // namespace tessera::kernels
