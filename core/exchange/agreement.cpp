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

struct Report {
  Fault fault;
  std::string message;
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

[[noreturn]] void raise(const Report& report) {
  switch (report.fault) {
    case Fault::misuse:
      throw Misuse(report.message);
    case Fault::bad_alloc:
      throw std::bad_alloc();
    default:
      throw std::runtime_error(report.message);
  }
}

std::string broadcast(const Communicator& communicator, std::string text, int root) {
  auto size = static_cast<std::int64_t>(text.size());
  communicator.broadcast(&size, sizeof size, root);
  text.resize(static_cast<std::size_t>(size));
  communicator.broadcast(text.data(), size, root);
  return text;
}

constexpr std::int64_t nobody = std::numeric_limits<std::int64_t>::max();

/// Collective, where `lowest` is the lowest rank with an exception: all throw.
[[noreturn]] void raise_everywhere(const Communicator& communicator, const std::exception_ptr& mine, int lowest) {
  Report theirs = mine ? report(mine) : Report{};
  communicator.broadcast(&theirs.fault, sizeof theirs.fault, lowest);
  theirs.message = broadcast(communicator, theirs.message, lowest);
  if (mine) std::rethrow_exception(mine);
  raise(theirs);
}

// FNV-1a, made positive so that its negative exists.
std::int64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ULL;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return static_cast<std::int64_t>(h >> 1);
}

}  // namespace

void throw_misuse(const std::string& argument, const std::string& what) { throw Misuse(argument + ": " + what); }

void require_kokkos() {
  if (!Kokkos::is_initialized()) throw_misuse("exec", "Kokkos is not initialised, or is finalised already");
}

void settle(const Communicator& communicator, const std::exception_ptr& mine) {
  std::int64_t lowest = mine ? communicator.rank() : nobody;
  communicator.all_reduce_min(&lowest, 1);
  if (lowest != nobody) raise_everywhere(communicator, mine, static_cast<int>(lowest));
}

void Agreement::same(std::string argument, double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  same(std::move(argument), std::string(text));
}

void Agreement::settle(const Communicator& communicator) const {
  require_mpi();
  std::string text;
  for (const auto& [argument, value] : record_) text += argument + '\n' + value + '\n';
  const std::int64_t h = hash(text);
  std::int64_t values[3] = {fault_.kept() ? communicator.rank() : nobody, h, -h};
  communicator.all_reduce_min(values, 3);
  if (values[0] != nobody) raise_everywhere(communicator, fault_.kept(), static_cast<int>(values[0]));
  if (values[1] == -values[2]) return;

  // The ranks disagree: each compares its own arguments with those of rank 0.
  std::string_view first = text = broadcast(communicator, text, 0);
  const auto next_line = [&first] {
    const auto line = first.substr(0, first.find('\n'));
    first.remove_prefix(std::min(line.size() + 1, first.size()));
    return std::string(line);
  };
  detail::settle(communicator, [&]() -> std::exception_ptr {
    const auto differs = [&](const std::string& argument, const std::string& mine, const std::string& theirs) {
      return std::make_exception_ptr(Misuse(argument + ": the ranks disagree: rank " +
                                            std::to_string(communicator.rank()) + " has " + mine + ", rank 0 has " +
                                            theirs));
    };
    for (const auto& [argument, value] : record_) {
      const std::string name = next_line();
      const std::string theirs = next_line();
      if (name != argument) return differs(argument, argument + " = " + value, name + " = " + theirs);
      if (theirs != value) return differs(argument, value, theirs);
    }
    if (first.empty()) return nullptr;
    const std::string name = next_line();
    return differs(name, "none", next_line());
  }());
}

}  // namespace tessera::detail
