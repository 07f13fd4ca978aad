#include "perf/program.hpp"

#include <tessera/errors.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>
#include <new>
#include <regex>

namespace tessera::perf {
namespace {

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

/// `argv` without, or with only, what is meant for Kokkos, which takes --help and --threads for its own as well.
std::vector<char*> arguments(int argc, char** argv, bool for_kokkos) {
  std::vector<char*> some(argv, argv + 1);
  std::copy_if(argv + 1, argv + argc, std::back_inserter(some),
               [&](const char* word) { return (std::string(word).rfind("--kokkos-", 0) == 0) == for_kokkos; });
  return some;
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const std::function<void(MPI_Comm)>& body) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const MPI_Comm comm = MPI_COMM_WORLD;
  std::string error;
  try {
    const std::vector<char*> own = arguments(argc, argv, false);
    std::vector<char*> for_kokkos = arguments(argc, argv, true);
    app.parse(static_cast<int>(own.size()), own.data());
    auto count = static_cast<int>(for_kokkos.size());
    const Kokkos::ScopeGuard kokkos(count, for_kokkos.data());
    body(comm);
  } catch (const CLI::CallForHelp&) {
    if (rank_in(comm) == 0) std::fputs(app.help().c_str(), stdout);
  } catch (const CLI::ExtrasError&) {
    error = "unknown arguments: " + CLI::detail::join(app.remaining(), " ") + " (--help lists the options)";
  } catch (const CLI::ParseError& e) {
    error = std::string(e.what()) + " (--help lists the options)";
  } catch (const UsageError& e) {
    error = std::string(e.what()) + " (--help lists the options)";
  } catch (const MpiError& e) {
    // Others may wait for this rank.
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), one_line(e.what()).c_str());
    MPI_Abort(comm, 1);
  } catch (const std::bad_alloc&) {
    error = "out of memory";
  } catch (const std::exception& e) {
    error = e.what();
  }
  if (!error.empty() && rank_in(comm) == 0) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), one_line(error).c_str());
  }
  MPI_Finalize();
  return error.empty() ? 0 : 1;
}

void everywhere(MPI_Comm comm, const std::function<void()>& work) {
  std::string error;
  const int ranks = size_of(comm);
  int failed = ranks;
  try {
    work();
  } catch (const std::exception& e) {
    error = e.what();
    failed = rank_in(comm);
  }
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, comm);
  if (failed == ranks) return;
  auto length = static_cast<int>(error.size());
  MPI_Bcast(&length, 1, MPI_INT, failed, comm);
  error.resize(static_cast<std::size_t>(length));
  MPI_Bcast(error.data(), length, MPI_CHAR, failed, comm);
  throw std::runtime_error(error);
}

std::vector<GridShape> parse_grids(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  static const std::regex one(R"(\s*(-?\d{1,9})(?:\s*[xX]\s*|\s+)(-?\d{1,9})\s+)");
  std::vector<GridShape> grids;
  std::smatch match;
  for (std::string rest = text; !rest.empty(); rest = match.suffix()) {
    if (!std::regex_search(rest, match, one, std::regex_constants::match_continuous)) {
      text.pop_back();
      throw UsageError("--grid: expected rows and columns, as 2x1 or as 2 1, got " + text);
    }
    grids.push_back({std::stoi(match[1]), std::stoi(match[2])});
  }
  return grids;
}

CLI::Validator more_than_zero() {
  return CLI::Validator(
      [](std::string& word) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(word, value) && value > 0 && std::isfinite(value);
        return good ? std::string() : "expected a number above 0, got " + word;
      },
      "");
}

CLI::Option* add_scalar_option(CLI::App& app, std::string& name) {
  const std::map<std::string, std::string> short_names{
      {"s", "float"}, {"d", "double"}, {"c", "complex-float"}, {"z", "complex-double"}};
  const auto expand = [short_names](std::string word) {
    const auto found = short_names.find(word);
    return found == short_names.end() ? word : found->second;
  };
  return app.add_option("--scalar", name, "float, double, complex-float or complex-double; or s, d, c, z")
      ->check(CLI::IsMember({"float", "double", "complex-float", "complex-double"}))
      ->transform(CLI::Validator(
          [expand](std::string& word) {
            word = expand(word);
            return std::string();
          },
          ""))
      ->type_name("NAME")
      ->capture_default_str();
}

}  // namespace tessera::perf
