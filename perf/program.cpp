// SPDX-License-Identifier: BSD-3-Clause
#include "perf/program.hpp"

#include <tessera/errors.hpp>
#include <tessera/version.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <new>
#include <optional>
#include <regex>

namespace tessera::perf {
namespace {

constexpr const char* arithmetics[] = {"native", "integer", "fastest"};  // in the enumerators' order

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

struct Ending {
  ExitCode code;
  std::string message;
};

Ending ending_of(const std::exception& e) {
  if (const auto* error = dynamic_cast<const ProgramError*>(&e)) return {error->code(), e.what()};
  if (dynamic_cast<const NotPositiveDefinite*>(&e)) return {ExitCode::not_positive_definite, e.what()};
  if (dynamic_cast<const std::invalid_argument*>(&e)) return {ExitCode::misuse, e.what()};
  if (dynamic_cast<const std::bad_alloc*>(&e)) return {ExitCode::failure, "out of memory"};
  return {ExitCode::failure, e.what()};
}

CLI::Validator number(const std::string& expected, const std::function<bool(double)>& is_good) {
  return CLI::Validator(
      [=](std::string& word) {
        double value = 0;
        const bool good = CLI::detail::lexical_cast(word, value) && std::isfinite(value) && is_good(value);
        return good ? std::string() : "expected " + expected + ", got " + word;
      },
      "");
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const std::function<void(MPI_Comm)>& body) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error like any other
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const MPI_Comm comm = MPI_COMM_WORLD;
  const bool first = rank_in(comm) == 0;
  std::optional<Ending> ending;
  try {
    app.set_version_flag("--version", app.get_name() + " " + version(), "print the version and exit");
    const std::vector<char*> own = arguments(argc, argv, false);
    std::vector<char*> for_kokkos = arguments(argc, argv, true);
    app.parse(static_cast<int>(own.size()), own.data());
    auto count = static_cast<int>(for_kokkos.size());
    const Kokkos::ScopeGuard kokkos(count, for_kokkos.data());
    body(comm);
  } catch (const CLI::CallForHelp&) {
    if (first) std::fputs(app.help().c_str(), stdout);
  } catch (const CLI::CallForVersion& version) {
    if (first) std::printf("%s\n", version.what());
  } catch (const CLI::ExtrasError&) {
    ending = {ExitCode::misuse, "unknown arguments: " + CLI::detail::join(app.remaining(), " ")};
  } catch (const CLI::ParseError& e) {
    ending = {ExitCode::misuse, e.what()};
  } catch (const MpiError& e) {
    // Others may wait for this rank.
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), one_line(e.what()).c_str());
    MPI_Abort(comm, static_cast<int>(ExitCode::failure));
  } catch (const std::exception& e) {
    ending = ending_of(e);
  }
  if (ending && first) {
    const char* hint = ending->code == ExitCode::misuse ? " (--help lists the options)" : "";
    std::fprintf(stderr, "%s: %s%s\n", app.get_name().c_str(), one_line(ending->message).c_str(), hint);
  }
  MPI_Finalize();
  return ending ? static_cast<int>(ending->code) : 0;
}

void everywhere(MPI_Comm comm, const std::function<void()>& work) {
  Ending ending{};
  const int ranks = size_of(comm);
  int failed = ranks;
  try {
    work();
  } catch (const std::exception& e) {
    ending = ending_of(e);
    failed = rank_in(comm);
  }
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MIN, comm);
  if (failed == ranks) return;
  int code_and_length[2] = {static_cast<int>(ending.code), static_cast<int>(ending.message.size())};
  MPI_Bcast(code_and_length, 2, MPI_INT, failed, comm);
  ending.message.resize(static_cast<std::size_t>(code_and_length[1]));
  MPI_Bcast(ending.message.data(), code_and_length[1], MPI_CHAR, failed, comm);
  throw ProgramError(static_cast<ExitCode>(code_and_length[0]), ending.message);
}

void say(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw std::runtime_error(std::string("cannot write to stdout: ") + std::strerror(errno));
  }
}

bool is_addressable(std::int64_t rows, std::int64_t columns, std::size_t bytes_each) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(bytes_each);
  return rows == 0 || columns <= most / rows;
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
  return number("a number above 0", [](double value) { return value > 0; });
}

CLI::Validator zero_or_more() {
  return number("a number of 0 or more", [](double value) { return value >= 0; });
}

CLI::Validator finite_number() {
  return number("a finite number", [](double) { return true; });
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return CLI::Validator(
      [=](std::string& word) {
        std::int64_t value = 0;
        std::from_chars(word.data(), word.data() + word.size(), value);
        if (std::to_string(value) == word && least <= value && value <= most) return std::string();
        const bool bounded = most < std::numeric_limits<std::int64_t>::max();
        return "expected a whole number, " +
               (bounded ? std::to_string(least) + " to " + std::to_string(most) : "at least " + std::to_string(least)) +
               ", got " + word;
      },
      "");
}

void add_arithmetic_options(CLI::App& app, std::string& name, int& moduli) {
  CLI::Option* const arithmetic =
      app.add_option("--arithmetic", name,
                     "what the products of the factorisation are made of: native, integer or fastest")
          ->check(CLI::IsMember(std::vector<std::string>(std::begin(arithmetics), std::end(arithmetics))))
          ->type_name("NAME")
          ->capture_default_str();
  app.add_option("--moduli", moduli, "of --arithmetic integer, 4 to 15; 0: as many as keep native accuracy")
      ->check(CLI::Validator(
          [](std::string& word) {
            const bool known = word == "0" || whole_number(4, 15)(word).empty();
            return known ? std::string() : "expected 0 or a whole number, 4 to 15, got " + word;
          },
          ""))
      ->needs(arithmetic)
      ->type_name("N")
      ->capture_default_str();
}

Arithmetic arithmetic_of(const std::string& name) {
  return static_cast<Arithmetic>(std::find(std::begin(arithmetics), std::end(arithmetics), name) - arithmetics);
}
std::string name_of(Arithmetic arithmetic) { return arithmetics[static_cast<int>(arithmetic)]; }

std::string describe_products(int moduli, std::int64_t columns, std::int64_t n) {
  if (moduli == 0) return "native";
  return "of integers, " + std::to_string(moduli) + " moduli" +
         (columns < n ? ", of the first " + std::to_string(columns) + " columns" : "");
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
