#include "pkg/kv/digest.h"

#include "pkg/base/siphash.h"

namespace kdb::kv {

absl::StatusOr<uint64_t> StateDigest(const storage::Reader& reader) {
  // A chain: each record is hashed under the digest of those before it and its key's length, so
  // that neither order nor the border between key and value is lost.
  uint64_t digest = 0;
  auto it = reader.NewIterator({}, {});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    digest = SipHash24({digest, it->key().size()}, it->key());
    digest = SipHash24({digest, it->value().size()}, it->value());
  }
  if (absl::Status status = it->status(); !status.ok()) return status;
  return digest;
}

}  // namespace kdb::kv
