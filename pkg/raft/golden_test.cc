// Scenarios as text: each file of testdata/ is a list of "command", "----", expected output. With
// KDB_REGENERATE_GOLDEN=1 the files are rewritten with the actual output; read the diff.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "pkg/raft/text_driver_test.h"

namespace kdb::raft {
namespace {

std::vector<std::string> Scenarios() {
  std::vector<std::string> names;
  std::error_code error;  // run elsewhere: no scenarios
  for (const auto& file : std::filesystem::directory_iterator("testdata", error)) {
    if (file.path().extension() == ".txt") names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The file with actual output in place of the expected: comments and commands are kept, output ends
// at an empty line.
std::string Replay(const std::string& text) {
  TextDriver driver;
  std::istringstream in(text);
  std::string out;
  bool in_output = false;
  for (std::string line; std::getline(in, line);) {
    if (in_output) {
      in_output = !line.empty();
      if (in_output) continue;
    }
    if (line == "----") continue;
    out += line + "\n";
    if (line.empty() || line[0] == '#') continue;
    out += "----\n" + driver.Run(line);
    in_output = true;
  }
  return out;
}

class GoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, Matches) {
  std::string path = "testdata/" + GetParam() + ".txt";
  std::string expected = ReadFile(path);
  std::string actual = Replay(expected);
  if (std::getenv("KDB_REGENERATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, expected) << "see pkg/raft/README.md on how to regenerate";
}

INSTANTIATE_TEST_SUITE_P(Scenario, GoldenTest, testing::ValuesIn(Scenarios()),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace kdb::raft
