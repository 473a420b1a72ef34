// Who the members of a group are, as its own log says: part of the replicated state, so that a
// group elects and serves when nobody else can be asked (design 6). Pure functions; FORMAT.md has
// the bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/raft/types.h"
#include "proto/catalog.pb.h"

namespace kdb::raftnode {

struct Membership {
  raft::ConfState conf;
  // Of everybody in `conf`; the roles are those of `conf`.
  std::map<raft::NodeId, catalog::Member> members;
  raft::NodeId highest_id = raft::kNoNode;  // that was ever a member's: ids are never used again
  raft::Index index = 0;                    // of the entry that changed it last; 0: as born
};

// The members that a group is born with. A certificate that a later member holds names that one,
// too, as a learner: the group's log says when it came.
Membership BirthMembership(const catalog::BirthCertificate& birth);

// The membership from a configuration change on, which stands at `index` and whose result is
// `after`. The change's context is the record of the one member that it adds or updates
// (EncodeMember). Never fails: what makes no sense changes nothing.
Membership AfterChange(Membership before, const raft::ConfChange& change,
                       const raft::ConfState& after, raft::Index index);

std::string EncodeMember(const catalog::Member& member);
std::string EncodeMembership(const Membership& membership);
// DATA_LOSS on what EncodeMembership did not write. `birth`: what a state holds that was written
// before members could change (version 1).
absl::StatusOr<Membership> DecodeMembership(std::string_view bytes, const Membership& birth);

// "group 7", "the meta group".
std::string GroupName(uint64_t gid);
// "voters 1,2,3, learner 4 for 2", for logs.
std::string Describe(const Membership& membership);

}  // namespace kdb::raftnode
