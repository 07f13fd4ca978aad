// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <memory>

namespace tessera::kernels {

/// An execution-space instance with a BLAS handle of its own.
template <class Exec>
class Queue {
 public:
  using Blas = typename Backend<Exec>::Blas;

  static constexpr std::int64_t workspace_bytes = Blas::workspace_bytes;

  /// `workspace`, of workspace_bytes, and `handle` are for this queue alone.
  Queue(const Exec& exec, void* workspace, std::shared_ptr<void>& handle)
      : exec_(exec), blas_(exec, workspace, handle) {}

  const Exec& exec() const { return exec_; }
  const Blas& blas() const { return blas_; }

 private:
  Exec exec_;
  Blas blas_;
};

}  // namespace tessera::kernels
