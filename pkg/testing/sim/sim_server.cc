#include "pkg/testing/sim/sim_server.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/obs/log.h"

namespace kdb::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kRestartAfter{500};
constexpr const char* kRoleNames[] = {"raft", "log", "apply", "background", "read-1", "read-2"};
constexpr const char* kEndNames[] = {"stopped", "killed", "powered off"};

}  // namespace

SimServer::SimServer(World& world, raft::NodeId id)
    : world_(world),
      id_(id),
      name_(AddressOf(id)),
      engine_(world.watch, id),
      clock_(world.loop, kEpochMs),
      transport_(world.raft_network.Connect(id)) {
  for (const char* role : kRoleNames) executors_.push_back(world.loop.NewExecutor(role));
  SetNormalDisk();
  executors_[kApply]->SetLatency(microseconds(0), microseconds(200));
  executors_[kRead1]->SetLatency(microseconds(0), microseconds(500));
  executors_[kRead2]->SetLatency(microseconds(0), microseconds(500));
  KDB_CHECK(CreateDirs(fs_, world.scenario.replica.raft.wal_dir).ok());
}

SimServer::~SimServer() {
  if (running()) Stop(End::kKill);
}

server::ReplicaEnvironment SimServer::Environment() {
  return {.fs = fs_,
          .engine = engine_,
          .transport = *transport_,
          .clock = clock_,
          .executors = {*executors_[kRaft], *executors_[kLog], *executors_[kApply],
                        *executors_[kBackground]},
          .readers = {executors_[kRead1].get(), executors_[kRead2].get()},
          .metrics = metrics_,
          .logger = obs::NullLogger(),
          .seed = world_.loop.random().Next(),
          .on_fatal = [this](const absl::Status& status) { OnFatal(status); },
          .on_leadership = [this] { OnLeadership(); },
          // This log is never cut: no scenario writes so much.
          .on_snapshot_needed = [](std::optional<raft::Index>) {}};
}

void SimServer::Start() {
  if (running()) return;
  server::ReplicaOptions options = world_.scenario.replica;
  options.raft.wal.seed = world_.loop.random().Next() | 1;  // every life its own
  ++life_;
  powered_ = true;
  absl::StatusOr<std::unique_ptr<server::Replica>> replica =
      server::Replica::Start(options, world_.birth, id_, Environment());
  if (!replica.ok()) {
    return world_.Problem(fmt::format("{} does not start: {}", name_, replica.status().ToString()));
  }
  replica_ = *std::move(replica);
  raft::RaftStatus status = replica_->RaftStatus();
  world_.trace.Note(name_, "started: applied {}, last {}, term {}", status.applied,
                    status.last_index, status.term);
  world_.raft_network.Attach(id_, [this](std::vector<raft::Message> messages) {
    replica_->node().Deliver(std::move(messages));
  });
}

void SimServer::Stop(End how) {
  if (!running()) return;
  world_.trace.Note(name_, "{}", kEndNames[static_cast<int>(how)]);
  world_.raft_network.Attach(id_, nullptr);
  powered_ = how != End::kPowerOff;
  led_ = false;
  // A dead process answers nothing: what its destructor says is not heard.
  for (const std::shared_ptr<Stream>& stream : streams_) stream->CloseAtServer(powered_);
  streams_.clear();
  if (how == End::kPowerOff) fs_.Crash(world_.loop.random());
  if (how == End::kKill) fs_.faults().StopAfter(0);
  for (const auto& executor : executors_) executor->Drop();
  replica_.reset();
  for (const auto& executor : executors_) executor->Resume();
  fs_.faults().Clear();
  disk_fails_ = false;
  engine_.Crash(world_.loop.random());
}

void SimServer::Freeze() {
  for (const auto& executor : executors_) executor->Pause();
}

void SimServer::Starve(size_t thread) { executors_[thread]->Pause(); }

void SimServer::Thaw() {
  for (const auto& executor : executors_) executor->Resume();
}

void SimServer::SetDisk(testing::SimLoop::Duration min, testing::SimLoop::Duration max) {
  executors_[kLog]->SetLatency(min, max);
}

void SimServer::SetNormalDisk() {
  SetDisk(microseconds(200), milliseconds(2));
  fs_.faults().Clear();
}

void SimServer::FailSync() {
  if (!running()) return;
  disk_fails_ = true;
  fs_.faults().Fail(FsOp::kSync, "log", 0, absl::DataLossError("simulated EIO"));
}

void SimServer::SetDrift(double ppm) {
  clock_.SetDrift(ppm);
  for (const auto& executor : executors_) executor->SetTimerRate(clock_.timer_rate());
}

void SimServer::FailPowerAfter(uint64_t changes) {
  if (!running()) return;
  disk_fails_ = true;
  fs_.faults().StopAfter(changes);
}

std::string SimServer::LeaderAddress() const {
  return running() ? replica_->LeaderAddress() : std::string();
}

void SimServer::OnLeadership() {
  // Also called before Start has returned.
  if (!running()) return;
  raft::RaftStatus status = replica_->RaftStatus();
  world_.watch.Observed(status);
  bool leads = replica_->leads();
  if (leads != std::exchange(led_, leads)) {
    world_.trace.Note(name_, "{} term {}", leads ? "leads" : "leads no more,", status.term);
  }
  std::erase_if(streams_, [](const std::shared_ptr<Stream>& s) { return s->abandoned(); });
  if (leads) return;
  for (const std::shared_ptr<Stream>& stream : streams_) stream->Announce(LeaderAddress());
}

void SimServer::OnFatal(const absl::Status& status) {
  world_.trace.Note(name_, "fatal: {}", status.ToString());
  if (!disk_fails_) world_.Problem(fmt::format("{}: {}", name_, status.ToString()));
  // Not here: this is a task of the process that ends.
  world_.loop.After(testing::SimLoop::Duration(0), [this, life = life_] {
    if (life == life_) Stop(End::kPowerOff);
  });
  // Whatever watches over processes starts it again.
  world_.loop.After(kRestartAfter, [this] { Start(); });
}

}  // namespace kdb::sim
