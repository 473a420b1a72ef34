#include "pkg/raft/invariants.h"

#include <algorithm>

#include "pkg/base/check.h"
#include "pkg/raft/conf_change.h"

namespace kdb::raft {
namespace {

bool StrictlySorted(const std::vector<NodeId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end() &&
         (ids.empty() || ids.front() != kNoNode);
}

bool Disjoint(const std::vector<NodeId>& a, const std::vector<NodeId>& b) {
  return std::none_of(a.begin(), a.end(),
                      [&b](NodeId id) { return std::binary_search(b.begin(), b.end(), id); });
}

void CheckConf(const ConfState& conf) {
  KDB_CHECK(StrictlySorted(conf.voters) && StrictlySorted(conf.voters_outgoing) &&
            StrictlySorted(conf.learners) && StrictlySorted(conf.learners_next));
  KDB_CHECK(Disjoint(conf.learners, conf.voters) && Disjoint(conf.learners, conf.voters_outgoing));
  KDB_CHECK(std::includes(conf.voters_outgoing.begin(), conf.voters_outgoing.end(),
                          conf.learners_next.begin(), conf.learners_next.end()));
  KDB_CHECK(IsJoint(conf) || (!conf.auto_leave && conf.learners_next.empty()));
}

void CheckIndexes(const RaftStatus& s) {
  KDB_CHECK(s.applied <= s.commit, "node {}: applied {}, commit {}", s.id, s.applied, s.commit);
  KDB_CHECK(s.applied <= s.persisted, "node {}: applied {}, persisted {}", s.id, s.applied,
            s.persisted);
  KDB_CHECK(s.commit <= s.last_index, "node {}: commit {}, last {}", s.id, s.commit, s.last_index);
  KDB_CHECK(s.persisted <= s.last_index, "node {}: persisted {}, last {}", s.id, s.persisted,
            s.last_index);
}

void CheckRole(const RaftStatus& s) {
  bool leads = s.role == Role::kLeader;
  KDB_CHECK(leads == (s.leader == s.id), "node {}: leader {}", s.id, s.leader);
  KDB_CHECK(s.role == Role::kFollower || IsVoter(s.conf, s.id), "node {} is no voter", s.id);
  KDB_CHECK((!leads && s.role != Role::kCandidate) || s.vote == s.id, "node {}: vote {}", s.id,
            s.vote);
  KDB_CHECK(leads || s.transferee == kNoNode);
  KDB_CHECK(leads || s.progress.empty());
}

void CheckProgress(const RaftStatus& s, const ProgressStatus& p, const Config& config) {
  KDB_CHECK(p.match < p.next, "member {}: match {}, next {}", p.id, p.match, p.next);
  KDB_CHECK(p.match <= s.last_index && p.next <= s.last_index + 1, "member {}: next {}, last {}",
            p.id, p.next, s.last_index);
  KDB_CHECK(p.inflight_messages <= config.max_inflight_messages);
  KDB_CHECK(p.state == ProgressState::kReplicate || p.inflight_messages == 0);
  KDB_CHECK(p.learner == IsLearner(s.conf, p.id), "member {}", p.id);
  KDB_CHECK(p.id != s.id || p.match == s.persisted, "own match {}, persisted {}", p.match,
            s.persisted);
}

void CheckTransition(const RaftStatus& was, const RaftStatus& now) {
  KDB_CHECK(now.term >= was.term, "node {}: term {} after {}", now.id, now.term, was.term);
  KDB_CHECK(now.commit >= was.commit, "node {}: commit {} after {}", now.id, now.commit,
            was.commit);
  KDB_CHECK(now.applied >= was.applied, "node {}: applied {} after {}", now.id, now.applied,
            was.applied);
  if (now.term != was.term) return;
  KDB_CHECK(was.vote == kNoNode || now.vote == was.vote, "node {}: vote {} after {} in term {}",
            now.id, now.vote, was.vote, now.term);
  bool led = was.role == Role::kLeader && now.role == Role::kLeader;
  KDB_CHECK(!led || now.last_index >= was.last_index, "leader {} dropped entries of its log",
            now.id);
}

}  // namespace

void NodeInvariants::Check(const RaftStatus& now) {
  CheckConf(now.conf);
  CheckIndexes(now);
  CheckRole(now);
  for (const ProgressStatus& p : now.progress) CheckProgress(now, p, config_);
  if (last_.has_value()) CheckTransition(*last_, now);
  last_ = now;
}

void GroupInvariants::Appended(Term previous_term, std::span<const Entry> entries) {
  for (const Entry& e : entries) {
    auto [it, fresh] =
        entries_.try_emplace({e.index, e.term}, Known{previous_term, e.type, e.data});
    const Known& known = it->second;
    KDB_CHECK(fresh || (known.previous_term == previous_term && known.type == e.type &&
                        known.data == e.data),
              "log matching: two entries are ({}, {})", e.index, e.term);
    previous_term = e.term;
  }
}

void GroupInvariants::Committed(NodeId node, Term term, std::span<const Entry> entries) {
  for (const Entry& e : entries) {
    CommittedEntry& known = committed_.try_emplace(e.index, CommittedEntry{e, term}).first->second;
    KDB_CHECK(known.entry == e, "state machine safety: node {} applies ({}, {}), another ({}, {})",
              node, e.index, e.term, e.index, known.entry.term);
    known.known_in = std::min(known.known_in, term);
  }
}

void GroupInvariants::Observed(const RaftStatus& status, const TermAt& log) {
  if (status.role != Role::kLeader) return;
  NodeId leader = leaders_.try_emplace(status.term, status.id).first->second;
  KDB_CHECK(leader == status.id, "election safety: {} and {} lead term {}", leader, status.id,
            status.term);
  Index& upto = checked_[{status.id, status.term}];
  bool all = true;
  for (auto it = committed_.upper_bound(upto); it != committed_.end(); ++it) {
    // Perhaps committed after this leader was deposed.
    bool binding = it->second.known_in < status.term;
    std::optional<Term> term = log(it->first);
    bool there = term.has_value() ? *term == it->second.entry.term : it->first <= status.commit;
    KDB_CHECK(there || !binding, "leader completeness: {} of term {} lacks the committed ({}, {})",
              status.id, status.term, it->first, it->second.entry.term);
    all &= there;
    if (all) upto = it->first;
  }
}

}  // namespace kdb::raft
