#pragma once

#include "kernels/potrf.hpp"
#include "tessera/detail/strided.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace tessera::detail {

template <class Exec>
void set_no_failure(const Exec& exec, const kernels::FailingMinor<Exec>& failing) {
  fill("tessera::factorize::no_failure", exec, failing.data(), 1, kernels::no_failure);
}

/// What `failing` says when all that is enqueued is done.
template <class Exec>
std::int64_t failing_minor(const Exec& exec, const kernels::FailingMinor<Exec>& failing) {
  std::int64_t minor = 0;
  Kokkos::deep_copy(exec, numbers_at<Kokkos::HostSpace>(&minor, 1),
                    numbers_at<typename Exec::memory_space>(failing.data(), 1));
  exec.fence();
  return minor;
}

}  // namespace tessera::detail
