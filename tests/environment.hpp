// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

// The environment variables that Tessera reads.
namespace tessera::testing {

/// Sets a variable of the environment, or removes it, for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* text = std::getenv(name)) before_ = text;
    set(value);
  }
  ~Variable() { set(before_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      setenv(name_, value->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

  const char* name_;
  std::optional<std::string> before_;
};

inline constexpr const char* largest_message = "TESSERA_MPI_LARGEST_MESSAGE";
inline constexpr const char* buffers = "TESSERA_MPI_BUFFERS";

}  // namespace tessera::testing
