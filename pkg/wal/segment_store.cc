#include "pkg/wal/segment_store.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/check.h"
#include "pkg/base/damage.h"
#include "pkg/base/status.h"

namespace kdb::wal {
namespace {

constexpr std::string_view kSegmentSuffix = ".wal";
constexpr std::string_view kSpareSuffix = ".spare";

// The number in "<16 hexadecimal digits><suffix>".
std::optional<uint64_t> ParseName(std::string_view name, std::string_view suffix) {
  if (name.size() != 16 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + 16, number, 16);
  if (error != std::errc() || end != name.data() + 16) return std::nullopt;
  return number;
}

absl::Status FillWithZeros(File& file, uint64_t bytes) {
  const std::string zeros(std::min<uint64_t>(bytes, 1 << 20), '\0');
  for (uint64_t at = 0; at < bytes; at += zeros.size()) {
    std::string_view part(zeros.data(), std::min<uint64_t>(zeros.size(), bytes - at));
    KDB_RETURN_IF_ERROR(file.WriteAt(at, part));
  }
  return absl::OkStatus();
}

}  // namespace

SegmentStore::SegmentStore(FileSystem& fs, std::string dir, const Options& options)
    : fs_(fs),
      dir_(std::move(dir)),
      options_(options),
      random_(options.seed != 0 ? options.seed : SystemSeed()) {}

absl::StatusOr<std::unique_ptr<SegmentStore>> SegmentStore::Open(FileSystem& fs, std::string dir,
                                                                 const Options& options) {
  std::unique_ptr<SegmentStore> store(new SegmentStore(fs, std::move(dir), options));
  KDB_RETURN_IF_ERROR(store->Scan());
  return store;
}

std::string SegmentStore::PathOf(uint64_t id) const {
  return fmt::format("{}/{:016x}{}", dir_, id, kSegmentSuffix);
}

absl::Status SegmentStore::Scan() {
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> names, fs_.List(dir_));
  for (const std::string& name : names) {
    if (auto id = ParseName(name, kSegmentSuffix)) {
      found_.push_back(*id);
    } else if (auto number = ParseName(name, kSpareSuffix)) {
      {
        MutexLock lock(mu_);
        next_spare_ = std::max(next_spare_, *number + 1);
      }
      KDB_RETURN_IF_ERROR(AdoptSpare(fmt::format("{}/{}", dir_, name)));
    }
  }
  std::sort(found_.begin(), found_.end());
  if (!found_.empty()) next_id_ = found_.back() + 1;
  return absl::OkStatus();
}

// A file whose making a crash interrupted may be short.
absl::Status SegmentStore::AdoptSpare(const std::string& path) {
  KDB_ASSIGN_OR_RETURN(uint64_t size, fs_.FileSize(path));
  if (!MayKeep(size)) return fs_.Remove(path);
  MutexLock lock(mu_);
  spares_.push_back(path);
  return absl::OkStatus();
}

bool SegmentStore::MayKeep(uint64_t bytes) {
  MutexLock lock(mu_);
  return bytes == options_.segment_bytes &&
         spares_.size() < static_cast<size_t>(options_.spare_segments);
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentStore::Load(uint64_t id) const {
  std::string path = PathOf(id);
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs_.Open(path, OpenMode::kReadWrite));
  std::string bytes(kFirstRecord, '\0');
  KDB_ASSIGN_OR_RETURN(size_t n, file->ReadAt(0, bytes.size(), bytes.data()));
  absl::StatusOr<SegmentHeader> header = DecodeSegmentHeader(std::string_view(bytes).substr(0, n));
  if (!header.ok()) {
    return WithContext(fmt::format("{}, offset 0", path), header.status());
  }
  if (header->id != id) {
    return DamageError(
        fmt::format("{}, offset 16: this is segment {:x}, under a wrong name", path, header->id));
  }
  return std::make_shared<Segment>(std::move(path), std::move(file), *header);
}

std::string SegmentStore::NewSparePath() {
  MutexLock lock(mu_);
  return fmt::format("{}/{:016x}{}", dir_, next_spare_++, kSpareSuffix);
}

bool SegmentStore::HasSpare() {
  MutexLock lock(mu_);
  return !spares_.empty();
}

absl::StatusOr<SegmentStore::Blank> SegmentStore::NewBlank(uint64_t bytes, bool fill) {
  Blank blank{.path = NewSparePath(), .file = nullptr, .bytes = bytes};
  KDB_ASSIGN_OR_RETURN(blank.file, fs_.Open(blank.path, OpenMode::kCreateNew));
  absl::Status status = blank.file->Allocate(bytes);
  if (status.ok() && fill) status = FillWithZeros(*blank.file, bytes);
  if (status.ok()) return blank;
  blank.file.reset();
  fs_.Remove(blank.path).IgnoreError();  // if not now, Open does it
  return status;
}

absl::StatusOr<SegmentStore::Blank> SegmentStore::Take(uint64_t bytes, bool fill) {
  std::string path;
  if (bytes <= options_.segment_bytes) {
    bytes = options_.segment_bytes;
    MutexLock lock(mu_);
    if (!spares_.empty()) {
      path = std::move(spares_.back());
      spares_.pop_back();
    }
  }
  if (path.empty()) return NewBlank(bytes, fill);
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs_.Open(path, OpenMode::kReadWrite));
  return Blank{.path = std::move(path), .file = std::move(file), .bytes = bytes};
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentStore::Publish(Blank blank, SegmentHeader header) {
  header.id = next_id_++;
  header.incarnation = random_.Next();
  header.file_bytes = blank.bytes;
  KDB_CHECK(header.id <= UINT32_MAX, "segment ids are used up");
  KDB_RETURN_IF_ERROR(blank.file->WriteAt(0, EncodeSegmentHeader(header)));
  KDB_RETURN_IF_ERROR(blank.file->DataSync());
  std::string path = PathOf(header.id);
  KDB_RETURN_IF_ERROR(fs_.Rename(blank.path, path));
  KDB_RETURN_IF_ERROR(fs_.SyncDir(dir_));
  // Opened again so that errors name the segment, not the spare.
  KDB_ASSIGN_OR_RETURN(blank.file, fs_.Open(path, OpenMode::kReadWrite));
  return std::make_shared<Segment>(std::move(path), std::move(blank.file), header);
}

absl::Status SegmentStore::Recycle(uint64_t id) {
  std::string path = PathOf(id);
  KDB_ASSIGN_OR_RETURN(uint64_t size, fs_.FileSize(path));
  std::string spare = NewSparePath();
  // A new name may need room that a full disk does not have; to give the segment back needs none.
  bool keep = MayKeep(size) && fs_.Rename(path, spare).ok();
  if (!keep) KDB_RETURN_IF_ERROR(fs_.Remove(path));
  KDB_RETURN_IF_ERROR(fs_.SyncDir(dir_));
  if (!keep) return absl::OkStatus();
  MutexLock lock(mu_);
  spares_.push_back(std::move(spare));
  return absl::OkStatus();
}

absl::Status SegmentStore::Prepare() {
  if (options_.spare_segments == 0 || HasSpare()) return absl::OkStatus();
  KDB_ASSIGN_OR_RETURN(Blank blank, NewBlank(options_.segment_bytes, /*fill=*/true));
  KDB_RETURN_IF_ERROR(blank.file->Sync());
  MutexLock lock(mu_);
  spares_.push_back(std::move(blank.path));
  return absl::OkStatus();
}

}  // namespace kdb::wal
