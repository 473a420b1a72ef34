#include "pkg/snapshot/receiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"

namespace kdb::snapshot {

absl::StatusOr<Receiver::Requests> Receiver::Open(uint64_t min_index) {
  min_index_ = min_index;
  opened_ = true;
  waiting_ = 0;
  Requests requests(1);
  requests[0].mutable_open()->set_min_index(min_index);
  KDB_ASSIGN_OR_RETURN(*requests[0].mutable_open()->mutable_resume_id(), BegunId());
  return requests;
}

absl::StatusOr<std::string> Receiver::BegunId() const {
  if (staging_ != nullptr) return staging_->manifest().id();
  KDB_ASSIGN_OR_RETURN(auto begun, Staging::Begun(fs_, options_.paths));
  return begun ? begun->id() : "";
}

absl::StatusOr<Receiver::Requests> Receiver::OnReply(const raftpb::SnapshotReply& reply) {
  if (reply.has_manifest() && opened_) return Begin(reply.manifest());
  if (reply.has_data() && waiting_ > 0 && staging_ != nullptr) return Take(reply.data());
  return absl::InvalidArgumentError("a snapshot's sender answered what was not asked");
}

absl::StatusOr<Receiver::Requests> Receiver::Begin(const Manifest& manifest) {
  opened_ = false;
  KDB_RETURN_IF_ERROR(Check(manifest));
  if (manifest.cluster_id() != options_.cluster_id || manifest.gid() != options_.gid) {
    return absl::InvalidArgumentError(
        fmt::format("a snapshot of group {} of cluster {} was offered to a member of group {} of "
                    "cluster {}",
                    manifest.gid(), manifest.cluster_id(), options_.gid, options_.cluster_id));
  }
  if (manifest.meta().index() < min_index_) {
    return absl::InvalidArgumentError(fmt::format("a snapshot of index {}, at least {} was wanted",
                                                  manifest.meta().index(), min_index_));
  }
  // A part of a file that was written in this life is there; after a restart it might not be.
  bool goes_on = staging_ != nullptr &&
                 staging_->manifest().SerializeAsString() == manifest.SerializeAsString();
  if (!goes_on) {
    KDB_ASSIGN_OR_RETURN(staging_, Staging::Open(fs_, options_.paths, manifest));
  }
  asked_ = staging_->next().value_or(Staging::Position{.file = manifest.files_size(), .offset = 0});
  return AskOrCommit();
}

absl::StatusOr<Receiver::Requests> Receiver::Take(const raftpb::SnapshotData& data) {
  const Staging::Position next = *staging_->next();
  const raftpb::SnapshotPart& part = data.part();
  if (part.id() != staging_->manifest().id() || part.file() != static_cast<uint32_t>(next.file) ||
      part.offset() != next.offset || part.bytes() != data.content().size()) {
    return absl::InvalidArgumentError(
        fmt::format("a snapshot's sender answered file {} from byte {}, file {} from byte {} was "
                    "asked for",
                    part.file(), part.offset(), next.file, next.offset));
  }
  --waiting_;
  if (absl::Status s = staging_->Append(data.content()); !s.ok()) {
    staging_ = nullptr;  // the file under way is not to be trusted
    return s;
  }
  return AskOrCommit();
}

absl::StatusOr<Receiver::Requests> Receiver::AskOrCommit() {
  const Manifest& manifest = staging_->manifest();
  Requests requests;
  while (waiting_ < options_.window && asked_.file < manifest.files_size()) {
    const uint64_t left = manifest.files(asked_.file).bytes() - asked_.offset;
    if (left == 0) {
      asked_ = {.file = asked_.file + 1, .offset = 0};
      continue;
    }
    raftpb::SnapshotPart& part = *requests.emplace_back().mutable_part();
    part.set_id(manifest.id());
    part.set_file(asked_.file);
    part.set_offset(asked_.offset);
    part.set_bytes(static_cast<uint32_t>(std::min<uint64_t>(left, options_.part_bytes)));
    asked_.offset += part.bytes();
    ++waiting_;
  }
  if (!staging_->next()) KDB_RETURN_IF_ERROR(Commit());
  return requests;
}

absl::Status Receiver::Commit() {
  const std::string dir = options_.paths.incoming();
  if (absl::Status wrong = options_.verify(dir, staging_->manifest()); !wrong.ok()) {
    KDB_RETURN_IF_ERROR(Drop());
    return wrong;
  }
  KDB_RETURN_IF_ERROR(staging_->Commit());
  done_ = true;
  return absl::OkStatus();
}

absl::Status Receiver::Drop() {
  staging_ = nullptr;
  return DropIncoming(fs_, options_.paths);
}

Receiver::Progress Receiver::progress() const {
  if (staging_ == nullptr) return {};
  return {.staged_bytes = staging_->staged_bytes(), .total_bytes = staging_->total_bytes()};
}

}  // namespace kdb::snapshot
