// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/priority.hpp"

#include <Kokkos_Core.hpp>

// Work that runs side by side on a GPU, and its order: what Backend's Instance and Event are.
namespace tessera::kernels {

class CudaInstance {
 public:
  CudaInstance(const Kokkos::Cuda& other, Priority priority);
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

class CudaEvent {
 public:
  CudaEvent();
  ~CudaEvent();
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  void record(const Kokkos::Cuda& exec);
  void hold_back(const Kokkos::Cuda& exec);
  bool done() const;

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace tessera::kernels
