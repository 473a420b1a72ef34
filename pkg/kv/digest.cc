#include "pkg/kv/digest.h"

#include "pkg/base/siphash.h"

namespace kdb::kv {

absl::StatusOr<uint64_t> StateDigest(const storage::Reader& reader) {
  // A chain: each key and each value is hashed under the digest of all before it.
  uint64_t digest = 0;
  auto it = reader.NewIterator({}, {});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    digest = SipHash24({digest, 0}, it->key());
    digest = SipHash24({digest, 1}, it->value());
  }
  if (absl::Status status = it->status(); !status.ok()) return status;
  return digest;
}

}  // namespace kdb::kv
