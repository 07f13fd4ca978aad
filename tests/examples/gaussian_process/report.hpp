// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "data.hpp"
#include "gaussian_process.hpp"
#include "lbfgs.hpp"
#include "options.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace gp {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What a run has come to, on the terminal and, at the end, in the file; from rank 0.
class Report {
 public:
  Report(MPI_Comm comm, const Options& options) : speaks_(rank_of(comm) == 0), path_(options.json) {
    int ranks;
    MPI_Comm_size(comm, &ranks);
    json_ = {{"program", "gaussian_process"}, {"data", options.co2.empty() ? "synthetic" : "co2"}, {"ranks", ranks}};
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  ~Report() {
    if (!speaks_ || path_.empty()) return;
    std::ofstream file(path_);
    file << json_ << std::endl;
    if (!file) std::fprintf(stderr, "gaussian_process: cannot write %s\n", path_.c_str());
  }

  void step(int step, const Lbfgs::Value& value) {
    double largest = 0;
    for (const double x : value.gradient) largest = std::max(largest, std::abs(x));
    say("%4d  log-likelihood %.6f  largest derivative %.1e  %.2f s\n", step, value.value, largest, watch_.seconds());
  }

  template <class Kernel>
  void parameters(const std::vector<double>& logs, double log_likelihood) {
    json_["log_likelihood"] = log_likelihood;
    for (std::size_t k = 0; k < logs.size(); ++k) {
      say("%20s  %.6g\n", Kernel::names[k], std::exp(logs[k]));
      json_["parameters"][Kernel::names[k]] = std::exp(logs[k]);
    }
  }

  void left_out(const LeaveOneOut& l) {
    say("leave one out: error %.6f, log density %.6f\n", l.error, l.log_density);
    json_["leave_one_out"] = {{"error", l.error}, {"log_density", l.log_density}};
  }

  /// Of observations that were not learned from, and how many are in their band of 95 %.
  void held_out(const Prediction& prediction, const std::vector<double>& observed) {
    double sum = 0, inside = 0;
    const auto count = static_cast<double>(observed.size());
    for (std::size_t i = 0; i < observed.size(); ++i) {
      const double error = observed[i] - prediction.mean[i];
      sum += error * error;
      inside += std::abs(error) <= 1.96 * std::sqrt(prediction.variance[i]) ? 1 : 0;
    }
    say("held out: error %.6f, in the band of 95 %%: %.1f %%\n", std::sqrt(sum / count), 100 * inside / count);
    json_["held_out"] = {{"error", std::sqrt(sum / count)}, {"inside", inside / count}};
  }

  /// The first `learned` of the data were.
  void curve(const Data<Co2Kernel>& data, std::int64_t learned, const std::vector<Point<1>>& times,
             const Prediction& prediction, const std::vector<double>& samples) {
    const auto years = [](const std::vector<Point<1>>& places) {
      std::vector<double> all;
      for (const Point<1>& place : places) all.push_back(co2_epoch + place[0]);
      return all;
    };
    json_["record"] = {{"year", years(data.x)}, {"ppm", data.y}, {"learned", learned}};
    json_["prediction"] = {
        {"year", years(times)}, {"mean", prediction.mean}, {"variance", prediction.variance}, {"samples", samples}};
    json_["offset"] = data.offset;
  }

  void time(std::int64_t n, double fit, double gradient) {
    say("n %6lld  log-likelihood %.3f s  its gradient %.3f s\n", static_cast<long long>(n), fit, gradient);
    json_["times"].push_back({{"n", n}, {"log_likelihood", fit}, {"gradient", gradient}});
  }

 private:
  template <class... Values>
  void say(const char* format, const Values&... values) const {
    if (!speaks_) return;
    std::printf(format, values...);
    std::fflush(stdout);
  }

  bool speaks_;
  std::string path_;
  nlohmann::json json_;
  Stopwatch watch_;
};

}  // namespace gp
