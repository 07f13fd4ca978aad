// SPDX-License-Identifier: BSD-3-Clause
#include "perf/timeline.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstddef>

namespace tessera::perf {
namespace {

namespace tools = Kokkos::Tools::Experimental;

// Callbacks are bare functions.
Timeline* recording = nullptr;
tools::EventSet before;

}  // namespace

Timeline::Timeline() {
  // As much as will be needed, so that no allocation is timed: a large factorisation has some ten thousand regions.
  names_.reserve(64);
  spans_.reserve(std::size_t{1} << 16);
  open_.reserve(64);
  recording = this;
  before = tools::get_callbacks();
  tools::set_push_region_callback(push);
  tools::set_pop_region_callback(pop);
  start_ = Clock::now();
}

Timeline::~Timeline() {
  tools::set_push_region_callback(before.push_region);
  tools::set_pop_region_callback(before.pop_region);
  recording = nullptr;
}

std::vector<Timeline::Event> Timeline::events() const {
  const auto seconds = [this](Clock::time_point t) {
    return static_cast<double>(std::chrono::nanoseconds(t - start_).count()) / 1e9;
  };
  std::vector<Event> events;
  for (const Span& span : spans_) {
    if (span.end == Clock::time_point{}) continue;
    events.push_back({names_[span.name], seconds(span.begin), seconds(span.end), span.depth});
  }
  return events;
}

void Timeline::push(const char* name) {
  if (before.push_region) before.push_region(name);
  Timeline& t = *recording;
  t.open_.push_back(t.spans_.size());
  t.spans_.push_back({t.index_of(name), static_cast<int>(t.open_.size()) - 1, Clock::now(), {}});
}

void Timeline::pop() {
  const auto now = Clock::now();
  Timeline& t = *recording;
  if (!t.open_.empty()) {  // else the region is older than this
    t.spans_[t.open_.back()].end = now;
    t.open_.pop_back();
  }
  if (before.pop_region) before.pop_region();
}

/// There are few names, and many of each.
std::size_t Timeline::index_of(const char* name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  const auto index = static_cast<std::size_t>(found - names_.begin());
  if (found == names_.end()) names_.emplace_back(name);
  return index;
}

}  // namespace tessera::perf
