// What every WriteBatch of an apply thread writes beside its changes (design 2): how far the state
// has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/storage/engine.h"

namespace kdb::storage {

struct SystemRecord {
  uint64_t applied_index = 0;
  uint64_t applied_term = 0;
  std::string membership;    // encoded by the owner: raft's ConfState and the members' records
  int64_t log_time_ms = 0;   // of the last entry applied
  uint64_t rev = 0;          // mutating commands applied
  uint32_t apply_level = 0;  // gates changes of semantics

  friend bool operator==(const SystemRecord&, const SystemRecord&) = default;
};

// The key of the record: slot 0xFFFF, kind 0.
std::string_view SystemRecordKey();
std::string EncodeSystemRecord(const SystemRecord& record);
// DATA_LOSS on bytes that Encode did not write or that a newer version wrote.
absl::StatusOr<SystemRecord> DecodeSystemRecord(std::string_view bytes);
// The record of an engine, or a view of one; a default one when it is empty.
absl::StatusOr<SystemRecord> ReadSystemRecord(const Reader& reader);
// What a crash would keep.
absl::StatusOr<SystemRecord> ReadPersistedSystemRecord(const Engine& engine);

}  // namespace kdb::storage
