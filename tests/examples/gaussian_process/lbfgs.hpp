// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace gp {

/// A maximum of a smooth function, by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4) with
/// backtracking. There is no randomness in it: ranks that see the same bits take the same steps.
class Lbfgs {
 public:
  using Vector = std::vector<double>;
  struct Value {
    double value;
    Vector gradient;
  };

  int memory = 8;            ///< pairs of steps and changes of the gradient that are remembered
  int steps = 100;           ///< the most
  double tolerance = 1e-3;   ///< ends, once no number of the gradient is larger
  double longest = 1;        ///< the most by which a step changes a variable: a line search tries it first
  double sufficient = 1e-4;  ///< of the rise that the gradient promises, a step has that part at least
  int tries = 20;            ///< lengths of a step, each half of the one before

  /// @param f f(x) is a std::optional<Value>, empty where the function is not defined; at `x` it must be
  /// @param report is called as report(step, value) at the start and after each step
  /// @return where it ends: where no try of a step rises, too
  template <class Function, class Report>
  std::pair<Vector, Value> maximise(const Function& f, Vector x, const Report& report) const {
    std::deque<Pair> pairs;
    Value here = f(x).value();
    report(0, here);
    for (int step = 1; step <= steps && largest(here.gradient) > tolerance; ++step) {
      Vector direction = times_inverse_hessian(pairs, here.gradient);
      if (!(dot(direction, here.gradient) > 0)) {
        pairs.clear();
        direction = here.gradient;
      }
      const double first = pairs.empty() ? 1 / std::max(1., norm(here.gradient)) : 1;
      double length = std::min(first, longest / largest(direction));
      std::optional<Value> there;
      Vector next;
      for (int i = 0; i < tries; ++i, length /= 2) {
        next = sum(x, length, direction);
        there = f(next);
        if (there && there->value >= here.value + sufficient * length * dot(direction, here.gradient)) break;
        there.reset();
      }
      if (!there) break;
      Pair pair{sum(next, -1, x), sum(here.gradient, -1, there->gradient)};
      if (dot(pair.step, pair.change) > 1e-12 * dot(pair.change, pair.change)) {  // else no curvature was seen
        pairs.push_back(std::move(pair));
        if (static_cast<int>(pairs.size()) > memory) pairs.pop_front();
      }
      x = std::move(next);
      here = std::move(*there);
      report(step, here);
    }
    return {x, here};
  }

 private:
  struct Pair {
    Vector step, change;  // of the negative gradient
  };

  static double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  static double norm(const Vector& a) { return std::sqrt(dot(a, a)); }
  static double largest(const Vector& a) {
    double most = 0;
    for (const double x : a) most = std::max(most, std::abs(x));
    return most;
  }
  static Vector sum(Vector a, double factor, const Vector& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += factor * b[i];
    return a;
  }

  /// The two loops.
  static Vector times_inverse_hessian(const std::deque<Pair>& pairs, Vector v) {
    if (pairs.empty()) return v;
    Vector parts;
    for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
      parts.push_back(dot(pair->step, v) / dot(pair->step, pair->change));
      v = sum(std::move(v), -parts.back(), pair->change);
    }
    const Pair& newest = pairs.back();
    for (double& x : v) x *= dot(newest.step, newest.change) / dot(newest.change, newest.change);
    for (const Pair& pair : pairs) {
      const double part = dot(pair.change, v) / dot(pair.step, pair.change);
      v = sum(std::move(v), parts.back() - part, pair.step);
      parts.pop_back();
    }
    return v;
  }
};

}  // namespace gp
