// SPDX-License-Identifier: BSD-3-Clause
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
  copy_to_host<Exec, std::int64_t>(exec, failing.data(), &minor, 1);
  return minor;
}

}  // namespace tessera::detail
