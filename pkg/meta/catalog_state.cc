#include "pkg/meta/catalog_state.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"
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

Payload Refusal(std::string message, uint64_t version) {
  metalog::Result result;
  result.set_code(static_cast<int32_t>(absl::StatusCode::kInvalidArgument));
  result.set_message(std::move(message));
  result.set_version(version);
  return Payload(Serialize(result));
}

}  // namespace

CatalogState::CatalogState(storage::Engine& engine, OnChange on_change, uint32_t known_level)
    : engine_(engine), on_change_(std::move(on_change)), known_level_(known_level) {}

absl::StatusOr<std::unique_ptr<CatalogState>> CatalogState::Open(
    const catalog::BirthCertificate& birth, storage::Engine& engine, OnChange on_change,
    uint32_t known_level) {
  std::unique_ptr<CatalogState> self(new CatalogState(engine, std::move(on_change), known_level));
  KDB_RETURN_IF_ERROR(self->Load(birth));
  return self;
}

absl::Status CatalogState::Load(const catalog::BirthCertificate& birth) {
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadSystemRecord(engine_));
  std::string bytes;
  KDB_ASSIGN_OR_RETURN(bool found, engine_.Get(kStateKey, &bytes));
  const raftnode::Membership born = raftnode::BirthMembership(birth);
  applied_.membership = born;
  metalog::State state = InitialState(birth);
  if (record.applied_index > 0) {
    KDB_ASSIGN_OR_RETURN(applied_.membership, raftnode::DecodeMembership(record.membership, born));
    applied_.index = record.applied_index;
    applied_.term = record.applied_term;
    level_ = record.apply_level;
  }
  if (level_ > known_level_) {
    return absl::FailedPreconditionError(fmt::format(
        "the catalog has apply level {}, this kdb-meta knows up to {}: start a newer one", level_,
        known_level_));
  }
  if (found) {
    KDB_ASSIGN_OR_RETURN(state, DecodeState(bytes));
  }
  if (state.catalog().cluster_id() != birth.cluster_id()) {
    return absl::DataLossError(
        fmt::format("the state is of cluster {}, the birth certificate of {}",
                    state.catalog().cluster_id(), birth.cluster_id()));
  }
  state_ = std::make_shared<const metalog::State>(std::move(state));
  return absl::OkStatus();
}

absl::Status CatalogState::Apply(std::span<const raftnode::CommittedEntry> entries,
                                 std::vector<Payload>* results) {
  Staged staged{.applied = applied_, .level = level_};
  for (const raftnode::CommittedEntry& committed : entries) {
    const raft::Entry& entry = committed.entry;
    Payload result;
    if (entry.type == raft::EntryType::kNormal && !entry.data.empty()) {
      KDB_ASSIGN_OR_RETURN(result, Execute(entry, &staged));
    }
    staged.results.push_back(std::move(result));
    staged.applied.index = entry.index;
    staged.applied.term = entry.term;
    if (committed.membership != nullptr) Follow(*committed.membership, entry.index, &staged);
  }
  KDB_RETURN_IF_ERROR(Write(staged));
  applied_ = std::move(staged.applied);
  level_ = staged.level;
  results->insert(results->end(), std::make_move_iterator(staged.results.begin()),
                  std::make_move_iterator(staged.results.end()));
  if (staged.state != nullptr) {
    state_ = std::move(staged.state);
    if (on_change_) on_change_(state_);
  }
  return absl::OkStatus();
}

void CatalogState::MakeCopy(Staged* staged) const {
  if (staged->state == nullptr) staged->state = std::make_shared<metalog::State>(*state_);
}

// Who watches the catalog finds the meta servers by it.
void CatalogState::Follow(const raftnode::Membership& membership, raft::Index index,
                          Staged* staged) const {
  MakeCopy(staged);
  staged->applied.membership = membership;
  catalog::Catalog* catalog = staged->state->mutable_catalog();
  catalog->set_version(index);
  catalog::Group* meta = catalog->mutable_meta();
  meta->set_members_index(membership.index);
  meta->clear_members();
  for (const auto& [_, member] : membership.members) *meta->add_members() = member;
}

absl::StatusOr<Payload> CatalogState::Execute(const raft::Entry& entry, Staged* staged) const {
  MakeCopy(staged);
  const uint64_t version = staged->state->catalog().version();
  metalog::Command command;
  if (!command.ParseFromArray(entry.data.view().data(), static_cast<int>(entry.data.size()))) {
    return Refusal("the log entry is not a command", version);
  }
  KDB_RETURN_IF_ERROR(CheckKnown(command, entry.index));
  if (command.has_raise_level()) {
    staged->level = std::max(staged->level, command.raise_level().level());
    metalog::Result result;
    result.set_version(version);
    return Payload(Serialize(result));
  }
  return Payload(Serialize(ApplyCommand(command, entry.index, staged->state.get())));
}

// Skipping a command would make this replica's catalog another than that of those that know it.
absl::Status CatalogState::CheckKnown(const metalog::Command& command, raft::Index index) const {
  uint32_t level = std::max(command.level(), command.raise_level().level());
  // A kind that is unknown is kept among the unknown fields.
  const bool unknown_kind = command.kind_case() == metalog::Command::KIND_NOT_SET &&
                            !command.GetReflection()->GetUnknownFields(command).empty();
  if (level <= known_level_ && !unknown_kind) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "log entry {} needs {}, this kdb-meta knows up to level {}: start a newer one", index,
      unknown_kind ? "a kind of command that is not known here"
                   : fmt::format("apply level {}", level),
      known_level_));
}

absl::Status CatalogState::Write(const Staged& staged) {
  std::unique_ptr<storage::WriteBatch> batch = engine_.NewBatch();
  if (staged.state != nullptr) {
    batch->Put(kStateKey, std::string(1, kStateVersion) + Serialize(*staged.state));
  }
  storage::SystemRecord record;
  record.applied_index = staged.applied.index;
  record.applied_term = staged.applied.term;
  record.membership = raftnode::EncodeMembership(staged.applied.membership);
  record.apply_level = staged.level;
  batch->Put(storage::SystemRecordKey(), storage::EncodeSystemRecord(record));
  return engine_.Write(*batch);
}

absl::StatusOr<raft::Index> CatalogState::PersistedIndex() const {
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadPersistedSystemRecord(engine_));
  return record.applied_index;
}

absl::Status CatalogState::Flush() { return engine_.Flush(); }

Payload EncodeCommand(metalog::Command command) {
  command.set_level(LevelOf(command));
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
