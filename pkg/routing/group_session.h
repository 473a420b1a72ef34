// One router's dealings with one shard group: a session of ordered, numbered write batches, at most
// two in flight, and read batches beside it. A batch without a definite answer is sent again, the
// same bytes under the same number, to whoever leads the group, until there is one.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/routing/leader_link.h"
#include "pkg/routing/log_time_estimate.h"
#include "pkg/routing/read_window.h"
#include "pkg/routing/router_metrics.h"
#include "pkg/routing/shard_op.h"
#include "pkg/routing/write_window.h"

namespace kdb::routing {

class GroupEvents {
 public:
  virtual ~GroupEvents() = default;
  // The shard's answer to an op. `result` points into a buffer that is gone afterwards.
  virtual void OnResult(OpPtr op, const wire::Result& result) = 0;
  // It cannot be known whether the op was executed.
  virtual void OnOutcomeUnknown(OpPtr op) = 0;
  // Whether older ops of its slot wait for an owner that takes them: then this one, which was not
  // sent or not executed, may not go before them; TakeBack.
  virtual bool MustWait(const ShardOp& op) = 0;
  virtual void TakeBack(OpPtr op) = 0;
  // It was answered while it waited, and is not sent.
  virtual void OnDropped(OpPtr op) = 0;
  // Call Flush soon, once for all that is queued until then.
  virtual void OnFlushWanted() = 0;
  // After HoldForResume: every earlier batch is answered. What EnqueueResumed takes now leads the
  // next batch.
  virtual void OnReadyToResume(uint64_t gid) = 0;
};

struct GroupLimits {
  size_t max_batch_ops;
  size_t max_batch_bytes;
  size_t max_in_flight;
};

// Not thread-safe: used on `executor`.
class GroupSession final : private LeaderLinkEvents {
 public:
  GroupSession(uint64_t gid, const GroupLimits& limits, ShardLinkFactory& links, Executor& executor,
               const Clock& clock, uint64_t seed, RouterMetrics& metrics, GroupEvents& events);
  ~GroupSession() override;

  uint64_t gid() const { return gid_; }
  void SetMembers(std::vector<std::string> members, const std::string& leader);

  // They only queue; Flush sends.
  void EnqueueWrite(OpPtr op);
  void EnqueueRead(OpPtr op);
  // An op that was answered `frozen`; in OnReadyToResume only, in order.
  void EnqueueResumed(OpPtr op) { resumed_.PushBack(std::move(op)); }
  void Flush();

  // The read batch that EnqueueRead adds to: see client_lanes.h.
  uint64_t forming_read_batch() const { return reads_.forming(); }
  // Forms no more batches until all are answered, then calls OnReadyToResume.
  void HoldForResume();
  bool has_leader() const { return leader_.confirmed(); }
  bool idle() const;
  // At the end: nothing may be in flight.
  void Close();

 private:
  enum Direction { kReads, kWrites };

  void OnLinkUp() override;
  void OnLinkLost() override;
  bool WantsLink() const override { return !idle(); }
  void OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms) override;
  void OnWriteReply(std::string_view batch_reply) override;
  void OnReadReply(std::string_view batch_reply) override;

  // Whether `waiting` ops should go beside a batch of `in_flight` ops, or wait for its answer: a
  // batch costs far more than an op, so the second in flight must be worth it.
  static bool WorthABatch(size_t waiting, size_t in_flight) { return waiting >= in_flight; }

  void SendReads();
  void SendReadBatch(ReadBatch& batch);
  void SendWrites();
  void ResendRefused();
  void FormBatch();
  std::vector<OpPtr> NextOps();
  void Fill(WriteBatch& batch, std::vector<OpPtr> ops);
  void Encode(WriteBatch& batch, bool resume);
  bool Resumes(const ShardOp& op);
  void NoteRefusedSlots(const ShardOp& op, wire::ResultCode code);
  void Send(WriteBatch& batch);
  OpPtr NextWrite();
  void DropAnswered(std::vector<OpPtr>& ops);

  void OnExecuted(uint64_t seq, const std::vector<wire::Result>& results);
  void OnGap(WriteBatch& batch, uint64_t last);
  void OnTrimmed(uint64_t seq);
  void OnMalformed(uint64_t seq);
  void OnDiskFull(WriteBatch& refused);
  void AnswerFull(OpPtr op);
  void AbandonSession();
  void Requeue(std::vector<OpPtr> ops);
  void BackOff(Direction direction);

  void NoteAnswer();
  // Leaves the member once every answer that is due is in.
  void LeaveWhenAnswered(std::string_view hint);
  bool AnyOutstanding() const;

  const uint64_t gid_;
  const GroupLimits limits_;
  Executor& executor_;
  const Clock& clock_;
  Random random_;
  RouterMetrics& metrics_;
  GroupEvents& events_;
  // Shared with posted tasks, which outlive this object: null when it is gone.
  std::shared_ptr<GroupSession*> self_;

  OpQueue writes_;
  OpQueue resumed_;
  WriteWindow window_;
  std::bitset<shard::kSlots> refused_;  // slots of which this session has to resume
  ReadWindow reads_;
  OpEncoder encoder_;
  LogTimeEstimate log_time_;

  uint64_t open_request_ = 0;
  bool opening_ = false;
  Clock::Duration open_asked_at_{};
  bool holding_ = false;               // HoldForResume
  std::array<bool, 2> backing_off_{};  // by Direction; busy: a timer will flush
  int refusals_ = 0;                   // in a row
  bool leaving_ = false;  // the member said that it does not lead; other answers are due
  std::string leave_hint_;

  LeaderLink leader_;  // last: its callbacks need the rest
};

}  // namespace kdb::routing
