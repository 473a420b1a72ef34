// What a run of the load saw.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "e2e/faults/client.h"
#include "pkg/testing/history.h"

namespace kdb::e2e {

// Now, on the clock of all histories of this machine: CLOCK_MONOTONIC in nanoseconds.
int64_t Now();

// The proxy's deadline, less what clocks and threads may err: nobody is told -TIMEOUT or -UNKNOWN
// sooner.
inline constexpr std::chrono::milliseconds kPatience{9'000};

enum class Outcome { kDone, kUnknown, kRefused, kWrong };

// One connection's record. Not thread-safe.
class Recorder {
 public:
  // What `reply` says of `op`; sets its return time and result.
  Outcome Record(testing::Operation op, const Reply& reply);
  // No reply came: the connection broke, or (`hung`) it is silent.
  void RecordOpen(testing::Operation op, bool hung);
  void CountReconnect() { ++reconnects_; }
  void Add(Recorder&& other);

  const std::vector<testing::Operation>& history() const { return history_; }
  // One line of JSON.
  std::string Summary() const;

 private:
  std::vector<testing::Operation> history_;
  std::map<std::string, uint64_t> refused_;  // by error code: nothing was executed
  std::map<std::string, uint64_t> early_;    // refused_ or unknown in less than kPatience
  std::map<std::string, uint64_t> wrong_;    // errors that no command of the load may get
  uint64_t unknown_ = 0;
  uint64_t hung_ = 0;
  uint64_t reconnects_ = 0;
  int64_t slowest_ns_ = 0;
};

}  // namespace kdb::e2e
