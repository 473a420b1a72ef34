#include "pkg/raft/conf_change.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/base/status.h"

namespace kdb::raft {
namespace {

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

void Insert(std::vector<NodeId>& ids, NodeId id) {
  auto it = std::lower_bound(ids.begin(), ids.end(), id);
  if (it == ids.end() || *it != id) ids.insert(it, id);
}

void Erase(std::vector<NodeId>& ids, NodeId id) {
  auto it = std::lower_bound(ids.begin(), ids.end(), id);
  if (it != ids.end() && *it == id) ids.erase(it);
}

absl::Status Refuse(NodeId id, std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("node {} {}", id, why));
}

absl::Status AddVoter(ConfState& conf, NodeId id) {
  if (Contains(conf.voters, id)) return Refuse(id, "is a voter already");
  Erase(conf.learners, id);
  Insert(conf.voters, id);
  return absl::OkStatus();
}

// A voter of the outgoing half stays one until the joint configuration is left; only then is it a
// learner.
absl::Status AddLearner(ConfState& conf, NodeId id) {
  if (Contains(conf.learners, id)) return Refuse(id, "is a learner already");
  Erase(conf.voters, id);
  Insert(Contains(conf.voters_outgoing, id) ? conf.learners_next : conf.learners, id);
  return absl::OkStatus();
}

absl::Status Remove(ConfState& conf, NodeId id) {
  if (!Contains(conf.voters, id) && !Contains(conf.learners, id)) return Refuse(id, "is no member");
  Erase(conf.voters, id);
  Erase(conf.learners, id);
  return absl::OkStatus();
}

absl::Status Update(const ConfState& conf, NodeId id) {
  return Contains(conf.voters, id) || Contains(conf.learners, id) ? absl::OkStatus()
                                                                  : Refuse(id, "is no member");
}

absl::Status ApplyStep(ConfState& conf, const ConfChange::Step& step) {
  if (step.node == kNoNode) return absl::InvalidArgumentError("node 0 is no node");
  switch (step.kind) {
    case ConfChangeKind::kAddVoter:
      return AddVoter(conf, step.node);
    case ConfChangeKind::kAddLearner:
      return AddLearner(conf, step.node);
    case ConfChangeKind::kRemove:
      return Remove(conf, step.node);
    case ConfChangeKind::kUpdate:
      return Update(conf, step.node);
  }
  return absl::InvalidArgumentError("unknown kind of change");
}

// Two steps on one node would make the result depend on their order.
absl::Status CheckDistinct(const std::vector<ConfChange::Step>& steps) {
  std::vector<NodeId> seen;
  for (const ConfChange::Step& step : steps) {
    if (Contains(seen, step.node)) return Refuse(step.node, "is named twice");
    Insert(seen, step.node);
  }
  return absl::OkStatus();
}

ConfState Left(ConfState conf) {
  for (NodeId id : conf.learners_next) Insert(conf.learners, id);
  conf.learners_next.clear();
  conf.voters_outgoing.clear();
  conf.auto_leave = false;
  return conf;
}

}  // namespace

bool IsJoint(const ConfState& conf) { return !conf.voters_outgoing.empty(); }

bool IsVoter(const ConfState& conf, NodeId id) {
  return Contains(conf.voters, id) || Contains(conf.voters_outgoing, id);
}

bool IsLearner(const ConfState& conf, NodeId id) { return Contains(conf.learners, id); }

std::vector<NodeId> Members(const ConfState& conf) {
  std::vector<NodeId> ids = conf.voters;
  for (NodeId id : conf.voters_outgoing) Insert(ids, id);
  for (NodeId id : conf.learners) Insert(ids, id);
  return ids;
}

absl::StatusOr<ConfState> Changed(const ConfState& conf, const ConfChange& change) {
  if (change.steps.empty()) {
    if (!IsJoint(conf)) return absl::InvalidArgumentError("the configuration is not joint");
    return Left(conf);
  }
  if (IsJoint(conf)) return absl::InvalidArgumentError("the configuration is joint");
  if (conf.voters.empty()) return absl::InvalidArgumentError("the configuration is empty");
  KDB_RETURN_IF_ERROR(CheckDistinct(change.steps));
  ConfState next = conf;
  if (change.steps.size() > 1) {
    next.voters_outgoing = conf.voters;
    next.auto_leave = true;
  }
  for (const ConfChange::Step& step : change.steps) KDB_RETURN_IF_ERROR(ApplyStep(next, step));
  if (next.voters.empty()) return absl::InvalidArgumentError("no voter would remain");
  return next;
}

}  // namespace kdb::raft
