// Replica's reads: linearizable by ReadIndex, executed on the readers.
#include <optional>
#include <utility>

#include "pkg/base/damage.h"
#include "pkg/server/replica.h"

namespace kdb::server {
namespace {

// After an early execution in vain, so many reads go without.
constexpr int kEarlyPause = 8;

}  // namespace

// Counts a read as under way for as long as its closure lives, run or dropped.
class Replica::ReadToken {
 public:
  explicit ReadToken(Replica& replica) : replica_(&replica) {
    MutexLock lock(replica_->mu_);
    ++replica_->reads_;
  }
  ReadToken(ReadToken&& other) noexcept : replica_(std::exchange(other.replica_, nullptr)) {}
  ReadToken& operator=(ReadToken&&) = delete;
  ~ReadToken() {
    if (replica_ == nullptr) return;
    MutexLock lock(replica_->mu_);
    if (--replica_->reads_ == 0) replica_->reads_done_.NotifyAll();
  }

 private:
  Replica* replica_;
};

// A read batch that is executed while its read point is being confirmed, which takes about as long.
// What was executed counts if nothing was applied in between: then the state was that of the point.
struct Replica::UnderWay {
  UnderWay(Replica& replica, std::string batch, uint64_t id, ReplyDone done)
      : token(replica), batch(std::move(batch)), id(id), done(std::move(done)) {}

  struct Early {
    absl::StatusOr<std::string> reply;
    raft::Index applied = 0;  // the state had at least this
    bool needs_tick = false;
  };

  const ReadToken token;
  const std::string batch;
  const uint64_t id;
  ReplyDone done;  // called by whoever is second

  Mutex mu;
  std::optional<Early> early ABSL_GUARDED_BY(mu);
  bool tried_early ABSL_GUARDED_BY(mu) = false;
  std::optional<absl::Status> point ABSL_GUARDED_BY(mu);  // confirmed, or why not
  raft::Index applied_at_point ABSL_GUARDED_BY(mu) = 0;
};

void Replica::Read(std::string batch, uint64_t id, ReplyDone done) {
  if (leads() && !proposer_.Synced()) {
    // Its answer would carry a time that lies behind: proxies reckon deadlines by it.
    return done(Payload(
        Refusal(batch, id, absl::UnavailableError("the members' clocks are not known yet"))));
  }
  auto start = env_.clock.Monotonic();
  MutexLock lock(node_mu_);
  if (stopping_) return done(absl::UnavailableError("stopping"));
  auto timed = [this, start, done = std::move(done)](absl::StatusOr<Payload> reply) mutable {
    read_latency_.Observe(std::chrono::duration<double>(env_.clock.Monotonic() - start).count());
    done(std::move(reply));
  };
  // Shared by its execution and its confirmation, which run side by side.
  auto read = std::make_shared<UnderWay>(*this, std::move(batch), id, std::move(timed));
  if (leads() && early_pause_.fetch_sub(1, std::memory_order_relaxed) <= 0) {
    early_pause_.store(0, std::memory_order_relaxed);
    MutexLock read_lock(read->mu);
    read->tried_early = true;
    PostRead([this, read] { ExecuteEarly(read); });
  }
  node_->Read([this, read](const absl::Status& status) { OnReadPoint(read, status); });
}

void Replica::ExecuteEarly(const std::shared_ptr<UnderWay>& read) {
  UnderWay::Early early;
  early.applied = state_->applied_index();  // before the snapshot is taken
  early.reply = ReadState(read->batch, read->id, &early.needs_tick);
  {
    MutexLock lock(read->mu);
    read->early = std::move(early);
    if (!read->point.has_value()) return;
  }
  FinishRead(read);
}

void Replica::OnReadPoint(const std::shared_ptr<UnderWay>& read, const absl::Status& status) {
  {
    MutexLock lock(read->mu);
    read->point = status;
    read->applied_at_point = state_->applied_index();
    if (read->tried_early && !read->early.has_value()) return;
  }
  FinishRead(read);
}

// Both are done, and nobody else holds the read any more.
void Replica::FinishRead(const std::shared_ptr<UnderWay>& read) {
  MutexLock lock(read->mu);
  if (!read->point->ok()) {
    return read->done(Payload(Refusal(read->batch, read->id, *read->point)));
  }
  if (read->early && !read->early->needs_tick && read->early->applied >= read->applied_at_point) {
    return read->done(AnswerOf(read->batch, read->id, std::move(read->early->reply)));
  }
  if (read->early) early_pause_.store(kEarlyPause, std::memory_order_relaxed);
  PostRead([this, read] { ExecuteRead(read->batch, read->id, std::move(read->done)); });
}

absl::StatusOr<std::string> Replica::ReadState(std::string_view batch, uint64_t id,
                                               bool* needs_tick) {
  absl::StatusOr<std::string> reply = state_->Read(batch, id, proposer_.NowMs(), needs_tick);
  if (!reply.ok()) OnFatal(WithContext("reading the state", reply.status()));
  return reply;
}

Payload Replica::AnswerOf(std::string_view batch, uint64_t id,
                          absl::StatusOr<std::string> reply) const {
  if (reply.ok()) return Payload(*std::move(reply));
  return Payload(Refusal(batch, id, absl::UnavailableError("the state cannot be read")));
}

void Replica::PostRead(Task read) {
  size_t next = next_reader_.fetch_add(1, std::memory_order_relaxed);
  env_.readers[next % env_.readers.size()]->Post(std::move(read));
}

void Replica::ExecuteRead(std::string batch, uint64_t id, ReplyDone done) {
  bool needs_tick = false;
  absl::StatusOr<std::string> reply = ReadState(batch, id, &needs_tick);
  if (!needs_tick) return done(AnswerOf(batch, id, std::move(reply)));
  // Something expired by this clock but not by log time: log time moves first, so that it never
  // runs backwards over a fail-over (design 4).
  proposer_.Propose(kv::EntryKind::kTick, {},
                    [this, batch = std::move(batch), id,
                     done = std::move(done)](absl::StatusOr<Payload> ticked) mutable {
                      if (raftnode::IsDiskFull(ticked.status())) {
                        return ExecuteReadWithoutTick(std::move(batch), id, std::move(done));
                      }
                      if (!ticked.ok()) return done(Payload(Refusal(batch, id, ticked.status())));
                      Read(std::move(batch), id, std::move(done));
                    });
}

// By log time the key is still there, and nobody was told otherwise: whoever hides it commits a
// time first. Without room for that one the read would be refused for as long as the disk is full.
// The state is still new enough: the read point that was waited for is only further behind.
void Replica::ExecuteReadWithoutTick(std::string batch, uint64_t id, ReplyDone done) {
  PostRead([this, token = ReadToken(*this), batch = std::move(batch), id,
            done = std::move(done)]() mutable {
    done(AnswerOf(batch, id, ReadState(batch, id, nullptr)));
  });
}

}  // namespace kdb::server
