#pragma once

#include <Kokkos_Core.hpp>

// Work that runs side by side on a device, and its order. On the host a kernel is done when its launch returns: there
// is one instance, and nothing to wait for.
namespace tessera::kernels {

enum class Priority { ordinary, urgent };

/// An instance beside another one. Where several have kernels, those of an urgent one go first.
template <class Exec>
class InstanceBeside {
 public:
  InstanceBeside(const Exec& other, Priority) : exec_(other) {}
  const Exec& exec() const { return exec_; }

 private:
  Exec exec_;
};

/// A point in the work of one instance, which another one waits for, or the host asks for; it waits for neither.
template <class Exec>
class Event {
 public:
  void record(const Exec&) {}     ///< after what has been enqueued so far
  void hold_back(const Exec&) {}  ///< what is enqueued from now on, until the point last recorded, if any, is reached
  bool done() const { return true; }  ///< whether the point last recorded, if any, is reached
};

namespace detail {
template <class MemorySpace>
struct Pinned {
  using Space = Kokkos::HostSpace;
};
#ifdef KOKKOS_ENABLE_CUDA
template <>
struct Pinned<Kokkos::CudaSpace> {
  using Space = Kokkos::CudaHostPinnedSpace;
};
#endif
}  // namespace detail

/// The host memory from and to which copies of `MemorySpace` go beside the host.
template <class MemorySpace>
using PinnedFor = typename detail::Pinned<MemorySpace>::Space;

#ifdef KOKKOS_ENABLE_CUDA
template <>
class InstanceBeside<Kokkos::Cuda> {
 public:
  InstanceBeside(const Kokkos::Cuda& other, Priority priority);
  const Kokkos::Cuda& exec() const { return exec_; }

 private:
  class Stream {
   public:
    explicit Stream(Priority priority);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    cudaStream_t get() const { return stream_; }

   private:
    cudaStream_t stream_ = nullptr;
  };
  Stream stream_;  // which ends after exec_
  Kokkos::Cuda exec_;
};

template <>
class Event<Kokkos::Cuda> {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Kokkos::Cuda& exec);
  void hold_back(const Kokkos::Cuda& exec);
  bool done() const;

 private:
  cudaEvent_t event_ = nullptr;
};
#endif

}  // namespace tessera::kernels
