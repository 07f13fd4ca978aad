#include "kernels/instances.hpp"

#ifdef KOKKOS_ENABLE_CUDA

#include "kernels/cuda/launch.hpp"

namespace tessera::kernels {

InstanceBeside<Kokkos::Cuda>::Stream::Stream(Priority priority) {
  int least = 0;
  int greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, priority == Priority::urgent ? greatest : least),
        "cudaStreamCreateWithPriority");
}

InstanceBeside<Kokkos::Cuda>::Stream::~Stream() { cudaStreamDestroy(stream_); }

InstanceBeside<Kokkos::Cuda>::InstanceBeside(const Kokkos::Cuda&, Priority priority)
    : stream_(priority), exec_(stream_.get()) {}

Event<Kokkos::Cuda>::Event() {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}

Event<Kokkos::Cuda>::~Event() { cudaEventDestroy(event_); }

void Event<Kokkos::Cuda>::record(const Kokkos::Cuda& exec) {
  check(cudaEventRecord(event_, exec.cuda_stream()), "cudaEventRecord");
}

void Event<Kokkos::Cuda>::hold_back(const Kokkos::Cuda& exec) {
  check(cudaStreamWaitEvent(exec.cuda_stream(), event_, 0), "cudaStreamWaitEvent");
}

bool Event<Kokkos::Cuda>::done() const {
  const cudaError_t code = cudaEventQuery(event_);
  if (code == cudaErrorNotReady) {
    cudaGetLastError();  // or the next one who asks for an error is told of this
    return false;
  }
  check(code, "cudaEventQuery");
  return true;
}

}  // namespace tessera::kernels

#endif
