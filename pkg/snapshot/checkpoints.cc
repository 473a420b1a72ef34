#include "pkg/snapshot/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "pkg/base/status.h"

namespace kdb::snapshot {
namespace {

absl::Status ListFiles(FileSystem& fs, const std::string& dir, Manifest* manifest) {
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  for (const std::string& name : names) {
    KDB_ASSIGN_OR_RETURN(uint64_t bytes, fs.FileSize(dir + "/" + name));
    raftpb::SnapshotFile& file = *manifest->add_files();
    file.set_name(name);
    file.set_bytes(bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Checkpoints>> Checkpoints::Open(FileSystem& fs, const Clock& clock,
                                                               const CheckpointOptions& options,
                                                               Make make, Random random) {
  KDB_RETURN_IF_ERROR(RemoveTree(fs, options.dir));
  KDB_RETURN_IF_ERROR(CreateDirs(fs, options.dir));
  return std::unique_ptr<Checkpoints>(new Checkpoints(fs, clock, options, std::move(make), random));
}

Checkpoints::Checkpoints(FileSystem& fs, const Clock& clock, CheckpointOptions options, Make make,
                         Random random)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      make_(std::move(make)),
      random_(random) {}

// What cannot be removed now is removed at the next start.
Checkpoints::~Checkpoints() { (void)RemoveTree(fs_, options_.dir); }

absl::StatusOr<Manifest> Checkpoints::Acquire(uint64_t min_index, const std::string& resume_id) {
  Copy* copy = Find(min_index, resume_id);
  if (copy == nullptr) {
    KDB_ASSIGN_OR_RETURN(copy, MakeOne());
  }
  copy->used = clock_.Monotonic();
  if (copy->manifest.meta().index() >= min_index) return copy->manifest;
  return absl::UnavailableError(
      fmt::format("this member has applied {}, a snapshot of at least {} is wanted",
                  copy->manifest.meta().index(), min_index));
}

Checkpoints::Copy* Checkpoints::Find(uint64_t min_index, const std::string& resume_id) {
  Copy* newest = nullptr;
  for (auto& [id, copy] : copies_) {
    const uint64_t index = copy.manifest.meta().index();
    if (index < min_index) continue;
    if (id == resume_id) return &copy;
    if (newest == nullptr || index > newest->manifest.meta().index()) newest = &copy;
  }
  return newest;
}

absl::StatusOr<Checkpoints::Copy*> Checkpoints::MakeOne() {
  Manifest manifest;
  manifest.set_id(fmt::format("{:016x}", random_.Next()));
  manifest.set_cluster_id(options_.cluster_id);
  manifest.set_gid(options_.gid);
  auto make = [&]() -> absl::Status {
    KDB_ASSIGN_OR_RETURN(*manifest.mutable_meta(), make_(DirOf(manifest.id())));
    KDB_RETURN_IF_ERROR(ListFiles(fs_, DirOf(manifest.id()), &manifest));
    return Check(manifest);
  };
  if (absl::Status made = make(); !made.ok()) {
    (void)RemoveTree(fs_, DirOf(manifest.id()));  // else at the next start
    return made;
  }
  Copy& copy = copies_[manifest.id()];
  copy.manifest = std::move(manifest);
  return &copy;
}

absl::StatusOr<std::string> Checkpoints::Read(const std::string& id, int file, uint64_t offset,
                                              size_t bytes) {
  auto it = copies_.find(id);
  if (it == copies_.end()) {
    return absl::NotFoundError(fmt::format("there is no snapshot {} any more", id));
  }
  it->second.used = clock_.Monotonic();
  const Manifest& manifest = it->second.manifest;
  if (file < 0 || file >= manifest.files_size() || offset > manifest.files(file).bytes()) {
    return absl::InvalidArgumentError(
        fmt::format("snapshot {} has no file {} with a byte {}", id, file, offset));
  }
  const raftpb::SnapshotFile& entry = manifest.files(file);
  const std::string path = DirOf(id) + "/" + entry.name();
  std::string content(std::min<uint64_t>(bytes, entry.bytes() - offset), '\0');
  KDB_ASSIGN_OR_RETURN(auto source, fs_.Open(path, OpenMode::kReadOnly));
  KDB_ASSIGN_OR_RETURN(size_t got, source->ReadAt(offset, content.size(), content.data()));
  if (got == content.size()) return content;
  return absl::DataLossError(fmt::format("{} is shorter than its {} bytes", path, entry.bytes()));
}

void Checkpoints::Expire() {
  const Clock::Duration now = clock_.Monotonic();
  for (auto it = copies_.begin(); it != copies_.end();) {
    // A copy that cannot be removed now is removed at the next start.
    bool expired = now - it->second.used >= options_.keep;
    if (expired) (void)RemoveTree(fs_, DirOf(it->first));
    it = expired ? copies_.erase(it) : std::next(it);
  }
}

uint64_t Checkpoints::oldest_index() const {
  uint64_t oldest = 0;
  for (const auto& [_, copy] : copies_) {
    uint64_t index = copy.manifest.meta().index();
    if (oldest == 0 || index < oldest) oldest = index;
  }
  return oldest;
}

}  // namespace kdb::snapshot
