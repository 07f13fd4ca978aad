#pragma once

#include "kernels/instances.hpp"
#include "kernels/queue.hpp"

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
  /// Goes on from where `updates` is by now. `packs`: whether rows of L are packed for others meanwhile.
  Lookahead(const Exec& updates, void* workspace, std::shared_ptr<void>& handle, bool packs)
      : updates_(updates), urgent_(updates), panels_(urgent_.exec(), workspace, handle) {
    kernels::Event<Exec> begun;
    begun.record(updates);
    begun.hold_back(panels_.exec());
    if (!packs) return;
    packing_.emplace(updates);
    begun.hold_back(packing_->exec());
  }

  kernels::Queue<Exec>& panels() { return panels_; }
  const Exec& packing() const { return packing_->exec(); }

  /// This rank's step number `i` is factored by what the panels have to do by now.
  void factored(std::int64_t i) { factored_[i % 2].record(panels_.exec()); }

  /// From now on updates, and what is packed, have it.
  void take_over(std::int64_t i) {
    factored_[i % 2].hold_back(updates_);
    if (packing_) factored_[i % 2].hold_back(packing_->exec());
  }

  /// From now on updates have what has been packed so far.
  void packed() {
    packed_.record(packing_->exec());
    packed_.hold_back(updates_);
  }

 private:
  Exec updates_;
  kernels::UrgentInstance<Exec> urgent_;
  kernels::Queue<Exec> panels_;
  std::optional<kernels::UrgentInstance<Exec>> packing_;
  kernels::Event<Exec> packed_;
  kernels::Event<Exec> factored_[2];
};

}  // namespace tessera::detail
