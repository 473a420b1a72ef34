// What the clients of a simulation asked and were told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/resp/reply_reader.h"
#include "pkg/testing/history.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {

enum class Outcome {
  kOpen,     // not answered, or -UNKNOWN: it may have happened, or still may
  kDone,     // answered
  kNothing,  // -TIMEOUT: it never happened
};

struct Call {
  std::string client;
  std::vector<std::string> args;  // "set", key, value
  int64_t call = 0;
  int64_t ret = testing::Operation::kOpen;
  Outcome outcome = Outcome::kOpen;
  bool answered = false;
  // kDone: one per key; nullopt: nil.
  std::vector<std::optional<std::string>> results{};
};

// Not thread-safe.
class OpLog {
 public:
  // `world` outlives it.
  explicit OpLog(World& world) : world_(world) {}

  // Returns the number to Answer it by.
  size_t Begin(std::string client, std::vector<std::string> args);
  // A second answer, or one that no client should see, is a problem of the world.
  Outcome Answer(size_t number, std::string_view reply);

  const std::vector<Call>& calls() const { return calls_; }

 private:
  void Decode(Call& call, const resp::Reply& reply);

  World& world_;
  std::vector<Call> calls_;
};

}  // namespace kdb::sim
