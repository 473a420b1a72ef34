// What clients used commands for: what INFO's Stats, Commandstats, Errorstats and Latencystats
// tell. Each I/O thread counts for itself and hands its share to the totals now and then.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/redis/command.h"

namespace kdb::proxy {

// Values in buckets of which each is at most 1/16 wider than its lower bound. Takes no memory until
// it is used. Not thread-safe.
class LatencyHistogram {
 public:
  void Observe(std::chrono::nanoseconds latency);
  void Add(const LatencyHistogram& other);
  // Of which the part `quantile` (0 to 1) is not above; 0 without values.
  std::chrono::nanoseconds Percentile(double quantile) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

// Of one command.
struct CommandUse {
  uint64_t calls = 0;                // executed, those that failed included
  uint64_t failed = 0;               // answered with an error
  uint64_t rejected = 0;             // answered with an error that says that nothing was executed
  std::chrono::nanoseconds spent{};  // of `calls`, from the command read to its reply queued
  LatencyHistogram latency;

  void Add(const CommandUse& other);
  bool used() const { return calls > 0 || rejected > 0; }
};

// Commands and subcommands by small numbers; 0 is no command. Thread-safe.
class CommandIndex {
 public:
  CommandIndex();
  uint8_t Of(const redis::Command* command) const;
  const redis::Command* At(uint8_t index) const { return commands_[index]; }
  size_t size() const { return commands_.size(); }

 private:
  void AddAll(std::span<const redis::Command> commands);

  std::vector<const redis::Command*> commands_{nullptr};
  std::unordered_map<const redis::Command*, uint8_t> index_;
};

// Not thread-safe.
struct CommandUsage {
  std::vector<CommandUse> commands;                     // by CommandIndex
  std::map<std::string, uint64_t, std::less<>> errors;  // replies, by code; see kMostErrorCodes
  uint64_t error_replies = 0;
  // Keys looked up and found, or not, by commands whose reply tells: GET GETDEL GETEX GETSET MGET
  // TTL PTTL EXPIRETIME PEXPIRETIME TYPE.
  uint64_t hits = 0;
  uint64_t misses = 0;

  void Add(const CommandUsage& other);
};

// Counts replies into a CommandUsage. Not thread-safe.
class UsageCounter {
 public:
  explicit UsageCounter(const CommandIndex& index);

  void Note(uint8_t command, std::chrono::nanoseconds latency, std::string_view reply);
  // What was counted since the last time.
  CommandUsage Take();

 private:
  // How a reply tells whether keys were found.
  enum class Tells : uint8_t { kNothing, kNull, kNulls, kMinusTwo, kNone };

  void NoteError(std::string_view reply);
  void NoteLookup(Tells tells, std::string_view reply);
  void CountElements(std::string_view array);

  std::vector<Tells> tells_;  // by CommandIndex
  CommandUsage usage_;
};

struct Traffic {
  uint64_t commands = 0;
  uint64_t received = 0;  // bytes
  uint64_t sent = 0;
};

// All threads'. Thread-safe.
class UsageTotals {
 public:
  // `now` is monotonic, and so below.
  void Add(const CommandUsage& share, const Traffic& traffic, Clock::Duration now);
  CommandUsage Get() const;
  // Of the last two seconds, per second.
  Traffic Rate(Clock::Duration now) const;
  // CONFIG RESETSTAT. What a thread has not handed over yet counts from now on.
  void Reset();

 private:
  struct Span {
    int64_t number = -1;  // of kSpan since the clock's zero
    Traffic traffic;
  };

  mutable Mutex mu_;
  CommandUsage usage_ ABSL_GUARDED_BY(mu_);
  std::array<Span, 8> spans_ ABSL_GUARDED_BY(mu_);  // the newest ones
};

// Distinct codes that are counted; what comes beyond counts as "OTHER".
inline constexpr size_t kMostErrorCodes = 64;

}  // namespace kdb::proxy
