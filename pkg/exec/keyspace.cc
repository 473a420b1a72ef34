#include "pkg/exec/keyspace.h"

#include <fmt/format.h>

#include "pkg/base/status.h"

namespace kdb::exec {

namespace {

absl::Status BadHead(size_t bytes) {
  return absl::DataLossError(
      fmt::format("a key's head of {} bytes was written by a newer release, or is damaged", bytes));
}

}  // namespace

absl::Status Keyspace::Load(std::string_view key, Entry* entry) const {
  entry->user_key_ = key;
  entry->slot_ = shard::SlotOf(key);
  HeadKey(entry->slot_, key, &entry->head_key_);
  KDB_ASSIGN_OR_RETURN(entry->found_, env_.reader.Get(entry->head_key_, &entry->record_));
  if (entry->found_ && !DecodeHead(entry->record_, &entry->head_)) {
    return BadHead(entry->record_.size());
  }
  return absl::OkStatus();
}

absl::Status Keyspace::Find(std::string_view key, Entry* entry) const {
  KDB_RETURN_IF_ERROR(Load(key, entry));
  if (entry->found_ && Expired(entry->head_)) entry->found_ = false;
  return absl::OkStatus();
}

absl::Status Keyspace::FindForWrite(std::string_view key, Entry* entry) {
  KDB_RETURN_IF_ERROR(Load(key, entry));
  if (entry->found_ && Expired(entry->head_)) {
    Erase(*entry);
    entry->found_ = false;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Keyspace::IsLive(std::string_view head_bytes) const {
  Head head;
  if (!DecodeHead(head_bytes, &head)) return BadHead(head_bytes.size());
  return !Expired(head);
}

uint64_t Keyspace::Rev() {
  if (rev_ == 0) rev_ = ++*env_.rev;
  return rev_;
}

void Keyspace::MoveExpiry(const Entry& entry, std::optional<int64_t> to) {
  const std::optional<int64_t> from = entry.found_ ? entry.head_.expire_ms : std::nullopt;
  if (from == to) return;
  if (from.has_value() != to.has_value()) env_.counts.AddExpires(entry.slot_, to ? 1 : -1);
  if (from) {
    ExpiryKey(entry.slot_, *from, entry.user_key_, &key_buffer_);
    env_.writer->Delete(key_buffer_);
  }
  if (to) {
    ExpiryKey(entry.slot_, *to, entry.user_key_, &key_buffer_);
    env_.writer->Put(key_buffer_, {});
    if (env_.earliest_given_ms != nullptr) {
      *env_.earliest_given_ms = std::min(*env_.earliest_given_ms, *to);
    }
  }
}

void Keyspace::WriteScanIndex(const Entry& entry, bool present) {
  ScanKey(entry.slot_, Hash48(env_.hash_seed, entry.user_key_), entry.user_key_, &key_buffer_);
  if (present) {
    env_.writer->Put(key_buffer_, {});
  } else {
    env_.writer->Delete(key_buffer_);
  }
  env_.counts.AddKeys(entry.slot_, present ? 1 : -1);
}

void Keyspace::StoreString(Entry& entry, std::string_view value, std::optional<int64_t> expire_ms) {
  if (expire_ms && *expire_ms <= env_.now_ms) {
    if (entry.found_) Erase(entry);
    return;
  }
  Head head;
  head.rev = Rev();
  head.expire_ms = expire_ms;
  head.payload = value;
  EncodeHead(head, &value_buffer_);
  env_.writer->Put(entry.head_key_, value_buffer_);
  MoveExpiry(entry, expire_ms);
  if (!entry.found_) WriteScanIndex(entry, true);
}

void Keyspace::SetExpiry(Entry& entry, std::optional<int64_t> expire_ms) {
  if (expire_ms && *expire_ms <= env_.now_ms) return Erase(entry);
  Head head = entry.head_;
  head.rev = Rev();
  head.expire_ms = expire_ms;
  EncodeHead(head, &value_buffer_);
  env_.writer->Put(entry.head_key_, value_buffer_);
  MoveExpiry(entry, expire_ms);
}

void Keyspace::Erase(const Entry& entry) {
  Rev();
  env_.writer->Delete(entry.head_key_);
  MoveExpiry(entry, std::nullopt);
  WriteScanIndex(entry, false);
}

}  // namespace kdb::exec
