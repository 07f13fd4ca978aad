#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

// How a rank works beside its messages, without a thread of its own.
namespace tessera::detail {

/// Tasks in order, each held up until what it waits for is there.
class Program {
 public:
  /// Appends a task that runs as soon as those before it have run, and `ready()` holds.
  void when(std::function<bool()> ready, std::function<void()> run) {
    tasks_.push_back({std::move(ready), std::move(run)});
  }
  void then(std::function<void()> run) { when(nullptr, std::move(run)); }

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

/// Runs programs 0..count-1, as make(i, slot) gives them, at most `slots` at a time: a slot is granted in order, when
/// the program that had it and all before it are finished. Each time the first program that can go on runs one task;
/// before that, `progress()` finds out which messages are done, and where no program can go on, `wait()` may wait for
/// one.
template <class Make, class Progress, class Wait>
void run_programs(std::int64_t count, int slots, const Make& make, const Progress& progress, const Wait& wait) {
  std::deque<Program> active;
  for (std::int64_t next = 0;;) {
    while (!active.empty() && active.front().finished()) active.pop_front();
    while (next < count && static_cast<int>(active.size()) < slots) {
      active.push_back(make(next, static_cast<int>(next % slots)));
      ++next;
    }
    if (active.empty()) return;
    progress();
    const bool went_on = std::any_of(active.begin(), active.end(), [](Program& program) { return program.advance(); });
    if (!went_on && !active.front().finished()) wait();
  }
}

}  // namespace tessera::detail
