#include "pkg/snapshot/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"

namespace kdb::snapshot {
namespace {

// Nothing of the log may go while a copy is made: it is not known yet where it will end.
constexpr uint64_t kAll = 1;

}  // namespace

Source::Source(FileSystem& fs, const Clock& clock, Executor& executor, SourceOptions options,
               Checkpoints::Make make, Random random, Hold hold, obs::Registry& metrics)
    : fs_(fs),
      clock_(clock),
      options_(std::move(options)),
      make_(std::move(make)),
      random_(random),
      hold_(std::move(hold)),
      sent_(metrics.AddCounter("kdb_snapshot_sent_bytes_total",
                               "Bytes of snapshots sent to other members")),
      made_(metrics.AddCounter("kdb_snapshot_copies_total",
                               "Copies of the state made for members that fetch it")),
      executor_(executor) {
  // An error comes again, and is told, when somebody asks.
  executor_.Post([this] { OpenCopies().IgnoreError(); });
}

Source::~Source() { executor_.Close(); }

absl::Status Source::OpenCopies() {
  if (copies_ != nullptr) return absl::OkStatus();
  KDB_ASSIGN_OR_RETURN(copies_,
                       Checkpoints::Open(
                           fs_, clock_, options_.checkpoints,
                           [this](const std::string& dir) { return MakeCopy(dir); }, random_));
  return absl::OkStatus();
}

absl::StatusOr<raftpb::SnapshotMeta> Source::MakeCopy(const std::string& dir) {
  made_.Increment();
  if (std::exchange(held_, kAll) != kAll) hold_(kAll);
  return make_(dir);
}

void Source::Ask(raftpb::SnapshotRequest request, Answer answer) {
  MutexLock lock(mu_);
  questions_.push_back({std::move(request), std::move(answer)});
  if (std::exchange(scheduled_, true)) return;
  executor_.Post([this] { Run(); });
}

void Source::Run() {
  const Clock::Duration now = clock_.Monotonic();
  if (now < next_) return executor_.PostAfter(next_ - now, [this] { Run(); });
  Question question;
  {
    MutexLock lock(mu_);
    question = std::move(questions_.front());
    questions_.pop_front();
  }
  absl::StatusOr<raftpb::SnapshotReply> reply = Reply(question.request);
  HoldLog();
  if (reply.ok() && options_.bytes_per_second > 0) {
    const double seconds = static_cast<double>(reply->data().content().size()) /
                           static_cast<double>(options_.bytes_per_second);
    next_ = std::max(next_, now - std::chrono::milliseconds(10)) +
            std::chrono::duration_cast<Clock::Duration>(std::chrono::duration<double>(seconds));
  }
  question.answer(reply);
  MutexLock lock(mu_);
  scheduled_ = !questions_.empty();
  if (scheduled_) executor_.Post([this] { Run(); });
}

absl::StatusOr<raftpb::SnapshotReply> Source::Reply(const raftpb::SnapshotRequest& request) {
  KDB_RETURN_IF_ERROR(OpenCopies());
  ExpireLater();
  if (request.has_open()) return Open(request.open());
  if (request.has_part()) return ReadPart(request.part());
  return absl::InvalidArgumentError("a request of unknown kind");
}

absl::StatusOr<raftpb::SnapshotReply> Source::Open(const raftpb::SnapshotOpen& open) {
  raftpb::SnapshotReply reply;
  KDB_ASSIGN_OR_RETURN(*reply.mutable_manifest(),
                       copies_->Acquire(open.min_index(), open.resume_id()));
  return reply;
}

absl::StatusOr<raftpb::SnapshotReply> Source::ReadPart(const raftpb::SnapshotPart& part) {
  if (part.bytes() > kMaxPartBytes) {
    return absl::InvalidArgumentError(fmt::format("{} bytes are asked for at once; the limit is {}",
                                                  part.bytes(), kMaxPartBytes));
  }
  raftpb::SnapshotReply reply;
  *reply.mutable_data()->mutable_part() = part;
  KDB_ASSIGN_OR_RETURN(
      *reply.mutable_data()->mutable_content(),
      copies_->Read(part.id(), static_cast<int>(part.file()), part.offset(), part.bytes()));
  sent_.Increment(static_cast<double>(reply.data().content().size()));
  return reply;
}

void Source::HoldLog() {
  const uint64_t index = copies_ == nullptr ? 0 : copies_->oldest_index();
  if (std::exchange(held_, index) != index) hold_(index);
}

void Source::ExpireLater() {
  if (std::exchange(expires_, true)) return;
  executor_.PostAfter(options_.checkpoints.keep, [this] {
    expires_ = false;
    copies_->Expire();
    HoldLog();
    if (copies_->oldest_index() != 0) ExpireLater();
  });
}

}  // namespace kdb::snapshot
