#include "pkg/testing/linearizability.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "pkg/base/random.h"

namespace kdb::testing {
namespace {

CheckReport Check(std::string_view text, const CheckOptions& options = {}) {
  absl::StatusOr<std::vector<Operation>> history = ParseHistory(text);
  EXPECT_TRUE(history.ok()) << history.status();
  return history.ok() ? CheckLinearizable(*history, options) : CheckReport{};
}

void ExpectYes(std::string_view text) {
  CheckReport report = Check(text);
  EXPECT_EQ(report.verdict, Verdict::kLinearizable) << report.problems.front();
}

// `blamed`: the operation that the report must name.
void ExpectNo(std::string_view text, std::string_view blamed) {
  CheckReport report = Check(text);
  ASSERT_EQ(report.verdict, Verdict::kNotLinearizable) << text;
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_NE(report.problems[0].find(blamed), std::string::npos) << report.problems[0];
}

TEST(Linearizability, SequentialHistories) {
  ExpectYes("");
  ExpectYes(R"(
      1 2 a GET x -> (nil)
      3 4 a SET x 1 -> OK
      5 6 b GET x -> 1
      7 8 b INCR x 41 -> 42
      9 10 a APPEND x 0 -> 3
      11 12 a GET x -> 420
      13 14 b DEL x -> 1
      15 16 b DEL x -> 0
      17 18 a INCR x -1 -> -1)");
  ExpectNo("1 2 a SET x 1 -> OK\n3 4 b GET x -> (nil)", "3 4 b GET x");
  ExpectNo("1 2 a SET x 1 -> OK\n3 4 b GET x -> 2", "GET x -> 2");
}

TEST(Linearizability, ConcurrentReadsSeeTheWriteOrNot) {
  ExpectYes("1 10 a SET x 1 -> OK\n2 3 b GET x -> (nil)\n4 5 b GET x -> 1");
  ExpectYes("1 10 a SET x 1 -> OK\n2 5 b GET x -> 1\n4 7 c GET x -> (nil)");
}

TEST(Linearizability, AReadThatSawTheWriteBindsLaterReads) {
  ExpectNo("1 10 a SET x 1 -> OK\n2 3 b GET x -> 1\n4 5 c GET x -> (nil)", "4 5 c GET x -> (nil)");
}

TEST(Linearizability, AStaleReadAfterAnAcknowledgedWrite) {
  ExpectNo(R"(
      1 2 a SET x old -> OK
      3 4 a SET x new -> OK
      5 6 b GET x -> old)",
           "GET x -> old");
}

TEST(Linearizability, TwoReadersSeeTwoConcurrentWritesInOneOrder) {
  constexpr char kWrites[] = "1 20 a SET x 1 -> OK\n1 20 b SET x 2 -> OK\n";
  ExpectYes(std::string(kWrites) + "2 3 c GET x -> 1\n4 5 d GET x -> 2\n6 7 c GET x -> 2");
  ExpectNo(std::string(kWrites) + "2 3 c GET x -> 1\n4 5 d GET x -> 2\n6 7 c GET x -> 1",
           "6 7 c GET x -> 1");
}

TEST(Linearizability, TouchingOperationsOverlap) {
  ExpectYes("1 5 a SET x 1 -> OK\n5 6 b GET x -> (nil)");
}

TEST(Linearizability, CountersGiveEveryNumberOnce) {
  ExpectYes("1 9 a INCR n 1 -> 2\n1 9 b INCR n 1 -> 1\n1 9 c INCR n 1 -> 3");
  ExpectNo("1 9 a INCR n 1 -> 1\n1 9 b INCR n 1 -> 1", "INCR n 1 -> 1");
  ExpectNo("1 2 a INCR n 1 -> 1\n3 4 b GET n -> 2", "GET n -> 2");
}

TEST(Linearizability, AppendsAreThereOnceAndInOrder) {
  ExpectYes("1 5 a APPEND l x -> 2\n1 5 b APPEND l y -> 1\n6 7 c GET l -> yx");
  ExpectNo("1 5 a APPEND l x -> 1\n6 7 c GET l -> xx", "GET l -> xx");
  ExpectNo("1 5 a APPEND l x -> 1\n2 7 b APPEND l y -> 2\n8 9 c GET l -> yx", "GET l -> yx");
}

TEST(Linearizability, AnUnknownWriteMayHappenLateOrNever) {
  ExpectYes("1 ? a SET x 1\n5 6 b GET x -> (nil)\n7 8 b GET x -> (nil)");
  ExpectYes("1 ? a SET x 1\n5 6 b GET x -> (nil)\n7 8 b GET x -> 1");
  ExpectNo("1 ? a SET x 1\n5 6 b GET x -> 1\n7 8 b GET x -> (nil)", "7 8 b GET x");
  ExpectNo("5 ? a SET x 1\n1 2 b GET x -> 1", "GET x -> 1");
}

TEST(Linearizability, AnUnknownWriteHappensAtMostOnce) {
  ExpectYes("1 ? a INCR n 1\n2 3 b INCR n 1 -> 2\n4 5 b GET n -> 2");
  ExpectNo("1 ? a INCR n 1\n2 3 b INCR n 1 -> 1\n4 5 b GET n -> 3", "GET n -> 3");
  ExpectNo("1 ? a SET x 1\n2 3 b GET x -> 1\n4 5 b SET x 2 -> OK\n6 7 b GET x -> 1", "6 7 b");
}

TEST(Linearizability, AnUnknownWriteThatIsBuriedAtOnceIsLeftOut) {
  ExpectYes("1 ? a SET x 1\n1 ? b SET x 2\n5 6 c GET x -> 2\n7 8 c GET x -> 1");
  // The unknown one explains that DEL found a key.
  ExpectYes("1 ? a SET x 1\n5 6 c DEL x -> 1\n7 8 c SET x 3 -> OK\n9 10 c GET x -> 3");
  ExpectYes("1 ? a DEL x\n2 3 b SET x 1 -> OK\n4 5 b DEL x -> 0");
}

TEST(Linearizability, PipelinedCommandsOfOneClientKeepTheirOrder) {
  ExpectYes("1 9 a SET x 1 -> OK\n1 9 a SET x 2 -> OK\n10 11 b GET x -> 2");
  ExpectNo("1 9 a SET x 1 -> OK\n1 9 a SET x 2 -> OK\n10 11 b GET x -> 1", "GET x -> 1");
  ExpectNo("1 9 a SET x 1 -> OK\n1 8 a GET x -> (nil)", "GET x -> (nil)");
  // An unknown command of the pipeline still cannot come before one that was acknowledged.
  ExpectNo("1 9 a SET x 1 -> OK\n1 ? a SET x 2\n10 11 b GET x -> 2\n12 13 b GET x -> 1", "12 13 b");
}

TEST(Linearizability, KeysAreJudgedOneByOne) {
  CheckReport report = Check(R"(
      1 2 a SET x 1 -> OK
      3 4 a GET y -> 1
      5 6 a GET z -> (nil)
      5 6 b INCR w 1 -> 2)");
  EXPECT_EQ(report.keys, 4u);
  ASSERT_EQ(report.problems.size(), 2u);
  EXPECT_NE(report.problems[0].find("key w: not linearizable"), std::string::npos);
  EXPECT_NE(report.problems[1].find("key y: not linearizable"), std::string::npos);
}

TEST(Linearizability, AnIntegerErrorIsNoExplanation) {
  ExpectNo("1 2 a SET x word -> OK\n3 4 a INCR x 1 -> 1", "INCR x 1 -> 1");
  ExpectNo("1 2 a SET x 9223372036854775807 -> OK\n3 4 a INCR x 1 -> 1", "INCR x 1 -> 1");
}

TEST(Linearizability, GivesUpAtTheLimit) {
  std::string text = "5 6 r GET l -> z\n";
  for (int i = 0; i < 20; ++i) text += fmt::format("1 ? c{} APPEND l {}\n", i, i);
  CheckReport report = Check(text, {.max_configurations = 1000});
  EXPECT_EQ(report.verdict, Verdict::kGaveUp);
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_NE(report.problems[0].find("gave up"), std::string::npos);
}

TEST(Linearizability, OneBadKeyOutweighsOneGivenUp) {
  std::string text = "1 2 a GET bad -> 1\n5 6 r GET l -> z\n";
  for (int i = 0; i < 20; ++i) text += fmt::format("1 ? c{} APPEND l {}\n", i, i);
  EXPECT_EQ(Check(text, {.max_configurations = 1000}).verdict, Verdict::kNotLinearizable);
}

// Histories made by executing operations at a point between call and return: linearizable by
// construction.
class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed) : random_(seed) {}

  std::vector<Operation> Make(int operations, int keys, int clients) {
    std::vector<int64_t> free(clients, 0);
    for (int64_t now = 0; static_cast<int>(ops_.size()) < operations; now += 10) {
      int client = static_cast<int>(random_.Uniform(clients));
      if (free[client] >= now) continue;
      Operation op = Choose(fmt::format("k{}", random_.Uniform(keys)));
      op.client = fmt::format("c{}", client);
      // It takes effect now: calls lie before, returns behind.
      op.call =
          std::max<int64_t>(free[client] + 1, now - static_cast<int64_t>(random_.Uniform(60)));
      op.ret = now + static_cast<int64_t>(random_.Uniform(60));
      free[client] = op.ret;
      Finish(std::move(op));
    }
    return std::move(ops_);
  }

 private:
  Operation Choose(std::string key) {
    Operation op{.key = std::move(key)};
    op.kind = static_cast<OpKind>(random_.Uniform(5));
    // Counters and strings are different keys, so that INCR is never an error.
    if (op.kind == OpKind::kIncr) op.key += "n";
    if (op.kind == OpKind::kGet && random_.OneIn(2)) op.key += "n";
    if (op.kind == OpKind::kSet || op.kind == OpKind::kAppend)
      op.argument = fmt::format("v{},", ops_.size());
    if (op.kind == OpKind::kIncr) op.argument = "1";
    return op;
  }

  void Finish(Operation op) {
    bool unknown = op.kind != OpKind::kGet && random_.OneIn(200);
    if (!unknown || random_.OneIn(2)) op.result = Execute(op);
    if (unknown) op.ret = Operation::kOpen;
    ops_.push_back(std::move(op));
  }

  std::optional<std::string> Execute(const Operation& op) {
    auto at = state_.find(op.key);
    bool exists = at != state_.end();
    if (op.kind == OpKind::kGet) return exists ? std::optional(at->second) : std::nullopt;
    if (op.kind == OpKind::kDel) return state_.erase(op.key) == 1 ? "1" : "0";
    std::string& value = state_[op.key];
    if (op.kind == OpKind::kSet) return value = op.argument, "OK";
    if (op.kind == OpKind::kAppend) return std::to_string((value += op.argument).size());
    return value = std::to_string(std::atoi(value.c_str()) + 1);
  }

  Random random_;
  std::map<std::string, std::string> state_;
  std::vector<Operation> ops_;
};

TEST(Linearizability, AcceptsWhatIsLinearizableByConstruction) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CheckReport report = CheckLinearizable(RandomHistory(seed).Make(300, 2, 6));
    ASSERT_EQ(report.verdict, Verdict::kLinearizable) << "seed " << seed << "\n"
                                                      << report.problems[0];
  }
}

// One result changed to what no order gives. (A changed value of SET may go unread, so reads are
// changed.)
TEST(Linearizability, RejectsOneWrongRead) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::vector<Operation> history = RandomHistory(seed).Make(300, 2, 6);
    Random random(seed);
    size_t at = random.Uniform(history.size());
    while (history[at].kind != OpKind::kGet) at = (at + 1) % history.size();
    history[at].result = "never written";
    ASSERT_EQ(CheckLinearizable(history).verdict, Verdict::kNotLinearizable) << "seed " << seed;
  }
}

TEST(Linearizability, RejectsALostAcknowledgedIncrement) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::vector<Operation> history = RandomHistory(seed).Make(300, 1, 6);
    int64_t end = history.back().ret == Operation::kOpen ? 1 << 30 : history.back().ret + 1000;
    for (Operation& op : history) {
      if (op.kind == OpKind::kIncr && !op.open()) end = std::max(end, op.ret + 1);
    }
    int64_t total = 0;
    int64_t unknown = 0;
    for (const Operation& op : history) {
      if (op.kind != OpKind::kIncr) continue;
      (op.open() ? unknown : total) += 1;
    }
    Operation read{.key = "k0n", .call = end, .ret = end + 1, .client = "reader"};
    std::vector<Operation> lost = history;
    // DEL never touches the counter's key, so it holds at least what was acknowledged.
    read.result = std::to_string(total - 1);
    lost.push_back(read);
    EXPECT_EQ(CheckLinearizable(lost).verdict, Verdict::kNotLinearizable) << "seed " << seed;
    read.result = std::to_string(total + unknown + 1);
    lost.back() = read;
    EXPECT_EQ(CheckLinearizable(lost).verdict, Verdict::kNotLinearizable) << "seed " << seed;
  }
}

TEST(Linearizability, ALongHistoryIsCheckedWithoutSearching) {
  std::vector<Operation> history = RandomHistory(7).Make(100'000, 60, 10);
  CheckReport report = CheckLinearizable(history);
  EXPECT_EQ(report.verdict, Verdict::kLinearizable);
  EXPECT_LT(report.configurations, 4 * history.size());
}

}  // namespace
}  // namespace kdb::testing
