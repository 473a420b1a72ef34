// The mixed load of the fault tests: which commands to send, and what their replies say about them.
//
// Keys are registers (SET, GET, DEL), counters (INCR, GET) or lists of tokens (APPEND, GET); every
// value and token is unique. A key with several commands of unknown outcome, or with a long
// history, gives way to a fresh one: that bounds the checker's search.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/testing/history.h"

namespace kdb::e2e {

// Thread-safe.
class KeySpace {
 public:
  // Keys begin with `prefix`; `keys` of each family are in use at a time.
  KeySpace(std::string prefix, size_t keys);

  struct Choice {
    size_t slot;
    std::string key;
  };
  Choice Choose(testing::OpKind kind, Random& random);
  void CountUnknown(size_t slot);

 private:
  struct Slot {
    std::atomic<uint32_t> generation{0};
    std::atomic<uint32_t> uses{0};
    std::atomic<uint32_t> unknown{0};
  };
  void Retire(Slot& slot);

  const std::string prefix_;
  const size_t keys_;
  std::vector<Slot> slots_;  // registers, counters, lists
};

// One connection's share. Not thread-safe.
class Workload {
 public:
  Workload(KeySpace& keys, std::string client, uint64_t seed)
      : keys_(keys), client_(std::move(client)), random_(seed) {}

  struct Call {
    testing::Operation op;
    size_t slot = 0;
  };
  // One command, or a pipeline of up to 64.
  std::vector<Call> Next();
  // Milliseconds to wait before the next batch.
  uint64_t Pause() { return random_.Uniform(3); }

 private:
  Call NextCall();

  KeySpace& keys_;
  const std::string client_;
  Random random_;
  uint64_t sequence_ = 0;
};

// The command as sent.
void Encode(const testing::Operation& op, std::string* out);

}  // namespace kdb::e2e
