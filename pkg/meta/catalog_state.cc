#include "pkg/meta/catalog_state.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"
#include "pkg/meta/catalog_rules.h"
#include "pkg/storage/system_record.h"

namespace kdb::meta {
namespace {

// Slot 0xFFFF, kind 1: beside the system record.
constexpr std::string_view kStateKey(
    "\xFF\xFF\x01"
    "catalog",
    10);
constexpr char kStateVersion = 1;

std::string Serialize(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    KDB_CHECK(message.SerializeToCodedStream(&out));
  }
  return bytes;
}

absl::StatusOr<metalog::State> DecodeState(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != kStateVersion) {
    return absl::DataLossError("the catalog record was written by another version of kdb-meta");
  }
  metalog::State state;
  if (!state.ParseFromArray(bytes.data() + 1, static_cast<int>(bytes.size() - 1))) {
    return absl::DataLossError("the catalog record is damaged");
  }
  return state;
}

raftnode::AppliedState BirthConf(const catalog::BirthCertificate& birth) {
  raftnode::AppliedState applied;
  for (const catalog::Member& member : birth.members()) applied.conf.voters.push_back(member.id());
  return applied;
}

Payload Refusal(std::string message, uint64_t version) {
  metalog::Result result;
  result.set_code(static_cast<int32_t>(absl::StatusCode::kInvalidArgument));
  result.set_message(std::move(message));
  result.set_version(version);
  return Payload(Serialize(result));
}

}  // namespace

CatalogState::CatalogState(storage::Engine& engine, OnChange on_change)
    : engine_(engine), on_change_(std::move(on_change)) {}

absl::StatusOr<std::unique_ptr<CatalogState>> CatalogState::Open(
    const catalog::BirthCertificate& birth, storage::Engine& engine, OnChange on_change) {
  std::unique_ptr<CatalogState> self(new CatalogState(engine, std::move(on_change)));
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadSystemRecord(engine, false));
  std::string bytes;
  KDB_ASSIGN_OR_RETURN(bool found, engine.Get(kStateKey, &bytes));
  self->applied_ = BirthConf(birth);
  metalog::State state = InitialState(birth);
  if (record.applied_index > 0) {
    if (!raft::DecodeConfState(record.membership, &self->applied_.conf)) {
      return absl::DataLossError("the membership in the system record is damaged");
    }
    self->applied_.index = record.applied_index;
    self->applied_.term = record.applied_term;
  }
  if (record.apply_level > kApplyLevel) {
    return absl::DataLossError(fmt::format(
        "the catalog has apply level {}, this kdb-meta knows up to {}: start a newer one",
        record.apply_level, kApplyLevel));
  }
  if (found) {
    KDB_ASSIGN_OR_RETURN(state, DecodeState(bytes));
  }
  if (state.catalog().cluster_id() != birth.cluster_id()) {
    return absl::DataLossError(
        fmt::format("the state is of cluster {}, the birth certificate of {}",
                    state.catalog().cluster_id(), birth.cluster_id()));
  }
  self->state_ = std::make_shared<const metalog::State>(std::move(state));
  return self;
}

absl::Status CatalogState::Apply(std::span<const raftnode::CommittedEntry> entries,
                                 std::vector<Payload>* results) {
  std::vector<Payload> made;
  raftnode::AppliedState applied = applied_;
  std::shared_ptr<metalog::State> next;
  KDB_RETURN_IF_ERROR(Execute(entries, &made, &applied, &next));
  KDB_RETURN_IF_ERROR(Write(applied, next.get()));
  applied_ = std::move(applied);
  results->insert(results->end(), std::make_move_iterator(made.begin()),
                  std::make_move_iterator(made.end()));
  if (next != nullptr) {
    state_ = std::move(next);
    if (on_change_) on_change_(state_);
  }
  return absl::OkStatus();
}

absl::Status CatalogState::Execute(std::span<const raftnode::CommittedEntry> entries,
                                   std::vector<Payload>* results, raftnode::AppliedState* applied,
                                   std::shared_ptr<metalog::State>* next) const {
  for (const raftnode::CommittedEntry& committed : entries) {
    const raft::Entry& entry = committed.entry;
    Payload result;
    if (entry.type == raft::EntryType::kNormal && !entry.data.empty()) {
      if (*next == nullptr) *next = std::make_shared<metalog::State>(*state_);
      metalog::Command command;
      if (!command.ParseFromArray(entry.data.view().data(), static_cast<int>(entry.data.size()))) {
        result = Refusal("the log entry is not a command", (*next)->catalog().version());
      } else if (command.level() > kApplyLevel) {
        return absl::FailedPreconditionError(fmt::format(
            "log entry {} needs apply level {}, this kdb-meta knows up to {}: start a newer one",
            entry.index, command.level(), kApplyLevel));
      } else {
        result = Payload(Serialize(ApplyCommand(command, entry.index, next->get())));
      }
    }
    results->push_back(std::move(result));
    applied->index = entry.index;
    applied->term = entry.term;
    if (committed.conf) applied->conf = *committed.conf;
  }
  return absl::OkStatus();
}

absl::Status CatalogState::Write(const raftnode::AppliedState& applied,
                                 const metalog::State* changed) {
  std::unique_ptr<storage::WriteBatch> batch = engine_.NewBatch();
  if (changed != nullptr)
    batch->Put(kStateKey, std::string(1, kStateVersion) + Serialize(*changed));
  storage::SystemRecord record;
  record.applied_index = applied.index;
  record.applied_term = applied.term;
  record.membership = raft::EncodeConfState(applied.conf);
  record.apply_level = kApplyLevel;
  batch->Put(storage::SystemRecordKey(), storage::EncodeSystemRecord(record));
  return engine_.Write(*batch);
}

absl::StatusOr<raft::Index> CatalogState::PersistedIndex() const {
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadSystemRecord(engine_, true));
  return record.applied_index;
}

absl::Status CatalogState::Flush() { return engine_.Flush(); }

Payload EncodeCommand(metalog::Command command) {
  command.set_level(kApplyLevel);
  return Payload(Serialize(command));
}

absl::StatusOr<metalog::Result> DecodeResult(const Payload& bytes) {
  metalog::Result result;
  if (!result.ParseFromArray(bytes.view().data(), static_cast<int>(bytes.size()))) {
    return absl::InternalError("the result of a command cannot be read");
  }
  return result;
}

}  // namespace kdb::meta
