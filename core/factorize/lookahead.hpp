// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "kernels/backend.hpp"
#include "kernels/queue.hpp"
#include "tessera/detail/memory.hpp"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace tessera::detail {

/// What factors block columns while the device updates others, and the order of both, which the device keeps alone. At
/// most two of this rank's steps may be factored and not yet taken over: a step's update takes over all but the newest.
template <class Exec>
class Lookahead {
 public:
  /// Goes on from where `updates` is by now. The queues are panels and, if it has a workspace, what updates the lower
  /// half of the rows. `packs`: whether rows of L are packed for others meanwhile.
  Lookahead(const Exec& updates, const OfQueues<char*>& workspaces, OfQueues<std::shared_ptr<void>>& handles,
            bool packs)
      : updates_(updates),
        urgent_(updates, kernels::Priority::urgent),
        panels_(urgent_.exec(), workspaces.panels, handles.panels) {
    kernels::Event<Exec> begun;
    begun.record(updates);
    begun.hold_back(panels_.exec());
    if (workspaces.lower_updates != nullptr) {
      lower_.emplace(updates, kernels::Priority::ordinary);
      lower_updates_.emplace(lower_->exec(), workspaces.lower_updates, handles.lower_updates);
      begun.hold_back(lower_->exec());
    }
    if (packs) {
      packing_.emplace(updates, kernels::Priority::urgent);
      begun.hold_back(packing_->exec());
    }
  }

  kernels::Queue<Exec>& panels() { return panels_; }
  bool has_lower_updates() const { return lower_updates_.has_value(); }
  kernels::Queue<Exec>& lower_updates() { return *lower_updates_; }
  const Exec& packing() const { return packing_->exec(); }

  /// This rank's step number `i` is factored by what the panels have to do by now.
  void factored(std::int64_t i) { factored_[i % 2].record(panels_.exec()); }

  /// From now on updates, and what is packed, have it.
  void take_over(std::int64_t i) {
    factored_[i % 2].hold_back(updates_);
    if (lower_) factored_[i % 2].hold_back(lower_->exec());
    if (packing_) factored_[i % 2].hold_back(packing_->exec());
  }

  /// From now on updates have what has been packed so far.
  void packed() {
    packed_.record(packing_->exec());
    packed_.hold_back(updates_);
    if (lower_) packed_.hold_back(lower_->exec());
  }

 private:
  Exec updates_;
  kernels::InstanceBeside<Exec> urgent_;
  kernels::Queue<Exec> panels_;
  std::optional<kernels::InstanceBeside<Exec>> lower_;
  std::optional<kernels::Queue<Exec>> lower_updates_;
  std::optional<kernels::InstanceBeside<Exec>> packing_;
  kernels::Event<Exec> packed_;
  kernels::Event<Exec> factored_[2];
};

}  // namespace tessera::detail
