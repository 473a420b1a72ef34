#include "pkg/kv/replica_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "pkg/raft/conf_change.h"

namespace kdb::kv {

catalog::BirthCertificate TestBirth() {
  catalog::BirthCertificate birth;
  birth.set_cluster_id("test-cluster");
  birth.set_gid(7);
  birth.add_hash_seed(11);
  birth.add_hash_seed(22);
  for (uint64_t id : {1, 2, 3}) {
    catalog::Member& member = *birth.add_members();
    member.set_id(id);
    member.set_address(fmt::format("kv-{}:1", id));
  }
  return birth;
}

absl::StatusOr<bool> FullDiskEngine::Get(std::string_view key, std::string* value) const {
  return memory_->Get(key, value);
}
std::unique_ptr<storage::Iterator> FullDiskEngine::NewIterator(std::string_view lower,
                                                               std::string_view upper) const {
  return memory_->NewIterator(lower, upper);
}
std::unique_ptr<storage::WriteBatch> FullDiskEngine::NewBatch() { return memory_->NewBatch(); }
absl::Status FullDiskEngine::Write(storage::WriteBatch& batch) {
  if (full) return absl::ResourceExhaustedError("no space left on the device");
  ++writes;
  records_written += batch.count();
  before_write();
  absl::Status status = memory_->Write(batch);
  after_write();
  return status;
}
std::unique_ptr<storage::Snapshot> FullDiskEngine::NewSnapshot() const {
  before_snapshot();
  auto snapshot = memory_->NewSnapshot();
  after_snapshot();
  return snapshot;
}
absl::StatusOr<bool> FullDiskEngine::GetPersisted(std::string_view key, std::string* value) const {
  return memory_->GetPersisted(key, value);
}
absl::Status FullDiskEngine::Flush() {
  if (full) return absl::ResourceExhaustedError("no space left on the device");
  return memory_->Flush();
}
absl::Status FullDiskEngine::Checkpoint(const std::string& dir) { return memory_->Checkpoint(dir); }
absl::StatusOr<std::unique_ptr<storage::Copy>> FullDiskEngine::OpenCopy(
    const std::string& dir) const {
  return memory_->OpenCopy(dir);
}
uint64_t FullDiskEngine::ApproximateBytes() const { return memory_->ApproximateBytes(); }
uint64_t FullDiskEngine::UnflushedRangeDeletes() const { return memory_->UnflushedRangeDeletes(); }

uint64_t LogBuilder::Raw(std::string bytes) {
  raftnode::CommittedEntry committed;
  committed.entry = {.index = log_.size() + 1, .term = term, .data = Payload(std::move(bytes))};
  log_.push_back(std::move(committed));
  return Last();
}

uint64_t LogBuilder::Own(std::vector<shard::Slot> slots, uint64_t epoch, uint64_t assignment) {
  return Add(EntryKind::kOwnSlots,
             EncodeOwnSlots({.slots = std::move(slots), .epoch = epoch, .assignment = assignment}));
}

uint64_t LogBuilder::OwnAll() {
  std::vector<shard::Slot> all(shard::kSlots);
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) all[slot] = slot;
  return Own(std::move(all));
}

uint64_t LogBuilder::Conf(const raftnode::Membership& before, const raft::ConfChange& change) {
  Raw(raft::EncodeConfChange(change));
  log_.back().entry.type = raft::EntryType::kConfChange;
  log_.back().membership = std::make_shared<const raftnode::Membership>(raftnode::AfterChange(
      before, change, *raft::Changed(before.conf, change), log_.back().entry.index));
  return Last();
}

uint64_t LogBuilder::Batch(const wire::BatchHeader& header, const std::vector<wire::Op>& ops) {
  return Add(EntryKind::kBatch, EncodedBatch(header, ops));
}

wire::Op CommandOp(std::string_view line) {
  wire::CommandArgs args;
  while (!line.empty()) {
    size_t space = std::min(line.find(' '), line.size());
    args.push_back(line.substr(0, space));
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  wire::Op op;
  const redis::Command* command = nullptr;
  if (redis::Resolve(args, &command).ok()) {
    std::vector<int> positions;
    redis::KeyPositions(*command, args, &positions);
    for (int position : positions) {
      op.slots.push_back(shard::SlotOf(args[static_cast<size_t>(position)]));
    }
  }
  op.commands.push_back(std::move(args));
  return op;
}

std::string EncodedBatch(const wire::BatchHeader& header, const std::vector<wire::Op>& ops) {
  wire::BatchBuilder builder;
  for (const wire::Op& op : ops) builder.AddOp(op);
  return builder.Finish(header);
}

absl::Status ApplyAndCommit(ShardState& state, std::span<const raftnode::CommittedEntry> entries,
                            std::vector<Payload>* results) {
  const size_t before = results->size();
  absl::Status status = state.Apply(entries, results);
  if (status.ok()) status = state.Commit();
  if (!status.ok()) results->resize(before);
  return status;
}

Replica::Replica(ShardOptions options) : options_(options) { Reopen(); }

void Replica::Reopen() {
  state_.reset();
  metrics_ = std::make_unique<obs::Registry>();
  auto state = ShardState::Open(options_, TestBirth(), engine_, *metrics_);
  if (!state.ok()) throw std::runtime_error(state.status().ToString());
  state_ = *std::move(state);
}

std::vector<Payload> Replica::CatchUp(const Log& log, size_t chunk) {
  std::vector<Payload> results;
  for (size_t at = state_->applied().index; at < log.size();) {
    size_t n = std::min(chunk, log.size() - at);
    absl::Status status = ApplyAndCommit(*state_, std::span(log).subspan(at, n), &results);
    EXPECT_TRUE(status.ok()) << status;
    if (!status.ok()) break;
    at += n;
  }
  return results;
}

void Replica::Crash(Random& random) {
  state_.reset();
  engine_.Crash(random);
  Reopen();
}

uint64_t Replica::Digest() const {
  auto digest = StateDigest(engine_);
  EXPECT_TRUE(digest.ok()) << digest.status();
  return digest.value_or(0);
}

std::string ReplicaTest::Apply() {
  std::vector<Payload> results = replica_.CatchUp(log_.log());
  return results.empty() ? std::string() : std::string(results.back().view());
}

uint64_t ReplicaTest::OpenSession() {
  log_.Add(EntryKind::kOpenSession);
  session_ = LoadLittle<uint64_t>(Apply().data());
  seq_ = 0;
  return session_;
}

const wire::BatchReply& ReplicaTest::Send(const wire::BatchHeader& header,
                                          const std::vector<wire::Op>& ops) {
  log_.Batch(header, ops);
  bytes_ = Apply();
  auto reply = wire::DecodeBatchReply(bytes_);
  EXPECT_TRUE(reply.ok()) << reply.status();
  reply_ = reply.ok() ? *std::move(reply) : wire::BatchReply();
  return reply_;
}

std::string ReplicaTest::Run(std::string_view line) {
  if (session_ == 0) {
    log_.OwnAll();
    OpenSession();
  }
  ++seq_;
  Send({.session = session_, .seq = seq_, .ack_below = seq_}, {CommandOp(line)});
  EXPECT_EQ(reply_.code, wire::BatchCode::kExecuted);
  EXPECT_EQ(reply_.results.size(), 1u);
  return reply_.results.empty() ? std::string() : std::string(reply_.results[0].reply);
}

std::string ReplicaTest::Read(std::string_view line, int64_t now_ms, bool* needs_tick) {
  bytes_ = *replica_.state().Read(EncodedBatch({}, {CommandOp(line)}), 5, now_ms, needs_tick);
  auto reply = wire::DecodeBatchReply(bytes_);
  EXPECT_TRUE(reply.ok()) << reply.status();
  reply_ = reply.ok() ? *std::move(reply) : wire::BatchReply();
  return reply_.results.empty() ? std::string() : std::string(reply_.results[0].reply);
}

std::string ReplicaTest::Read(std::string_view line) {
  bool needs_tick = false;
  std::string reply = Read(line, log_.now_ms, &needs_tick);
  EXPECT_FALSE(needs_tick);
  return reply;
}

}  // namespace kdb::kv
