// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "gaussian_process.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

// Whether scikit-learn and we come to the same numbers, from the same data and parameters.
namespace gp {

/// The largest difference, relative to the number itself or to the largest one.
enum class Scale { each, largest };
inline double difference(const std::vector<double>& ours, const std::vector<double>& theirs, Scale scale) {
  if (ours.size() != theirs.size()) return std::numeric_limits<double>::infinity();
  double largest = 0, most = 0;
  for (const double x : theirs) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const double here = std::abs(ours[i] - theirs[i]) / (scale == Scale::each ? std::abs(theirs[i]) : largest);
    if (!(here <= most)) most = here;  // a NaN stays
  }
  return most;
}

template <class Kernel>
typename Kernel::Parameters parameters_of(const std::vector<double>& numbers) {
  if (numbers.size() != Kernel::parameters) throw std::runtime_error("not the parameters of this kernel");
  typename Kernel::Parameters parameters;
  for (int k = 0; k < Kernel::parameters; ++k) parameters[k] = numbers[static_cast<std::size_t>(k)];
  return parameters;
}

template <class Kernel>
std::vector<double> numbers_of(const typename Kernel::Parameters& parameters) {
  return {parameters.data(), parameters.data() + Kernel::parameters};
}

template <class Kernel>
Points<Kernel::dimensions> places_of(const nlohmann::json& json) {
  std::vector<Point<Kernel::dimensions>> places;
  for (const auto& numbers : json.get<std::vector<std::vector<double>>>()) {
    if (numbers.size() != Kernel::dimensions) throw std::runtime_error("not a place of this kernel");
    Point<Kernel::dimensions> place;
    for (int k = 0; k < Kernel::dimensions; ++k) place[k] = numbers[static_cast<std::size_t>(k)];
    places.push_back(place);
  }
  return on_device(places);
}

/// One column after the other, as the file has them.
inline std::vector<double> flat(const Columns& columns) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), columns);
  return {host.data(), host.data() + host.size()};
}

template <class Kernel>
bool check_case(MPI_Comm comm, const nlohmann::json& saved) {
  bool passed = true;
  const auto compare = [&](const char* what, const std::vector<double>& ours, const nlohmann::json& theirs, double most,
                           Scale scale = Scale::each) {
    const double distance =
        difference(ours, theirs.is_array() ? theirs.get<std::vector<double>>() : std::vector<double>{theirs}, scale);
    const bool same = distance <= most;
    passed = passed && same;
    if (rank_of(comm) != 0) return;
    std::printf("%s, %-28s %.1e  %s\n", saved["kernel"].get<std::string>().c_str(), what, distance,
                same ? "ok" : "DIFFERS");
  };

  const GaussianProcess<Kernel> process(comm, places_of<Kernel>(saved["x"]), saved["y"]);
  Fit<Kernel> fit = process.fit(parameters_of<Kernel>(saved["parameters"]));
  compare("log-likelihood", {fit.log_likelihood}, saved["log_likelihood"], 1e-9);
  const LeaveOneOut left_out = process.leave_one_out(fit);
  compare("leave-one-out error", {left_out.error}, saved["leave_one_out"]["error"], 1e-8);
  compare("leave-one-out density", {left_out.log_density}, saved["leave_one_out"]["log_density"], 1e-8);

  const auto at = places_of<Kernel>(saved["at"]);
  const Prediction prediction = process.predict(fit, at);
  compare("mean", prediction.mean, saved["mean"], 1e-8, Scale::largest);
  compare("variance", prediction.variance, saved["variance"], 1e-8);
  const std::vector<double> numbers = saved["normal"];
  const Columns normal("normal", at.extent(0), numbers.size() / at.extent(0));
  Kokkos::deep_copy(Kokkos::View<double*, Exec::memory_space>(normal.data(), normal.size()), on_device(numbers));
  compare("samples", flat(process.samples(fit, at, prediction, normal)), saved["samples"], 1e-8, Scale::largest);

  compare("gradient", numbers_of<Kernel>(process.gradient(std::move(fit))), saved["gradient"], 1e-9, Scale::largest);
  return passed;
}

/// Whether all of `path` agrees.
inline bool check_against_scikit_learn(MPI_Comm comm, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  const nlohmann::json all = nlohmann::json::parse(file);
  bool passed = !all["cases"].empty();
  for (const auto& saved : all["cases"]) {
    passed =
        (saved["kernel"] == "co2" ? check_case<Co2Kernel>(comm, saved) : check_case<ArdKernel>(comm, saved)) && passed;
  }
  return passed;
}

}  // namespace gp
