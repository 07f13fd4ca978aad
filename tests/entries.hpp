// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "c_interface.hpp"
#include "calls.hpp"
#include "jacobians.hpp"
#include "operators.hpp"

#include <cstdint>
#include <functional>
#include <iterator>
#include <ostream>
#include <utility>

// Every way to have A x = b solved, so that a fault can be tried on each.
namespace tessera::testing {

/// A(i, j) = f(i, j) as rows, from an operator, twice with one object, by redistribute and the pieces, by fill and the
/// pieces, by fill and append, by the C interface.
enum class Entry { rows, op, object, pieces, fill, append, c };
inline constexpr Entry entries[] = {Entry::rows, Entry::op,     Entry::object, Entry::pieces,
                                    Entry::fill, Entry::append, Entry::c};
inline std::ostream& operator<<(std::ostream& out, Entry entry) {
  static constexpr const char* names[] = {"rows", "operator", "object", "pieces", "fill", "append", "C"};
  return out << names[static_cast<int>(entry)];
}

/// The Gram matrix of J(s, k) = f(s, k): J is a View, an operator, twice given to one object, or given to add_gram.
enum class GramEntry { view, op, object, pieces };
inline constexpr GramEntry gram_entries[] = {GramEntry::view, GramEntry::op, GramEntry::object, GramEntry::pieces};
inline std::ostream& operator<<(std::ostream& out, GramEntry entry) {
  static constexpr const char* names[] = {"Gram of a View", "Gram of an operator", "Gram to an object", "add_gram"};
  return out << names[static_cast<int>(entry)];
}

/// What is the same for every entry. `before(call)` is run first in each call of an operator.
template <class T>
struct Question {
  using B = Kokkos::View<T**, Kokkos::LayoutLeft>;
  MPI_Comm comm;
  B b;
  CholeskyOptions options = {.local_tile_size = 5};  ///< its tile size is positive
  std::function<void(std::size_t call)> before = {};
  Shards shards = even_shards(static_cast<std::int64_t>(b.extent(0)), size_of(comm));  ///< of rows or samples

  std::int64_t n() const { return static_cast<std::int64_t>(b.extent(0)); }
  /// With memory for its last rows, if these are to come later.
  ShardedMatrix<T> matrix(std::int64_t appended = 0) const {
    const ProcessGrid grid(comm, options.grid.value_or(nearly_square(size_of(comm))));
    return ShardedMatrix<T>(grid, n() - appended, options.local_tile_size, 0, appended);
  }
};

/// n x nrhs of noise, to be solved for on `comm`.
template <class T>
Question<T> question(MPI_Comm comm, std::int64_t n, std::int64_t nrhs = 1) {
  const typename Question<T>::B b("b", static_cast<std::size_t>(n), static_cast<std::size_t>(nrhs));
  Question<T> result{comm, b};
  set_noise(result.b, 2);
  return result;
}

/// The leading minor that failed, as a value or by exception, or 0; x where there is one.
template <class T>
struct Answer {
  std::int64_t leading_minor = 0;
  HostMatrix<T> x = {};
};

template <class T, class Call>
Answer<T> answer_of(const Call& call) {
  try {
    return call();
  } catch (const NotPositiveDefinite& e) {
    return {e.leading_minor()};
  }
}

template <class T, class Call>
Answer<T> one_call(const Call& call) {
  return answer_of<T>([&]() -> Answer<T> {
    const auto [x, info] = call();
    return {info.leading_minor, to_host(x)};
  });
}

/// `appended`: the last rows, if `a` is without them.
template <class T>
Answer<T> factorize_and_solve(ShardedMatrix<T>&& a, const Question<T>& q, const Kokkos::View<T**>& appended = {}) {
  return answer_of<T>([&]() -> Answer<T> {
    const typename Question<T>::B x("x", q.b.extent(0), q.b.extent(1));
    Kokkos::deep_copy(x, q.b);
    const Kokkos::DefaultExecutionSpace exec;
    auto l = factorize(exec, std::move(a));
    if (appended.size() > 0) l.append(exec, appended);
    l.solve(exec, x);
    return {0, to_host(x)};
  });
}

/// A(i, j) = f(i, j), without the shift and the triangle of q's options where it is filled.
template <class T, class F>
Answer<T> answer(Entry entry, const Question<T>& q, const F& f) {
  const auto rows = [&q](const auto& g) {
    return make_samples<Kokkos::View<T**>>(q.shards, rank_in(q.comm), q.n(), g);
  };
  switch (entry) {
    case Entry::rows:
      return one_call<T>([&] { return cholesky_distributed(q.comm, rows(f), q.b, q.options); });
    case Entry::op: {
      Operator<F> a{f, q.before};
      return one_call<T>([&] { return cholesky_distributed(q.comm, a, q.b, q.options); });
    }
    case Entry::object: {
      const CholeskyDistributed solver{q.comm, q.options};
      one_call<T>([&] { return solver(rows(Dominant<T>{q.n()}), q.b); });
      Operator<F> a{f, q.before};
      return q.before ? one_call<T>([&] { return solver(a, q.b); }) : one_call<T>([&] { return solver(rows(f), q.b); });
    }
    case Entry::pieces: {
      ShardedMatrix<T> a = q.matrix();
      Operator<F> op{f, q.before};
      if (q.before) {
        redistribute(Kokkos::DefaultExecutionSpace{}, op, a, q.options.diag_shift, q.options.triangle);
      } else {
        redistribute(Kokkos::DefaultExecutionSpace{}, rows(f), a, q.options.diag_shift, q.options.triangle);
      }
      return factorize_and_solve(std::move(a), q);
    }
    case Entry::fill: {
      ShardedMatrix<T> a = q.matrix();
      a.fill(Kokkos::DefaultExecutionSpace{}, f);
      return factorize_and_solve(std::move(a), q);
    }
    case Entry::append: {
      const std::int64_t before = q.n() / 2;
      ShardedMatrix<T> a = q.matrix(q.n() - before);
      a.fill(Kokkos::DefaultExecutionSpace{}, f);
      return factorize_and_solve(std::move(a), q, make_samples<Kokkos::View<T**>>({before, q.n()}, 0, q.n(), f));
    }
    case Entry::c:
      return answer_of<T>([&]() -> Answer<T> {
        const typename Question<T>::B x("x", q.b.extent(0), q.b.extent(1));
        Kokkos::deep_copy(x, q.b);
        const auto a = rows(f);
        Operator<F> op{f, q.before};
        const std::int64_t minor = q.before ? c::solve(q.comm, op, x, q.options) : c::solve(q.comm, a, x, q.options);
        return {minor, to_host(x)};
      });
  }
  return {};
}

/// The same for the Gram matrix of f(s, k), which has so many columns.
template <class T, class F>
Answer<T> answer(GramEntry entry, const Question<T>& q, const F& f, std::int64_t columns, const GramOptions& options) {
  const int rank = rank_in(q.comm);
  const auto view = [&](const auto& g) { return make_samples<Kokkos::View<T**>>(q.shards, rank, columns, g); };
  const Gram of_operator{JacobianOperator<F>{f, q.shards, rank, columns, q.before}, options};
  switch (entry) {
    case GramEntry::view:
      return one_call<T>([&] { return cholesky_distributed(q.comm, Gram{view(f), options}, q.b, q.options); });
    case GramEntry::op: {
      Gram gram = of_operator;
      return one_call<T>([&] { return cholesky_distributed(q.comm, gram, q.b, q.options); });
    }
    case GramEntry::object: {
      const CholeskyDistributed solver{q.comm, q.options};
      one_call<T>([&] { return solver(Gram{view(Jacobian<T>{}), {.form = options.form}}, q.b); });
      Gram gram = of_operator;
      return one_call<T>([&] { return solver(gram, q.b); });
    }
    case GramEntry::pieces: {
      ShardedMatrix<T> a = q.matrix();
      a.fill(Kokkos::DefaultExecutionSpace{}, detail::Shift<T>{static_cast<Real<T>>(q.options.diag_shift)});
      if (q.before) {
        Gram gram = of_operator;
        add_gram(Kokkos::DefaultExecutionSpace{}, gram, a);
      } else {
        add_gram(Kokkos::DefaultExecutionSpace{}, Gram{view(f), options}, a);
      }
      return factorize_and_solve(std::move(a), q);
    }
  }
  return {};
}

}  // namespace tessera::testing
