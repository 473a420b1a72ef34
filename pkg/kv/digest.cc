#include "pkg/kv/digest.h"

#include "pkg/base/siphash.h"
#include "pkg/base/status.h"

namespace kdb::kv {

absl::StatusOr<size_t> StateHasher::Step(const storage::Reader& snapshot, size_t bytes) {
  // A chain: each key and each value is hashed under the digest of all before it.
  auto it = snapshot.NewScan(next_, {});
  size_t seen = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    if (seen > 0 && seen >= bytes) {
      next_ = it->key();
      return seen;
    }
    digest_ = SipHash24({digest_, 0}, it->key());
    digest_ = SipHash24({digest_, 1}, it->value());
    seen += it->key().size() + it->value().size();
  }
  KDB_RETURN_IF_ERROR(it->status());
  done_ = true;
  return seen;
}

absl::StatusOr<uint64_t> StateDigest(const storage::Reader& reader) {
  StateHasher hasher;
  KDB_RETURN_IF_ERROR(hasher.Step(reader, SIZE_MAX).status());
  return hasher.digest();
}

}  // namespace kdb::kv
