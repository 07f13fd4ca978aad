// SPDX-License-Identifier: BSD-3-Clause
#include "core/exchange/communicator.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <new>
#include <string_view>

namespace tessera::detail {
namespace {

enum class Fault : std::int64_t { misuse, bad_alloc, other };

/// What an exception is to the other ranks. The text lives as long as the exception.
struct Report {
  Fault fault = Fault::other;
  std::string_view message;
};

Report report(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Misuse& e) {
    return {Fault::misuse, e.what()};
  } catch (const std::bad_alloc& e) {
    return {Fault::bad_alloc, e.what()};
  } catch (const std::exception& e) {
    return {Fault::other, e.what()};
  } catch (...) {
    return {Fault::other, "an exception that is no std::exception"};
  }
}

bool is_interruption(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const Interrupted&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Collective. The text of `root`. It comes in pieces that need no memory: a rank that has none for the whole throws
/// when all pieces have been passed on.
std::string broadcast(const Communicator& communicator, std::string_view mine, int root) {
  auto size = static_cast<std::int64_t>(mine.size());
  communicator.broadcast(&size, sizeof size, root);
  std::string text;
  const std::exception_ptr no_memory = exception_of([&] { text.resize(static_cast<std::size_t>(size)); });
  char piece[1024];
  for (std::int64_t done = 0; done < size; done += std::int64_t{sizeof piece}) {
    const std::int64_t count = std::min(size - done, std::int64_t{sizeof piece});
    if (communicator.rank() == root) std::copy_n(mine.data() + done, count, piece);
    communicator.broadcast(piece, count, root);
    if (!no_memory) std::copy_n(piece, count, text.data() + done);
  }
  if (no_memory) std::rethrow_exception(no_memory);
  return text;
}

constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();

/// Collective, where `lowest` is the lowest rank with an exception: all throw.
[[noreturn]] void raise_everywhere(const Communicator& communicator, const std::exception_ptr& mine, int lowest) {
  // Kernels that are enqueued work in memory that is about to be freed, or lent to the next call.
  exception_of([] {
    if (Kokkos::is_initialized()) Kokkos::fence();
  });
  communicator.receive_the_rest();
  Report theirs = mine ? report(mine) : Report{};
  communicator.broadcast(&theirs.fault, sizeof theirs.fault, lowest);
  std::string message;
  const std::exception_ptr no_memory = exception_of([&] { message = broadcast(communicator, theirs.message, lowest); });
  if (mine) std::rethrow_exception(mine);
  if (no_memory) std::rethrow_exception(no_memory);
  if (theirs.fault == Fault::misuse) throw Misuse(message);
  if (theirs.fault == Fault::bad_alloc) throw std::bad_alloc();
  throw std::runtime_error(message);
}

// FNV-1a, made positive so that its negative exists.
std::int64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return static_cast<std::int64_t>(h >> 1);
}

/// Takes the first line off `text`.
std::string next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return std::string(line);
}

/// Throws Misuse for the first argument that is another one, or has another value, than on rank 0.
void compare(int rank, std::string_view mine, std::string_view theirs) {
  const auto differs = [rank](const std::string& argument, const std::string& here, const std::string& there) {
    throw_misuse(argument,
                 "the ranks disagree: rank " + std::to_string(rank) + " has " + here + ", rank 0 has " + there);
  };
  while (!mine.empty() && !theirs.empty()) {
    const std::string argument = next_line(mine);
    const std::string value = next_line(mine);
    const std::string their_argument = next_line(theirs);
    const std::string their_value = next_line(theirs);
    if (argument != their_argument) differs(argument, argument + " = " + value, their_argument + " = " + their_value);
    if (value != their_value) differs(argument, value, their_value);
  }
  if (!mine.empty()) {
    const std::string argument = next_line(mine);
    differs(argument, next_line(mine), "none");
  }
  if (!theirs.empty()) {
    const std::string argument = next_line(theirs);
    differs(argument, "none", next_line(theirs));
  }
}

}  // namespace

void throw_misuse(const std::string& argument, const std::string& what) { throw Misuse(argument + ": " + what); }

void require_kokkos() {
  if (!Kokkos::is_initialized()) throw_misuse("exec", "Kokkos is not initialised, or is finalised already");
}

// Always the same reduction, so that ranks that are at different places meet in it, and learn that they are.
void settle(const Communicator& communicator, const std::exception_ptr& mine, const std::string& record) {
  require_mpi();
  const std::int64_t h = hash(record);
  std::int64_t values[3] = {mine ? communicator.rank() : nobody, h, -h};
  communicator.all_reduce_min(values, 3);
  if (values[0] != nobody) raise_everywhere(communicator, mine, static_cast<int>(values[0]));
  if (values[1] == -values[2]) return;
  const std::exception_ptr difference =
      exception_of([&] { compare(communicator.rank(), record, broadcast(communicator, record, 0)); });
  settle(communicator, difference);
}

void conclude(const Communicator& communicator, const std::exception_ptr& mine) {
  const bool is_own = mine && !is_interruption(mine);
  if (is_own) communicator.interrupt_others();
  settle(communicator, is_own ? mine : nullptr);
}

void Agreement::same(const char* argument, const std::string& value) {
  ((record_ += argument) += '\n') += value;
  record_ += '\n';
}

void Agreement::same(const char* argument, double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value + 0.);  // -0.0 is 0.0
  same(argument, std::string(text));
}

}  // namespace tessera::detail
