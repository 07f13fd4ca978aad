#pragma once

#include "kernels/vendor_blas.hpp"

#include <Kokkos_Core.hpp>

#include <memory>

namespace tessera::kernels {

/// Whether the host can work on what `Exec` keeps in its memory: then the host's BLAS does.
template <class Exec>
inline constexpr bool on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Exec::memory_space>::accessible;

/// An execution-space instance with a BLAS handle of its own.
template <class Exec>
class Queue {
 public:
  /// `workspace`: VendorBlas<Exec>::workspace_bytes; it and `handle` are for this queue alone.
  Queue(const Exec& exec, void* workspace, std::shared_ptr<void>& handle)
      : exec_(exec), blas_(exec, workspace, handle) {}

  const Exec& exec() const { return exec_; }
  const VendorBlas<Exec>& blas() const { return blas_; }

 private:
  Exec exec_;
  VendorBlas<Exec> blas_;
};

}  // namespace tessera::kernels
