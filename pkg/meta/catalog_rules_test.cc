// testdata/*.txt: lists of "command", "----", result and state behind it; the log index counts the
// commands from 2. With KDB_REGENERATE_GOLDEN=1 the files are rewritten; read the diff.
#include "pkg/meta/catalog_rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "pkg/meta/catalog_text_test.h"
#include "pkg/shard/slot_table.h"

namespace kdb::meta {
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

class Log {
 public:
  // The result, and the state when it changed. Every command is applied twice: repeating changes
  // nothing but the index.
  std::string Apply(const std::string& line) {
    absl::StatusOr<metalog::Command> command = ParseCommand(line);
    if (!command.ok()) return command.status().ToString() + "\n";
    const std::string before = StateText(state_);
    metalog::Result result = ApplyCommand(*command, ++index_, &state_);
    const std::string after = StateText(state_);
    if (result.code() != 0) {
      EXPECT_EQ(after, before) << line << ": a refusal changed something";
    }
    metalog::Result again = ApplyCommand(*command, index_ + 1000, &state_);
    // But for a group that was only registered and is forgotten.
    if (line.rfind("leave", 0) != 0) {
      EXPECT_EQ(again.code(), result.code()) << line << ": repeated";
    }
    EXPECT_EQ(StateText(state_), after) << line << ": repeated";
    EXPECT_TRUE(shard::SlotTable::Build(state_.catalog()).ok()) << line;
    return ResultText(result) + (after == before ? "" : after);
  }

 private:
  metalog::State state_ = InitialState(MetaBirth());
  uint64_t index_ = 1;
};

std::string Replay(const std::string& text) {
  Log log;
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
    out += "----\n" + log.Apply(line);
    in_output = true;
  }
  return out;
}

class CatalogGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(CatalogGoldenTest, Matches) {
  const std::string path = "testdata/" + GetParam() + ".txt";
  std::ifstream in(path);
  std::ostringstream expected;
  expected << in.rdbuf();
  std::string actual = Replay(expected.str());
  if (std::getenv("KDB_REGENERATE_GOLDEN") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, expected.str());
}

INSTANTIATE_TEST_SUITE_P(Scenario, CatalogGoldenTest, testing::ValuesIn(Scenarios()),
                         [](const auto& param) { return param.param; });

TEST(CatalogRulesTest, ABornClusterKnowsItsMetaGroup) {
  metalog::State state = InitialState(MetaBirth());
  EXPECT_EQ(state.catalog().cluster_id(), "c1");
  EXPECT_EQ(state.catalog().version(), kBirthVersion);
  EXPECT_EQ(state.catalog().hash_seed_size(), 2);
  EXPECT_EQ(AddressOf(state.catalog().meta(), 3), "10.0.0.3:8088");
  EXPECT_EQ(AddressOf(state.catalog().meta(), 4), "");
  EXPECT_EQ(FindGroup(state, 0), nullptr);
}

}  // namespace
}  // namespace kdb::meta
