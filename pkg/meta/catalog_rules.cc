#include "pkg/meta/catalog_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/base/status.h"
#include "pkg/shard/slot_table.h"

namespace kdb::meta {
namespace {

using shard::kSlots;
using shard::Slot;
using shard::SlotOwner;
using Owners = std::array<SlotOwner, kSlots>;

constexpr uint64_t kFirstEpoch = 1;
constexpr int kMaxMembers = 15;

absl::Status NoSuchGroup(uint64_t gid) {
  return absl::NotFoundError(fmt::format("there is no group {}", gid));
}

catalog::Group* MutableGroup(metalog::State* state, uint64_t gid) {
  for (catalog::Group& group : *state->mutable_catalog()->mutable_groups()) {
    if (group.gid() == gid) return &group;
  }
  return nullptr;
}

Owners OwnersOf(const catalog::Catalog& catalog) {
  Owners owners{};
  for (const catalog::SlotRange& range : catalog.slots()) {
    for (uint32_t s = range.first(); s <= range.last() && s < kSlots; ++s) {
      owners[s] = {.gid = range.gid(), .epoch = range.epoch()};
    }
  }
  return owners;
}

// Executes one command. Each kind's function returns the refusal, or sets *changed.
class Rules {
 public:
  Rules(uint64_t index, metalog::State* state) : index_(index), state_(state) {}

  // True when the catalog (not only what is beside it) changed.
  bool catalog_changed() const { return catalog_changed_; }

  absl::Status Execute(const metalog::Command& command) {
    switch (command.kind_case()) {
      case metalog::Command::kRegisterGroup:
        return Register(command.register_group());
      case metalog::Command::kDecideBirth:
        return DecideBirth(command.decide_birth().certificate());
      case metalog::Command::kMarkJoined:
        return MarkJoined(command.mark_joined().gid());
      case metalog::Command::kLeave:
        return Leave(command.leave().gid());
      case metalog::Command::kAssignSlots:
        return Assign(command.assign_slots());
      case metalog::Command::kSlotsOwned:
        return SlotsOwned(command.slots_owned());
      case metalog::Command::kReportLeader:
        return ReportLeader(command.report_leader());
      case metalog::Command::kReportMembers:
        return ReportMembers(command.report_members());
      case metalog::Command::kRaiseLevel:  // not the catalog's: CatalogState
      case metalog::Command::KIND_NOT_SET:
        break;
    }
    return absl::InvalidArgumentError("the log entry holds no command");
  }

 private:
  absl::Status Register(const metalog::RegisterGroup& command) {
    const uint64_t gid = command.gid();
    if (gid == 0) return absl::InvalidArgumentError("group 0 is the meta group");
    KDB_RETURN_IF_ERROR(CheckMembers(command));
    const auto& retired = state_->retired();
    if (std::find(retired.begin(), retired.end(), gid) != retired.end()) {
      return absl::FailedPreconditionError(fmt::format(
          "group {} has left the cluster, and ids are never used again: take another id", gid));
    }
    catalog::Group* group = MutableGroup(state_, gid);
    if (group == nullptr) {
      group = Insert(gid);
    } else {
      KDB_RETURN_IF_ERROR(CheckSameServers(*group, command));
      // Once born, the certificate says who the members are.
      if (group->state() != catalog::Group::REGISTERED || SameMembers(*group, command)) return Ok();
    }
    group->mutable_members()->CopyFrom(command.members());
    return Changed();
  }

  absl::Status CheckMembers(const metalog::RegisterGroup& command) const {
    if (command.members().empty() || command.members_size() > kMaxMembers) {
      return absl::InvalidArgumentError(
          fmt::format("a group has 1 to {} servers, not {}", kMaxMembers, command.members_size()));
    }
    std::set<std::string_view> seen;
    uint64_t id = 0;
    for (const catalog::Member& member : command.members()) {
      if (member.id() != ++id || member.uuid().empty() || member.address().empty()) {
        return absl::InvalidArgumentError("a server without id, directory or address");
      }
      if (!seen.insert(member.address()).second || !seen.insert(member.uuid()).second) {
        return absl::InvalidArgumentError(
            fmt::format("server {} is named twice", member.address()));
      }
    }
    return CheckFree(command.gid(), seen);
  }

  // No server is a member of two groups.
  absl::Status CheckFree(uint64_t gid, const std::set<std::string_view>& names) const {
    for (const catalog::Group& group : state_->catalog().groups()) {
      if (group.gid() == gid) continue;
      for (const catalog::Member& member : group.members()) {
        if (!names.contains(member.address()) && !names.contains(member.uuid())) continue;
        return absl::FailedPreconditionError(
            fmt::format("server {} belongs to group {}", member.address(), group.gid()));
      }
    }
    return absl::OkStatus();
  }

  static absl::Status CheckSameServers(const catalog::Group& group,
                                       const metalog::RegisterGroup& command) {
    std::set<std::string_view> registered, given;
    for (const catalog::Member& m : group.members()) registered.insert(m.address());
    for (const catalog::Member& m : command.members()) given.insert(m.address());
    if (registered == given) return absl::OkStatus();
    return absl::FailedPreconditionError(
        fmt::format("group {} is registered with other servers: {}", group.gid(),
                    fmt::join(AddressesOf(group), ",")));
  }

  // Same directories behind the same addresses; the order, and with it the ids, stays the first
  // one.
  static bool SameMembers(const catalog::Group& group, const metalog::RegisterGroup& command) {
    std::set<std::pair<std::string_view, std::string_view>> registered, given;
    for (const catalog::Member& m : group.members()) registered.emplace(m.address(), m.uuid());
    for (const catalog::Member& m : command.members()) given.emplace(m.address(), m.uuid());
    return registered == given;
  }

  absl::Status DecideBirth(const catalog::BirthCertificate& birth) {
    catalog::Group* group = MutableGroup(state_, birth.gid());
    if (group == nullptr) return NoSuchGroup(birth.gid());
    if (group->state() != catalog::Group::REGISTERED) return Ok();  // the first certificate stands
    const catalog::Catalog& catalog = state_->catalog();
    bool same_seed = std::equal(birth.hash_seed().begin(), birth.hash_seed().end(),
                                catalog.hash_seed().begin(), catalog.hash_seed().end());
    if (birth.cluster_id() != catalog.cluster_id() || !same_seed) {
      return absl::InvalidArgumentError("the birth certificate is of another cluster");
    }
    metalog::RegisterGroup members;
    members.set_gid(birth.gid());
    members.mutable_members()->CopyFrom(birth.members());
    KDB_RETURN_IF_ERROR(CheckMembers(members));
    KDB_RETURN_IF_ERROR(CheckSameServers(*group, members));
    group->set_state(catalog::Group::BORN);
    group->mutable_members()->CopyFrom(birth.members());
    auto* births = state_->mutable_births();
    *births->Add() = birth;
    std::sort(births->begin(), births->end(),
              [](const auto& a, const auto& b) { return a.gid() < b.gid(); });
    return Changed();
  }

  absl::Status MarkJoined(uint64_t gid) {
    catalog::Group* group = MutableGroup(state_, gid);
    if (group == nullptr) return NoSuchGroup(gid);
    if (group->state() == catalog::Group::REGISTERED) {
      return absl::FailedPreconditionError(fmt::format("group {} is not born", gid));
    }
    if (group->state() != catalog::Group::BORN) return Ok();
    group->set_state(catalog::Group::JOINED);
    return Changed();
  }

  absl::Status Leave(uint64_t gid) {
    catalog::Group* group = MutableGroup(state_, gid);
    if (group == nullptr) {
      // A repeated call.
      const auto& retired = state_->retired();
      bool left = std::find(retired.begin(), retired.end(), gid) != retired.end();
      return left ? Ok() : NoSuchGroup(gid);
    }
    int owned = 0;
    for (const SlotOwner& owner : OwnersOf(state_->catalog())) owned += owner.gid == gid;
    if (owned > 0) {
      return absl::FailedPreconditionError(
          fmt::format("group {} owns {} slots: it can leave when it owns none", gid, owned));
    }
    if (group->state() != catalog::Group::REGISTERED) Retire(gid);
    auto* groups = state_->mutable_catalog()->mutable_groups();
    groups->erase(std::find_if(groups->begin(), groups->end(),
                               [gid](const catalog::Group& g) { return g.gid() == gid; }));
    return Changed();
  }

  void Retire(uint64_t gid) {
    auto* births = state_->mutable_births();
    births->erase(std::remove_if(births->begin(), births->end(),
                                 [gid](const auto& birth) { return birth.gid() == gid; }),
                  births->end());
    state_->add_retired(gid);
    std::sort(state_->mutable_retired()->begin(), state_->mutable_retired()->end());
  }

  absl::Status Assign(const metalog::AssignSlots& command) {
    const catalog::Group* group = FindGroup(*state_, command.gid());
    if (group == nullptr) return NoSuchGroup(command.gid());
    if (group->state() != catalog::Group::JOINED) {
      return absl::FailedPreconditionError(
          fmt::format("group {} has not joined the cluster", command.gid()));
    }
    if (command.slots().empty()) return absl::InvalidArgumentError("no slots are named");
    Owners owners = OwnersOf(state_->catalog());
    std::set<uint32_t> added;
    for (uint32_t slot : command.slots()) {
      if (slot >= kSlots) {
        return absl::InvalidArgumentError(
            fmt::format("slot {} is out of range (0-{})", slot, kSlots - 1));
      }
      SlotOwner& owner = owners[slot];
      if (owner.gid == command.gid()) continue;
      if (owner.gid != 0) {
        return absl::FailedPreconditionError(fmt::format(
            "slot {} belongs to group {}: moving a slot that has an owner is not supported by this "
            "version",
            slot, owner.gid));
      }
      owner = {.gid = command.gid(), .epoch = kFirstEpoch};
      added.insert(slot);
    }
    if (added.empty()) return Ok();
    Record(command.gid(), added, owners);
    return Changed();
  }

  void Record(uint64_t gid, const std::set<uint32_t>& added, const Owners& owners) {
    metalog::Assignment* assignment = state_->add_assignments();
    assignment->set_index(index_);
    assignment->set_gid(gid);
    assignment->set_epoch(kFirstEpoch);
    assignment->mutable_slots()->Assign(added.begin(), added.end());
    std::vector<catalog::SlotRange> ranges = shard::ToRanges(owners);
    state_->mutable_catalog()->mutable_slots()->Assign(ranges.begin(), ranges.end());
  }

  absl::Status SlotsOwned(const metalog::SlotsOwned& command) {
    auto* assignments = state_->mutable_assignments();
    auto it = std::find_if(assignments->begin(), assignments->end(), [&](const auto& a) {
      return a.index() == command.assignment() && a.gid() == command.gid();
    });
    if (it != assignments->end()) assignments->erase(it);
    return Ok();
  }

  absl::Status ReportLeader(const metalog::ReportLeader& command) {
    catalog::Group* group = MutableGroup(state_, command.gid());
    if (group == nullptr) return NoSuchGroup(command.gid());
    if (group->state() == catalog::Group::REGISTERED ||
        AddressOf(*group, command.leader()).empty()) {
      return absl::FailedPreconditionError(
          fmt::format("group {} has no member {}", command.gid(), command.leader()));
    }
    if (command.term() <= group->leader_term()) return Ok();
    group->set_leader(command.leader());
    group->set_leader_term(command.term());
    return Changed();
  }

  // The group's own log says who its members are: nothing here may contradict it.
  absl::Status ReportMembers(const metalog::ReportMembers& command) {
    catalog::Group* group = MutableGroup(state_, command.gid());
    if (group == nullptr) return NoSuchGroup(command.gid());
    if (group->state() == catalog::Group::REGISTERED) {
      return absl::FailedPreconditionError(fmt::format("group {} is not born", command.gid()));
    }
    if (command.members().empty()) {
      return absl::InvalidArgumentError(fmt::format("group {} without members", command.gid()));
    }
    if (command.index() <= group->members_index()) return Ok();
    group->set_members_index(command.index());
    group->mutable_members()->CopyFrom(command.members());
    return Changed();
  }

  catalog::Group* Insert(uint64_t gid) {
    auto* groups = state_->mutable_catalog()->mutable_groups();
    groups->Add()->set_gid(gid);
    std::sort(groups->begin(), groups->end(),
              [](const auto& a, const auto& b) { return a.gid() < b.gid(); });
    return MutableGroup(state_, gid);
  }

  static absl::Status Ok() { return absl::OkStatus(); }
  absl::Status Changed() {
    catalog_changed_ = true;
    return absl::OkStatus();
  }

  const uint64_t index_;
  metalog::State* const state_;
  bool catalog_changed_ = false;
};

}  // namespace

metalog::State InitialState(const catalog::BirthCertificate& birth) {
  metalog::State state;
  catalog::Catalog* catalog = state.mutable_catalog();
  catalog->set_cluster_id(birth.cluster_id());
  catalog->mutable_hash_seed()->CopyFrom(birth.hash_seed());
  catalog->set_version(kBirthVersion);
  catalog->mutable_meta()->set_state(catalog::Group::JOINED);
  for (const catalog::Member& member : birth.members()) {
    // A later member's certificate names that one, too: the log says when it came.
    if (member.role() == catalog::Member::VOTER) *catalog->mutable_meta()->add_members() = member;
  }
  return state;
}

metalog::Result ApplyCommand(const metalog::Command& command, uint64_t index,
                             metalog::State* state) {
  Rules rules(index, state);
  absl::Status status = rules.Execute(command);
  if (rules.catalog_changed()) state->mutable_catalog()->set_version(index);
  metalog::Result result;
  result.set_code(static_cast<int32_t>(status.code()));
  result.set_message(std::string(status.message()));
  result.set_version(state->catalog().version());
  return result;
}

// Not the newest level: members of an earlier release apply what they know.
uint32_t LevelOf(const metalog::Command&) { return kBirthLevel; }

const catalog::Group* FindGroup(const metalog::State& state, uint64_t gid) {
  for (const catalog::Group& group : state.catalog().groups()) {
    if (group.gid() == gid) return &group;
  }
  return nullptr;
}

const catalog::BirthCertificate* FindBirth(const metalog::State& state, uint64_t gid) {
  for (const catalog::BirthCertificate& birth : state.births()) {
    if (birth.gid() == gid) return &birth;
  }
  return nullptr;
}

std::string AddressOf(const catalog::Group& group, uint64_t member) {
  for (const catalog::Member& m : group.members()) {
    if (m.id() == member) return m.address();
  }
  return "";
}

std::vector<std::string> AddressesOf(const catalog::Group& group) {
  std::vector<std::string> addresses;
  for (const catalog::Member& m : group.members()) addresses.push_back(m.address());
  return addresses;
}

}  // namespace kdb::meta
