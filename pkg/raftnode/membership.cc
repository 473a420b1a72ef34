#include "pkg/raftnode/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/coding.h"
#include "pkg/raft/conf_change.h"

namespace kdb::raftnode {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kVersionBeforeChanges = 1;

bool ParseMember(std::string_view bytes, catalog::Member* member) {
  return member->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void Add(Membership& membership, raft::NodeId id, std::string_view record) {
  if (id <= membership.highest_id) return;  // promoted: its record is known
  membership.highest_id = id;
  catalog::Member member;
  if (!ParseMember(record, &member) || member.id() != id) member.Clear();
  member.set_id(id);
  membership.members[id] = std::move(member);
}

void Update(Membership& membership, raft::NodeId id, std::string_view record) {
  auto it = membership.members.find(id);
  catalog::Member update;
  if (it == membership.members.end() || !ParseMember(record, &update)) return;
  if (update.id() == id && update.uuid() == it->second.uuid()) {
    it->second.set_address(update.address());
  }
}

// Who is no member any more goes; the others' roles follow.
void FollowConf(Membership& membership) {
  const raft::ConfState& conf = membership.conf;
  std::erase_if(membership.members, [&](const auto& m) {
    return !raft::IsVoter(conf, m.first) && !raft::IsLearner(conf, m.first);
  });
  for (auto& [id, member] : membership.members) {
    const bool voter = raft::IsVoter(conf, id);
    member.set_role(voter ? catalog::Member::VOTER : catalog::Member::LEARNER);
    if (voter || !membership.members.contains(member.replaces())) member.clear_replaces();
  }
}

absl::Status Damaged() {
  return absl::DataLossError("membership: damaged, or written by a newer release");
}

}  // namespace

Membership BirthMembership(const catalog::BirthCertificate& birth) {
  Membership membership;
  for (const catalog::Member& member : birth.members()) {
    if (member.role() == catalog::Member::LEARNER) continue;
    membership.conf.voters.push_back(member.id());
    membership.members[member.id()] = member;
    membership.highest_id = std::max(membership.highest_id, member.id());
  }
  std::sort(membership.conf.voters.begin(), membership.conf.voters.end());
  return membership;
}

Membership AfterChange(Membership before, const raft::ConfChange& change,
                       const raft::ConfState& after, raft::Index index) {
  Membership next = std::move(before);
  next.conf = after;
  next.index = index;
  for (const raft::ConfChange::Step& step : change.steps) {
    switch (step.kind) {
      case raft::ConfChangeKind::kAddVoter:
      case raft::ConfChangeKind::kAddLearner:
        Add(next, step.node, change.context);
        break;
      case raft::ConfChangeKind::kUpdate:
        Update(next, step.node, change.context);
        break;
      case raft::ConfChangeKind::kRemove:
        break;
    }
  }
  FollowConf(next);
  return next;
}

std::string EncodeMember(const catalog::Member& member) { return member.SerializeAsString(); }

std::string EncodeMembership(const Membership& membership) {
  std::string out;
  AppendLittle(out, kVersion);
  AppendLengthPrefixed(out, raft::EncodeConfState(membership.conf));
  AppendVarint(out, membership.highest_id);
  AppendVarint(out, membership.index);
  AppendVarint(out, membership.members.size());
  for (const auto& [id, member] : membership.members) {
    AppendVarint(out, id);
    AppendLengthPrefixed(out, EncodeMember(member));
  }
  return out;
}

absl::StatusOr<Membership> DecodeMembership(std::string_view bytes, const Membership& birth) {
  if (!bytes.empty() && bytes[0] == kVersionBeforeChanges) return birth;
  ByteReader in(bytes);
  Membership membership;
  auto version = in.Little<uint8_t>();
  std::string_view conf = in.LengthPrefixed();
  membership.highest_id = in.Varint();
  membership.index = in.Varint();
  uint64_t members = in.Varint();
  for (uint64_t i = 0; i < members && in.ok(); ++i) {
    raft::NodeId id = in.Varint();
    catalog::Member& member = membership.members[id];
    if (!ParseMember(in.LengthPrefixed(), &member) || member.id() != id) return Damaged();
  }
  if (!in.done() || version != kVersion || membership.members.size() != members ||
      !raft::DecodeConfState(conf, &membership.conf)) {
    return Damaged();
  }
  return membership;
}

std::string GroupName(uint64_t gid) {
  return gid == 0 ? "the meta group" : fmt::format("group {}", gid);
}

std::string Describe(const Membership& membership) {
  const raft::ConfState& conf = membership.conf;
  std::string text = fmt::format("voters {}", fmt::join(conf.voters, ","));
  if (raft::IsJoint(conf))
    text += fmt::format(", outgoing {}", fmt::join(conf.voters_outgoing, ","));
  for (raft::NodeId id : conf.learners) {
    text += fmt::format(", learner {}", id);
    auto it = membership.members.find(id);
    if (it == membership.members.end() || it->second.replaces() == 0) continue;
    text += fmt::format(" for {}", it->second.replaces());
  }
  return text;
}

}  // namespace kdb::raftnode
