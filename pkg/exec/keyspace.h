// Keys as the commands see them: heads with their indexes and counts kept in step (FORMAT.md,
// "Invariants").
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/exec/encoding.h"
#include "pkg/exec/executor.h"

namespace kdb::exec {

// A key that was looked up; reusable for another one.
class Entry {
 public:
  bool found() const { return found_; }
  const Head& head() const { return head_; }
  // A string's bytes, valid until the entry is looked up or stored again.
  std::string_view value() const { return head_.payload; }
  bool is_string() const { return head_.type == Type::kString; }

 private:
  friend class Keyspace;

  bool found_ = false;
  shard::Slot slot_ = 0;
  std::string_view user_key_;
  std::string head_key_;
  std::string record_;  // the head's bytes
  Head head_;
};

// Whether the key's time has come; notes it in `env` when it has.
inline bool Expired(const Environment& env, const Head& head) {
  if (!head.expire_ms || *head.expire_ms > std::min(env.now_ms, env.hide_until_ms)) return false;
  if (env.newest_hidden_ms != nullptr) {
    *env.newest_hidden_ms = std::max(*env.newest_hidden_ms, *head.expire_ms);
  }
  return true;
}

// For one command. Errors are the engine's, or DATA_LOSS for a record that cannot be read.
class Keyspace {
 public:
  explicit Keyspace(Environment& env) : env_(env) {}

  int64_t now_ms() const { return env_.now_ms; }

  // Not found when the key's time has come. `key` must live as long as the entry is used.
  absl::Status Find(std::string_view key, Entry* entry) const;
  // The same for a command that writes: it deletes a key whose time has come.
  absl::Status FindForWrite(std::string_view key, Entry* entry);

  // Whether the key of a head, given by its bytes, is there: its time has not come.
  absl::StatusOr<bool> IsLive(std::string_view head_bytes) const;

  // Creates or replaces the key of `entry`, which is as FindForWrite left it. With an expiry that
  // has passed the key is gone instead. `value` must not point into `entry`. The entry must be
  // looked up again before further use.
  void StoreString(Entry& entry, std::string_view value, std::optional<int64_t> expire_ms);
  // Of an entry that was found.
  void SetExpiry(Entry& entry, std::optional<int64_t> expire_ms);
  void Erase(const Entry& entry);

 private:
  absl::Status Load(std::string_view key, Entry* entry) const;
  bool Expired(const Head& head) const { return exec::Expired(env_, head); }
  void MoveExpiry(const Entry& entry, std::optional<int64_t> to);
  void WriteScanIndex(const Entry& entry, bool present);
  // One step of the group's counter per command, at its first change.
  uint64_t Rev();

  Environment& env_;
  uint64_t rev_ = 0;
  std::string key_buffer_;
  std::string value_buffer_;
};

}  // namespace kdb::exec
