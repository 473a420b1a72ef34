#include "pkg/snapshot/fetcher.h"

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"

namespace kdb::snapshot {

// One connection. What it says is heard on the executor, and only while it is the present one.
class Fetcher::Attempt final : public LinkHandler {
 public:
  Attempt(Fetcher& fetcher, uint64_t number) : fetcher_(fetcher), number_(number) {}

  bool Open() { return (link_ = fetcher_.connect_(*this)) != nullptr; }
  Link& link() { return *link_; }

  void OnReply(raftpb::SnapshotReply reply) override {
    fetcher_.executor_.Post(
        [&f = fetcher_, n = number_, reply = std::move(reply)] { f.OnReply(n, reply); });
  }
  void OnBroken(const absl::Status& why) override {
    fetcher_.executor_.Post([&f = fetcher_, n = number_, why] { f.OnBroken(n, why); });
  }

 private:
  Fetcher& fetcher_;
  const uint64_t number_;
  std::unique_ptr<Link> link_;
};

Fetcher::Fetcher(FileSystem& fs, const Clock& clock, Executor& executor, FetcherOptions options,
                 Connect connect, std::function<void()> on_fetched, obs::Logger logger,
                 obs::Registry& metrics)
    : clock_(clock),
      options_(std::move(options)),
      connect_(std::move(connect)),
      on_fetched_(std::move(on_fetched)),
      logger_(std::move(logger)),
      fetched_(metrics.AddCounter("kdb_snapshot_fetched_bytes_total",
                                  "Bytes of snapshots fetched from other members")),
      failures_(
          metrics.AddCounter("kdb_snapshot_fetch_failures_total",
                             "Connections to fetch a snapshot that ended before it was here")),
      receiver_(fs, options_.receiver),
      backoff_(options_.min_backoff),
      executor_(executor) {
  executor_.PostAfter(options_.forget_after, [this] {
    if (!wanted_ && !done_) Drop();
  });
}

Fetcher::~Fetcher() {
  executor_.Close();
  attempt_ = nullptr;
}

void Fetcher::Want(std::optional<uint64_t> min_index) {
  executor_.Post([this, min_index] {
    if (done_) return;
    const bool begins = min_index && !wanted_;
    const bool ends = !min_index && wanted_;
    wanted_ = min_index;
    if (begins) {
      began_ = clock_.Monotonic();
      Begin();
    }
    if (ends) Drop();
  });
}

void Fetcher::Begin() {
  if (!wanted_ || attempt_ != nullptr) return;
  absl::StatusOr<Receiver::Requests> requests = receiver_.Open(*wanted_);
  if (!requests.ok()) return GiveUp(requests.status());
  attempt_ = std::make_unique<Attempt>(*this, ++attempts_);
  if (!attempt_->Open()) return GiveUp(absl::UnavailableError("no leader is known"));
  heard_ = clock_.Monotonic();
  Ask(*requests);
  WatchSilence();
}

void Fetcher::Ask(const Receiver::Requests& requests) {
  for (const raftpb::SnapshotRequest& request : requests) attempt_->link().Ask(request);
}

void Fetcher::OnReply(uint64_t attempt, const raftpb::SnapshotReply& reply) {
  if (!IsPresent(attempt)) return;
  heard_ = clock_.Monotonic();
  if (absl::Status taken = Take(reply); !taken.ok()) return GiveUp(taken);
  if (receiver_.done()) Fetched();
}

absl::Status Fetcher::Take(const raftpb::SnapshotReply& reply) {
  KDB_ASSIGN_OR_RETURN(Receiver::Requests requests, receiver_.OnReply(reply));
  if (reply.has_manifest()) {
    logger_->info("fetches snapshot {} of index {}: {} bytes, {} are here", reply.manifest().id(),
                  reply.manifest().meta().index(), receiver_.progress().total_bytes,
                  receiver_.progress().staged_bytes);
  } else {
    fetched_.Increment(static_cast<double>(reply.data().content().size()));
    backoff_ = options_.min_backoff;
  }
  Ask(requests);
  return absl::OkStatus();
}

void Fetcher::OnBroken(uint64_t attempt, const absl::Status& why) {
  if (IsPresent(attempt)) GiveUp(why);
}

void Fetcher::GiveUp(const absl::Status& why) {
  attempt_ = nullptr;
  failures_.Increment();
  logger_->warn("fetching a snapshot: {}; tries again", std::string(why.message()));
  executor_.PostAfter(backoff_, [this] { Begin(); });
  backoff_ = std::min(2 * backoff_, options_.max_backoff);
}

void Fetcher::WatchSilence() {
  executor_.PostAfter(options_.silence, [this, attempt = attempts_] {
    if (!IsPresent(attempt)) return;
    if (clock_.Monotonic() - heard_ < options_.silence) return WatchSilence();
    GiveUp(absl::DeadlineExceededError("the other side says nothing"));
  });
}

void Fetcher::Drop() {
  attempt_ = nullptr;
  if (absl::Status s = receiver_.Drop(); !s.ok()) {
    logger_->warn("a snapshot that is not wanted any more is not removed: {}",
                  std::string(s.message()));
  }
}

void Fetcher::Fetched() {
  attempt_ = nullptr;
  wanted_.reset();
  done_ = true;
  logger_->info(
      "fetched a snapshot of {} bytes in {} s", receiver_.progress().total_bytes,
      std::chrono::duration_cast<std::chrono::seconds>(clock_.Monotonic() - began_).count());
  on_fetched_();
}

}  // namespace kdb::snapshot
