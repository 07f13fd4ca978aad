// SPDX-License-Identifier: BSD-3-Clause
#include "perf/output_file.hpp"
#include "perf/file_names.hpp"
#include "perf/program.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>

// Files that appear whole or not at all, and names that are one file's.
namespace tessera::perf {
namespace {

namespace fs = std::filesystem;

struct OutputFileTest : ::testing::Test {
  const fs::path directory = fs::temp_directory_path() / ("tessera_output_file_test." + std::to_string(getpid()));
  const fs::path file = directory / "file";

  void SetUp() override { fs::create_directory(directory); }
  void TearDown() override { fs::remove_all(directory); }

  static void put(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string get(const fs::path& path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::ptrdiff_t count() const { return std::distance(fs::directory_iterator(directory), {}); }
};

TEST_F(OutputFileTest, AppearsWhenItIsCommitted) {
  OutputFile output(file);
  EXPECT_EQ(count(), 0);
  output.stage("new");
  EXPECT_FALSE(fs::exists(file));
  output.commit();
  EXPECT_EQ(get(file), "new");
  EXPECT_EQ(count(), 1);
}

TEST_F(OutputFileTest, ReplacesAnOlderFileAndKeepsItsPermissions) {
  put(file, "older");
  const auto mode = fs::perms::owner_read | fs::perms::owner_write | fs::perms::others_write;  // no umask leaves it
  fs::permissions(file, mode);
  fs::create_symlink("file", directory / "link");
  OutputFile output(directory / "link");
  output.stage("new");
  EXPECT_EQ(get(file), "older");
  output.commit();
  EXPECT_EQ(get(file), "new");
  EXPECT_EQ(fs::status(file).permissions(), mode);
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(count(), 2);
}

TEST_F(OutputFileTest, LeavesNothingWhereItIsNotCommitted) {
  put(file, "older");
  {
    OutputFile output(file);
    output.stage("new");
    EXPECT_EQ(count(), 2);
  }
  EXPECT_EQ(get(file), "older");
  EXPECT_EQ(count(), 1);
}

TEST_F(OutputFileTest, SaysThatTheDirectoryHasVanished) {
  for (const bool staged : {false, true}) {
    fs::create_directory(directory);
    OutputFile output(file);
    if (staged) output.stage("new");
    fs::remove_all(directory);
    try {
      staged ? output.commit() : output.stage("new");
      ADD_FAILURE() << "nothing thrown";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "cannot write " + file.string() + ": No such file or directory");
    }
    EXPECT_FALSE(fs::exists(directory));
  }
}

TEST_F(OutputFileTest, IsARegularFile) {
  EXPECT_THROW(OutputFile("/dev/full"), std::runtime_error);
  EXPECT_THROW(OutputFile{directory}, std::runtime_error);
  EXPECT_THROW(OutputFile(directory / "none" / "file"), std::runtime_error);
  fs::create_symlink("link", directory / "link");
  EXPECT_THROW(OutputFile(directory / "link"), std::runtime_error);
}

TEST_F(OutputFileTest, NamesOfOneFile) {
  fs::create_directory(directory / "deep");
  fs::create_directory_symlink("deep", directory / "also");
  fs::create_symlink("deep/none", directory / "link");
  const fs::path none = directory / "deep" / "none";
  for (const bool exists : {false, true}) {
    if (exists) put(none, "");
    EXPECT_TRUE(same_file(none, none));
    EXPECT_TRUE(same_file(none, directory / "also" / "none"));
    EXPECT_TRUE(same_file(none, directory / "deep" / "." / ".." / "deep" / "none"));
    EXPECT_TRUE(same_file(directory / "link", directory / "also" / "none"));
    EXPECT_FALSE(same_file(none, directory / "none"));
    EXPECT_FALSE(same_file(none, directory / "deep" / "other"));
  }
  fs::create_hard_link(none, directory / "hard");
  EXPECT_TRUE(same_file(none, directory / "hard"));
  EXPECT_THROW(require_distinct({{"--a", none}, {"--b", directory / "hard"}}, {}), UsageError);
  EXPECT_THROW(require_distinct({{"--a", none}}, {{"--b", directory / "hard"}}), UsageError);
  EXPECT_NO_THROW(require_distinct({{"--a", none}, {"--b", ""}, {"--c", ""}}, {{"--d", file}, {"--e", file}}));
}

}  // namespace
}  // namespace tessera::perf
