// For tests: commands on a memory engine, as a shard runs them.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/exec/executor.h"
#include "pkg/storage/engine.h"
#include "pkg/storage/system_record.h"

namespace kdb::exec {

class TestCounts final : public KeyCounts {
 public:
  uint64_t Keys(shard::Slot slot) const override { return keys_[slot]; }
  uint64_t Expires(shard::Slot slot) const override { return expires_[slot]; }
  void AddKeys(shard::Slot slot, int64_t delta) override { keys_[slot] += delta; }
  void AddExpires(shard::Slot slot, int64_t delta) override { expires_[slot] += delta; }

 private:
  std::array<uint64_t, shard::kSlots> keys_{};
  std::array<uint64_t, shard::kSlots> expires_{};
};

// Every command is its own write, unless a batch is kept open.
class TestShard {
 public:
  explicit TestShard(std::unique_ptr<storage::Engine> engine);
  ~TestShard();

  // The encoded reply of a command, in the version set; "STATUS ..." for a status that is not OK.
  std::string Run(const std::vector<std::string>& args);
  // The same of a line split at spaces; '' is an empty argument.
  std::string operator()(std::string_view line);
  // Every reader uses the engine alone, not the overlay: as read batches do.
  std::string Read(const std::vector<std::string>& args);
  // Runs the logged expiry step.
  absl::StatusOr<size_t> DeleteExpired(size_t limit, shard::Slot* slot);
  absl::StatusOr<int64_t> EarliestExpiry();

  // While open, commands see each other through the overlay only.
  void OpenBatch() { batch_open_ = true; }
  // Writes it, with `record` in it when there is one.
  void CloseBatch(const storage::SystemRecord* record = nullptr);

  // After the engine lost writes: forgets the open batch, counts the keys again, and takes rev from
  // the system record.
  void Recover();

  // Checks FORMAT.md's invariants over all records; adds to gtest's failures.
  void CheckInvariants();

  void set_now_ms(int64_t now_ms) { now_ms_ = now_ms; }
  int64_t now_ms() const { return now_ms_; }
  void set_version(resp::Version version) { version_ = version; }
  SlotSet& owned() { return owned_; }
  Limits& limits() { return limits_; }
  uint64_t rev() const { return rev_; }
  // The latest expiry of the keys that were hidden so far.
  int64_t newest_hidden_ms() const { return newest_hidden_ms_; }
  storage::Engine& engine() { return *engine_; }
  TestCounts& counts() { return counts_; }

 private:
  Environment Env(const storage::Reader& reader, storage::Overlay* writer);
  std::string Execute(const std::vector<std::string>& args, const storage::Reader& reader,
                      storage::Overlay* writer);

  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<storage::WriteBatch> batch_;
  storage::Overlay overlay_;
  bool batch_open_ = false;
  TestCounts counts_;
  SlotSet owned_;
  Limits limits_;
  int64_t now_ms_ = 1'700'000'000'000;
  uint64_t rev_ = 0;
  int64_t newest_hidden_ms_ = 0;
  resp::Version version_ = resp::Version::kResp2;
};

}  // namespace kdb::exec
