// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cuda/streams.hpp"

#include "kernels/cuda/launch.hpp"

namespace tessera::kernels {

CudaInstance::Stream::Stream(Priority priority) {
  int least = 0;
  int greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, priority == Priority::urgent ? greatest : least),
        "cudaStreamCreateWithPriority");
}

CudaInstance::Stream::~Stream() { cudaStreamDestroy(stream_); }

CudaInstance::CudaInstance(const Kokkos::Cuda&, Priority priority) : stream_(priority), exec_(stream_.get()) {}

CudaEvent::CudaEvent() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags"); }

CudaEvent::~CudaEvent() { cudaEventDestroy(event_); }

void CudaEvent::record(const Kokkos::Cuda& exec) {
  check(cudaEventRecord(event_, exec.cuda_stream()), "cudaEventRecord");
}

void CudaEvent::hold_back(const Kokkos::Cuda& exec) {
  check(cudaStreamWaitEvent(exec.cuda_stream(), event_, 0), "cudaStreamWaitEvent");
}

bool CudaEvent::done() const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) {
    cudaGetLastError();  // or the next one who asks for an error is told of this
    return false;
  }
  check(code, "cudaEventQuery");
  return true;
}

}  // namespace tessera::kernels
