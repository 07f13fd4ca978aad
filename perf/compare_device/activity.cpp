// SPDX-License-Identifier: BSD-3-Clause
#include "perf/compare_device/activity.hpp"

#include <cupti.h>
#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace tessera::perf {
namespace {

// Of the layouts of a record the oldest that CUDA 12 has: newer ones begin like it.
using KernelRecord = CUpti_ActivityKernel9;
using CopyRecord = CUpti_ActivityMemcpy5;
using PeerCopyRecord = CUpti_ActivityMemcpyPtoP4;

struct Record {
  std::string name;
  std::uint32_t stream;
  std::uint64_t begin;
  std::uint64_t end;
};
std::vector<Record> records;  // callbacks are bare functions

void check(CUptiResult result, const char* call) {
  if (result == CUPTI_SUCCESS) return;
  const char* text = "";
  cuptiGetResultString(result, &text);
  throw std::runtime_error(std::string(call) + " failed: " + text);
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : name;
}

constexpr std::size_t buffer_bytes = std::size_t{1} << 22;
constexpr std::size_t alignment = 8;

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* bytes, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(alignment, buffer_bytes));
  *bytes = *buffer == nullptr ? 0 : buffer_bytes;
  *most_records = 0;
}

void CUPTIAPI take_buffer(CUcontext, std::uint32_t, std::uint8_t* buffer, std::size_t, std::size_t bytes) {
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, bytes, &record) == CUPTI_SUCCESS) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      const auto* kernel = reinterpret_cast<const KernelRecord*>(record);
      records.push_back({demangled(kernel->name), kernel->streamId, kernel->start, kernel->end});
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      const auto* copy = reinterpret_cast<const CopyRecord*>(record);
      records.push_back({"copy", copy->streamId, copy->start, copy->end});
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY2) {
      const auto* copy = reinterpret_cast<const PeerCopyRecord*>(record);
      records.push_back({"copy", copy->streamId, copy->start, copy->end});
    }
  }
  std::free(buffer);
}

constexpr CUpti_ActivityKind kinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY,
                                        CUPTI_ACTIVITY_KIND_MEMCPY2};

}  // namespace

void Activity::start() {
  records.clear();
  check(cuptiActivityRegisterCallbacks(give_buffer, take_buffer), "cuptiActivityRegisterCallbacks");
  for (const CUpti_ActivityKind kind : kinds) check(cuptiActivityEnable(kind), "cuptiActivityEnable");
}

std::vector<Activity::Event> Activity::stop() {
  for (const CUpti_ActivityKind kind : kinds) check(cuptiActivityDisable(kind), "cuptiActivityDisable");
  check(cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "cuptiActivityFlushAll");
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) { return a.begin < b.begin; });
  std::vector<Event> events;
  for (const Record& r : records) {
    const auto seconds = [](std::uint64_t since) { return static_cast<double>(since - records.front().begin) / 1e9; };
    events.push_back({r.name, r.stream, seconds(r.begin), seconds(r.end)});
  }
  records.clear();
  return events;
}

}  // namespace tessera::perf
