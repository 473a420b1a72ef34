#include "pkg/storage/memory_copy.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "pkg/base/coding.h"
#include "pkg/base/status.h"
#include "pkg/env/sealed_file.h"

namespace kdb::storage {
namespace {

constexpr uint8_t kVersion = 1;

std::string PathIn(const std::string& dir) { return dir + "/MEMORY"; }

class MemoryCopy final : public Copy {
 public:
  explicit MemoryCopy(PersistentMap map) : map_(std::move(map)) {}
  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    const std::string* found = map_.Find(key);
    if (found != nullptr) *value = *found;
    return found != nullptr;
  }
  std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                        std::string_view upper) const override {
    return map_.NewIterator(lower, upper);
  }
  absl::Status Verify() const override { return absl::OkStatus(); }  // when it was opened

 private:
  const PersistentMap map_;
};

}  // namespace

absl::Status WriteMemoryCopy(FileSystem& fs, const std::string& dir, const PersistentMap& map) {
  std::string body;
  auto it = map.NewIterator({}, {});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    AppendLengthPrefixed(body, it->key());
    AppendLengthPrefixed(body, it->value());
  }
  KDB_RETURN_IF_ERROR(CreateDirs(fs, dir));
  return WriteSealed(fs, PathIn(dir), kVersion, body);
}

absl::StatusOr<PersistentMap> ReadMemoryCopy(FileSystem& fs, const std::string& dir) {
  absl::StatusOr<std::string> body = ReadSealed(fs, PathIn(dir), kVersion);
  if (absl::IsDataLoss(body.status())) {
    return absl::DataLossError(
        fmt::format("{}: {}", PathIn(dir), std::string(body.status().message())));
  }
  KDB_RETURN_IF_ERROR(body.status());
  PersistentMap map;
  for (ByteReader in(*body); !in.done();) {
    const std::string_view key = in.LengthPrefixed();
    const std::string_view value = in.LengthPrefixed();
    if (!in.ok()) return absl::DataLossError(fmt::format("{}: malformed", PathIn(dir)));
    map = map.With(key, value);
  }
  return map;
}

absl::StatusOr<std::unique_ptr<Copy>> OpenMemoryCopy(FileSystem& fs, const std::string& dir) {
  KDB_ASSIGN_OR_RETURN(PersistentMap map, ReadMemoryCopy(fs, dir));
  return std::make_unique<MemoryCopy>(std::move(map));
}

}  // namespace kdb::storage
