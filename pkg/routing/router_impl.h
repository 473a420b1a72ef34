// The router of router.h: from commands to ops at groups and back. Parts: submitting
// (router_submit.cc), routing and results (router_impl.cc), ops that wait (router_park.cc).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/obs/latency_buffer.h"
#include "pkg/routing/client_lanes.h"
#include "pkg/routing/deadline_list.h"
#include "pkg/routing/group_session.h"
#include "pkg/routing/router.h"
#include "pkg/routing/router_errors.h"
#include "pkg/routing/router_metrics.h"
#include "pkg/routing/slot_routes.h"
#include "pkg/routing/split_call.h"

namespace kdb::routing {

class RouterImpl final : public Router, private GroupEvents {
 public:
  RouterImpl(const RouterOptions& options, ShardLinkFactory& links, Executor& executor,
             const Clock& clock, Random random, obs::Registry& metrics);
  ~RouterImpl() override;

  void SetCatalog(std::shared_ptr<const shard::SlotTable> table) override;
  void Submit(const redis::Command& command, const std::vector<std::string_view>& args,
              resp::Version version, ClientOrder& client, ReplyDone done) override;
  void SubmitToAll(const redis::Command& command, const std::vector<std::string_view>& args,
                   resp::Version version, RepliesDone done) override;
  void Forget(ClientOrder& client) override { ClientLanes::Abandon(client); }
  bool backlogged() const override { return backlogged_; }
  void SetResume(absl::AnyInvocable<void()> resume) override { resume_ = std::move(resume); }
  bool idle() const override { return queued_ops_ == 0; }
  void SetCatalogWanted(absl::AnyInvocable<void()> wanted) override {
    catalog_wanted_ = std::move(wanted);
  }
  void CloseSessions() override;

 private:
  using ArgSpan = std::span<const std::string_view>;

  struct Group {
    std::unique_ptr<GroupSession> session;
    std::vector<uint32_t> unresolved = std::vector<uint32_t>(shard::kSlots);  // ops there, by slot
  };

  // --- Submitting.
  OpPtr NewOp(const redis::Command& command, resp::Version version, ClientRef client);
  void SubmitSingle(OpPtr op, ArgSpan args);
  void SubmitSplit(OpPtr op, ArgSpan args);
  void SubmitScan(OpPtr op, ArgSpan args);
  void FanOut(OpPtr op);
  // Cuts `op`'s keys by group into parts, which go on in its place.
  void Scatter(OpPtr op, ArgSpan args, std::span<const int> positions);
  uint64_t CommonOwner(const ShardOp& op) const;
  void AddSlot(ShardOp& op, shard::Slot slot);

  // --- Routing.
  void Register(ShardOp& op);
  void Route(OpPtr op);
  void Resplit(OpPtr op);
  void Dispatch(OpPtr op);
  void Admit(OpPtr op, Path path);
  void Pump(ClientState* client, uint64_t gid);
  Group& GroupOf(uint64_t gid);

  // --- Results.
  void OnResult(OpPtr op, const wire::Result& result) override;
  void OnOutcomeUnknown(OpPtr op) override;
  void OnDropped(OpPtr op) override;
  bool MustWait(const ShardOp& op) override;
  void TakeBack(OpPtr op) override;
  void OnFlushWanted() override;
  void OnReadyToResume(uint64_t gid) override;
  void Flush();
  void ReadAgain(OpPtr op);
  void LeaveGroup(ShardOp& op);
  void LeaveLane(ShardOp& op);
  void NoteResolved(uint64_t gid, ShardOp::Slots slots);
  void Answer(ShardOp& op, PartEnd how, std::string text);
  // The end of an op that has its answer.
  void Release(OpPtr op);
  void AnswerTimeout(ShardOp& op);
  void AnswerLate(ShardOp& op, uint64_t gid);
  // What it waits for.
  Awaited AwaitedBy(const ShardOp& op) const;
  void ArmDeadline();
  void ExpireOps();
  void NoteLoad();
  void ArmPublish();
  void Publish();

  // --- Waiting.
  void OnRefused(OpPtr op, const wire::Result& result);
  void FollowMove(shard::Slot slot, const wire::Result& result);
  void DropRefused(OpPtr op);
  void Return(OpPtr op, shard::Slot slot);
  void RouteUnrouted(OpPtr op);
  void LearnOwner(shard::Slot slot, const shard::SlotOwner& owner);
  void Park(OpPtr op, shard::Slot slot);
  void TryUnpark(shard::Slot slot);
  void RouteAll(ParkedSlot& parked);
  void ArmRefusedTimer();
  void RetryRefused();

  const RouterOptions options_;
  ShardLinkFactory& links_;
  Executor& executor_;
  const Clock& clock_;
  Random random_;
  RouterMetrics metrics_;
  // Shared with posted tasks, which outlive this object: null when it is gone.
  std::shared_ptr<RouterImpl*> self_;
  absl::AnyInvocable<void()> resume_;
  absl::AnyInvocable<void()> catalog_wanted_;

  std::shared_ptr<const shard::SlotTable> table_;  // null: none yet. Shared by all routers
  SlotRoutes routes_;
  OpQueue unrouted_;            // for all groups, and there is none
  std::vector<int> positions_;  // scratch

  // Before the groups: their queues refer to it at the end.
  DeadlineList deadlines_;
  std::map<uint64_t, Group> groups_;

  uint64_t last_number_ = 0;
  size_t queued_ops_ = 0;
  size_t queued_bytes_ = 0;
  size_t parked_ops_ = 0;
  bool backlogged_ = false;
  uint64_t resuming_ = 0;  // in OnReadyToResume: of this group
  bool flush_posted_ = false;
  bool deadline_armed_ = false;
  bool refused_armed_ = false;

  obs::LatencyBuffer queue_latency_;
  obs::LatencyBuffer network_latency_;
  bool publish_armed_ = false;
  size_t published_ops_ = 0;
  size_t published_bytes_ = 0;
  size_t published_parked_ = 0;
};

}  // namespace kdb::routing
