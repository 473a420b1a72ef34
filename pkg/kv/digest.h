// A fingerprint of a replica's whole state, to compare replicas at the same applied index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/storage/engine.h"

namespace kdb::kv {

// Of every record, system records included, in bounded steps. Not against adversaries. Not
// thread-safe.
class StateHasher {
 public:
  // Goes on for about `bytes` of records, and at least one. Returns how many they were. Every call
  // gets the same snapshot.
  absl::StatusOr<size_t> Step(const storage::Reader& snapshot, size_t bytes);
  bool done() const { return done_; }
  uint64_t digest() const { return digest_; }

 private:
  uint64_t digest_ = 0;
  std::string next_;  // the least key not seen yet
  bool done_ = false;
};

// The same at once.
absl::StatusOr<uint64_t> StateDigest(const storage::Reader& reader);

}  // namespace kdb::kv
