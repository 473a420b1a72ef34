#include "pkg/rpc/raft_convert.h"

#include <fmt/format.h>

#include <utility>

namespace kdb::rpc {
namespace {

void ToProto(const raft::ConfState& conf, raftpb::ConfState* out) {
  out->mutable_voters()->Add(conf.voters.begin(), conf.voters.end());
  out->mutable_voters_outgoing()->Add(conf.voters_outgoing.begin(), conf.voters_outgoing.end());
  out->mutable_learners()->Add(conf.learners.begin(), conf.learners.end());
  out->mutable_learners_next()->Add(conf.learners_next.begin(), conf.learners_next.end());
  out->set_auto_leave(conf.auto_leave);
}

raft::ConfState FromProto(const raftpb::ConfState& in) {
  return {.voters = {in.voters().begin(), in.voters().end()},
          .voters_outgoing = {in.voters_outgoing().begin(), in.voters_outgoing().end()},
          .learners = {in.learners().begin(), in.learners().end()},
          .learners_next = {in.learners_next().begin(), in.learners_next().end()},
          .auto_leave = in.auto_leave()};
}

}  // namespace

void ToProto(const raft::Message& m, raftpb::Message* out) {
  out->set_type(static_cast<uint32_t>(m.type));
  out->set_from(m.from);
  out->set_to(m.to);
  out->set_term(m.term);
  out->set_index(m.index);
  out->set_log_term(m.log_term);
  out->set_commit(m.commit);
  out->set_reject(m.reject);
  out->set_force(m.force);
  out->set_hint_index(m.hint_index);
  out->set_hint_term(m.hint_term);
  out->set_context(m.context);
  out->set_wall_ms(m.wall_ms);
  out->set_disk_full(m.disk_full);
  out->set_hash_index(m.state_hash.index);
  out->set_hash_digest(m.state_hash.digest);
  for (const raft::Entry& e : m.entries) {
    raftpb::Entry* entry = out->add_entries();
    entry->set_index(e.index);
    entry->set_term(e.term);
    entry->set_type(static_cast<uint32_t>(e.type));
    entry->set_data(e.data.view().data(), e.data.size());
  }
  if (m.type == raft::MessageType::kSnapshot) {
    out->mutable_snapshot()->set_index(m.snapshot.index);
    out->mutable_snapshot()->set_term(m.snapshot.term);
    ToProto(m.snapshot.conf, out->mutable_snapshot()->mutable_conf());
  }
}

absl::StatusOr<raft::Message> FromProto(raftpb::Message* in) {
  if (in->type() > static_cast<uint32_t>(raft::MessageType::kReadIndexReply)) {
    return absl::InvalidArgumentError(fmt::format("raft message of unknown type {}", in->type()));
  }
  raft::Message m{.type = static_cast<raft::MessageType>(in->type()),
                  .from = in->from(),
                  .to = in->to(),
                  .term = in->term(),
                  .index = in->index(),
                  .log_term = in->log_term(),
                  .commit = in->commit(),
                  .reject = in->reject(),
                  .force = in->force(),
                  .hint_index = in->hint_index(),
                  .hint_term = in->hint_term(),
                  .context = in->context(),
                  .wall_ms = in->wall_ms(),
                  .disk_full = in->disk_full(),
                  .state_hash = {.index = in->hash_index(), .digest = in->hash_digest()},
                  .entries = {},
                  .snapshot = {}};
  m.entries.reserve(in->entries_size());
  for (raftpb::Entry& entry : *in->mutable_entries()) {
    if (entry.type() > static_cast<uint32_t>(raft::EntryType::kConfChange)) {
      return absl::InvalidArgumentError(fmt::format("raft entry of unknown type {}", entry.type()));
    }
    m.entries.push_back({.index = entry.index(),
                         .term = entry.term(),
                         .type = static_cast<raft::EntryType>(entry.type()),
                         .data = Payload(std::move(*entry.mutable_data()))});
  }
  if (in->has_snapshot()) {
    m.snapshot = {.index = in->snapshot().index(),
                  .term = in->snapshot().term(),
                  .conf = FromProto(in->snapshot().conf())};
  }
  return m;
}

size_t MessageBytes(const raft::Message& message) {
  size_t bytes = 128;
  for (const raft::Entry& e : message.entries) bytes += raft::EntryBytes(e);
  return bytes;
}

}  // namespace kdb::rpc
