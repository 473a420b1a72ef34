// A fingerprint of a replica's whole state, to compare replicas at the same applied index.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "pkg/storage/engine.h"

namespace kdb::kv {

// Of every record, system records included. Pass a snapshot when writes go on. Not against
// adversaries.
absl::StatusOr<uint64_t> StateDigest(const storage::Reader& reader);

}  // namespace kdb::kv
