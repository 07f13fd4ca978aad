// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/priority.hpp"
#include "tessera/detail/backends.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <memory>

#ifdef KOKKOS_ENABLE_CUDA
#include "kernels/cuda/backend.hpp"
#endif

namespace tessera::kernels {

/// All that differs between execution spaces. There is no default: a space without a specialisation does not compile,
/// nor does one that lacks a member.
///
///   is_host        Kernels run on the host's threads and have ended when their launch returns, and the host and
///                  its BLAS work on the memory. Where it is false none of that is relied on.
///   Blas           Blas(exec, workspace, handle): a BLAS on one instance, with a workspace of workspace_bytes. Its
///                  handle, slow to make, is taken from the std::shared_ptr<void> `handle`, or made there.
///   Event          A point in the work of one instance, which another one waits for, or the host asks for; it
///                  waits for neither. record(exec): after what has been enqueued so far. hold_back(exec): what is
///                  enqueued from now on, until the point last recorded, if any, is reached. done(): whether it is.
///   Instance       Instance(exec, priority): an instance beside `exec`, which exec() returns.
///   StagingSpace   The host memory from and to which copies of Exec's memory go beside the host.
///
/// The host has Kokkos and its BLAS for all else. A device has, too:
///
///   memory_bytes   memory_bytes(exec): the device's memory, whether it is free or not
///   device_number  device_number(exec): the same for ranks on one device, of whatever node, and no others
///   Blas::gemm     C = alpha op(A) op(B) + beta C; trmm_left: B = op(L) B; multiply_bytes: A^T B in planes, of bytes
///   TileKernels    columns<T>; potrf of one tile, and trsm_right and negative_trsm_right by one, in one launch
///   Cholesky       block<T>, workspace_bytes<T>; fits<T>, run<T>: A = L L^H in one launch
///   Substitution   columns_at_once<T>, workspace_bytes<T>; run<T>: L^-1 B and L^-H B in one launch, with the inverses
///                  of the blocks on L's diagonal
///
/// Their signatures are those in kernels/cuda/cublas.hpp, tile_kernels.hpp, cholesky.hpp and substitution.hpp.
template <class Exec>
struct Backend {
  static_assert(tessera::detail::require_backend<Exec>());
};

/// The host: there is one instance, and nothing to wait for.
template <class Exec>
struct HostBackend {
  static constexpr bool is_host = true;

  class Blas {
   public:
    static constexpr std::int64_t workspace_bytes = 0;
    Blas(const Exec&, void*, std::shared_ptr<void>&) {}
  };

  class Event {
   public:
    void record(const Exec&) {}
    void hold_back(const Exec&) {}
    bool done() const { return true; }
  };

  class Instance {
   public:
    Instance(const Exec& other, Priority) : exec_(other) {}
    const Exec& exec() const { return exec_; }

   private:
    Exec exec_;
  };

  using StagingSpace = Kokkos::HostSpace;
};

#ifdef KOKKOS_ENABLE_SERIAL
template <>
struct Backend<Kokkos::Serial> : HostBackend<Kokkos::Serial> {};
#endif
#ifdef KOKKOS_ENABLE_OPENMP
template <>
struct Backend<Kokkos::OpenMP> : HostBackend<Kokkos::OpenMP> {};
#endif
#ifdef KOKKOS_ENABLE_THREADS
template <>
struct Backend<Kokkos::Threads> : HostBackend<Kokkos::Threads> {};
#endif

template <class Exec>
inline constexpr bool is_host = Backend<Exec>::is_host;
template <class Exec>
using Event = typename Backend<Exec>::Event;
template <class Exec>
using InstanceBeside = typename Backend<Exec>::Instance;
template <class MemorySpace>
using StagingSpaceOf = typename Backend<typename MemorySpace::execution_space>::StagingSpace;
template <class Exec>
using TileKernels = typename Backend<Exec>::TileKernels;
template <class Exec>
using Cholesky = typename Backend<Exec>::Cholesky;
template <class Exec>
using Substitution = typename Backend<Exec>::Substitution;

}  // namespace tessera::kernels
