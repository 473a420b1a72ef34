// The same commands to the executors and to redis-server; replies must be the same bytes, but for
// the list below.
//
// KDB_SEED and KDB_COMMANDS in the environment change the run.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>

#include "pkg/exec/command_generator.h"
#include "pkg/exec/test_shard.h"
#include "pkg/redis/parse.h"
#include "pkg/resp/reference_redis.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

constexpr size_t kBatch = 200;
constexpr int64_t kClockToleranceMs = 60'000;  // of a machine that is busy

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

int64_t WallMillis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Name(const Args& args) { return redis::ToLower(args[0]); }

bool BothIntegers(const resp::Reply& a, const resp::Reply& b) {
  return a.type == resp::Reply::Type::kInteger && b.type == resp::Reply::Type::kInteger;
}

bool SameElements(const resp::Reply& a, const resp::Reply& b) {
  std::multiset<std::string_view> left, right;
  for (const resp::Reply& e : a.elements) left.insert(e.text);
  for (const resp::Reply& e : b.elements) right.insert(e.text);
  return a.type == b.type && left == right;
}

// Where replies may differ, and why.
struct Difference {
  const char* reason;
  bool (*covers)(const Args& args, const resp::Reply& ours, const resp::Reply& theirs);
};

const Difference kDifferences[] = {
    {"the two clocks are not read at the same moment",
     [](const Args& args, const resp::Reply& ours, const resp::Reply& theirs) {
       const std::string name = Name(args);
       const bool seconds = name == "ttl" || name == "expiretime";
       if (!seconds && name != "pttl" && name != "pexpiretime") return false;
       if (!BothIntegers(ours, theirs) || ours.integer < 0 || theirs.integer < 0) return false;
       return std::abs(ours.integer - theirs.integer) <=
              (seconds ? kClockToleranceMs / 1000 : kClockToleranceMs);
     }},
    {"Redis overflows when it rounds an expiry within 500 ms of the largest integer",
     [](const Args& args, const resp::Reply& ours, const resp::Reply& theirs) {
       return Name(args) == "expiretime" && BothIntegers(ours, theirs) &&
              ours.integer == 9223372036854776 && theirs.integer < 0;
     }},
    {"the order of KEYS is unspecified",
     [](const Args& args, const resp::Reply& ours, const resp::Reply& theirs) {
       return Name(args) == "keys" && SameElements(ours, theirs);
     }},
    {"RANDOMKEY is random",
     [](const Args& args, const resp::Reply& ours, const resp::Reply& theirs) {
       return Name(args) == "randomkey" && ours.type == resp::Reply::Type::kBulk &&
              theirs.type == ours.type;
     }},
    {"cursors and pages of SCAN are each server's own; ScanTest covers whole walks",
     [](const Args& args, const resp::Reply& ours, const resp::Reply& theirs) {
       return Name(args) == "scan" && ours.elements.size() == 2 && theirs.elements.size() == 2 &&
              (ours.elements[0].text != "0" || theirs.elements[0].text != "0" || args[1] != "0" ||
               SameElements(ours.elements[1], theirs.elements[1]));
     }},
};

std::string Printable(std::string_view bytes) {
  std::string out;
  for (char c : bytes.substr(0, 200)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      char hex[5];
      std::snprintf(hex, sizeof(hex), "\\x%02x", static_cast<unsigned char>(c));
      out += hex;
    }
  }
  return out;
}

std::string Printable(const Args& args) {
  std::string out;
  for (const std::string& arg : args) out += "'" + Printable(arg) + "' ";
  return out;
}

bool Agree(const Args& args, const std::string& ours, const std::string& theirs) {
  if (ours == theirs) return true;
  const auto left = resp::ReadReply(ours), right = resp::ReadReply(theirs);
  if (!left || !right) return false;
  return std::any_of(std::begin(kDifferences), std::end(kDifferences),
                     [&](const Difference& d) { return d.covers(args, *left, *right); });
}

class DifferentialTest : public testing::Test {
 protected:
  DifferentialTest() { shard_.limits().max_value_bytes = 1 << 20; }

  // Redis keeps a key that SET gave a time in the past until somebody looks at it; ours is gone at
  // once. Looking at it makes DBSIZE comparable.
  static void FollowUp(const Args& args, std::vector<Args>* commands) {
    if (Name(args) == "set" && args.size() > 2) commands->push_back({"EXISTS", args[1]});
  }

  void Compare(const std::vector<Args>& commands) {
    shard_.set_now_ms(WallMillis());
    const std::vector<std::string> theirs = redis_.Pipeline(commands);
    for (size_t i = 0; i < commands.size(); ++i) {
      const std::string ours = shard_.Run(commands[i]);
      if (Agree(commands[i], ours, theirs[i])) continue;
      ++failures_;
      ADD_FAILURE() << Printable(commands[i]) << "\n  ours:  " << Printable(ours)
                    << "\n  Redis: " << Printable(theirs[i]);
    }
    shard_.CheckInvariants();
  }

  void Play(uint64_t seed, uint64_t count) {
    CommandGenerator generator(seed);
    for (uint64_t sent = 0; sent < count && failures_ < 20;) {
      std::vector<Args> commands;
      while (commands.size() < kBatch) {
        commands.push_back(generator.Next());
        FollowUp(commands.back(), &commands);
      }
      Compare(commands);
      sent += commands.size();
    }
  }

  resp::ReferenceRedis server_{{"--proto-max-bulk-len", "1048576"}};
  resp::ReferenceConnection redis_{server_.socket_path()};
  TestShard shard_{storage::NewMemoryEngine()};
  int failures_ = 0;
};

TEST_F(DifferentialTest, RepliesAreThoseOfRedis) {
  const uint64_t seed = FromEnvironment("KDB_SEED", 1);
  const uint64_t count = FromEnvironment("KDB_COMMANDS", 15000);
  std::printf("KDB_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Play(seed, count);
  redis_.Pipeline({{"HELLO", "3"}});
  shard_.set_version(resp::Version::kResp3);
  Play(seed + 1'000'000, count);
}

TEST(CommandGenerator, CoversEveryCommandThatRunsOnShards) {
  const auto names = CommandGenerator::Names();
  for (const redis::Command* command : redis::AllCommands()) {
    if (command->route == redis::Route::kProxy || command->route == redis::Route::kCatalog) {
      continue;
    }
    EXPECT_NE(std::find(names.begin(), names.end(), command->name), names.end())
        << command->name << " is not tested against Redis";
  }
}

}  // namespace
}  // namespace kdb::exec
