#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace tessera {

/// Thrown, on every rank alike, when A has no Cholesky factor.
class NotPositiveDefinite : public std::runtime_error {
 public:
  explicit NotPositiveDefinite(std::int64_t leading_minor)
      : std::runtime_error("the matrix is not positive definite: its leading minor of order " +
                           std::to_string(leading_minor) + " is not"),
        leading_minor_(leading_minor) {}

  /// The order, counted from 1, of the first leading minor that is not positive definite (LAPACK's potrf: info).
  std::int64_t leading_minor() const noexcept { return leading_minor_; }

 private:
  std::int64_t leading_minor_;
};

/// Thrown on the rank whose MPI call failed; what() names the call and gives MPI's own text.
class MpiError : public std::runtime_error {
 public:
  MpiError(const std::string& what, int code) : std::runtime_error(what), code_(code) {}

  /// The MPI error code.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

}  // namespace tessera
