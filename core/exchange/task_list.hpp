// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

// How a rank works beside its messages, without a thread of its own.
namespace tessera::detail {

/// Tasks that run one after the other, each when what it waits for is there. Writing the list runs none of them.
class TaskList {
 public:
  /// Appends a task that runs as soon as those before it have run, and `ready()` holds.
  void when(std::function<bool()> ready, std::function<void()> run) {
    tasks_.push_back({std::move(ready), std::move(run)});
  }
  void then(std::function<void()> run) { when(nullptr, std::move(run)); }
  void wait_for(std::function<bool()> ready) {
    when(std::move(ready), [] {});
  }

  bool finished() const { return tasks_.empty(); }

  /// Runs the next task, if there is one and it is ready; whether it did.
  bool advance() {
    if (finished() || (tasks_.front().ready && !tasks_.front().ready())) return false;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task.run();
    return true;
  }

 private:
  struct Task {
    std::function<bool()> ready;
    std::function<void()> run;
  };
  std::deque<Task> tasks_;
};

/// Writes and runs task lists 0..count-1, at most `slots` at a time: write(i, slot) gives list i when a slot is granted
/// to it, which happens in order, as soon as the list that had the slot and all before that are finished. Each time the
/// first list that can go on runs one task; before that, `progress()` finds out which messages are done, and where no
/// list can go on, `wait()` may wait for one.
template <class Write, class Progress, class Wait>
void run_task_lists(std::int64_t count, int slots, const Write& write, const Progress& progress, const Wait& wait) {
  std::deque<TaskList> active;
  for (std::int64_t next = 0;;) {
    while (!active.empty() && active.front().finished()) active.pop_front();
    while (next < count && static_cast<int>(active.size()) < slots) {
      active.push_back(write(next, static_cast<int>(next % slots)));
      ++next;
    }
    if (active.empty()) return;
    progress();
    const bool went_on = std::any_of(active.begin(), active.end(), [](TaskList& list) { return list.advance(); });
    if (!went_on && !active.front().finished()) wait();
  }
}

}  // namespace tessera::detail
