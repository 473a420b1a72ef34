#include "pkg/raft/describe_test.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kdb::raft {
namespace {

constexpr const char* kTypes[] = {"PreVote",  "PreVoteReply", "Vote",      "VoteReply",
                                  "Append",   "AppendReply",  "Heartbeat", "HeartbeatReply",
                                  "Snapshot", "TransferTo",   "ReadIndex", "ReadIndexReply"};

std::string Steps(const ConfChange& change) {
  std::string out;
  for (const ConfChange::Step& s : change.steps) {
    out += fmt::format("{}{}{}", out.empty() ? "" : " ", "vrl"[static_cast<int>(s.kind)], s.node);
  }
  return out.empty() ? "leave" : out;
}

// What matters of each type; ids of forwarded reads are random and stay out.
std::string Body(const Message& m) {
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kVote:
      return fmt::format(" log {}/{}{}", m.log_term, m.index, m.force ? " force" : "");
    case MessageType::kPreVoteReply:
    case MessageType::kVoteReply:
      return m.reject ? " rejected" : "";
    case MessageType::kAppend:
      return fmt::format(" at {}/{} commit {}{}", m.log_term, m.index, m.commit,
                         Describe(m.entries));
    case MessageType::kAppendReply:
      if (!m.reject) return fmt::format(" match {}", m.index);
      return fmt::format(" rejected {} hint {}/{}", m.index, m.hint_term, m.hint_index);
    case MessageType::kHeartbeat:
      return fmt::format(" commit {} match {} round {}", m.commit, m.hint_index, m.context);
    case MessageType::kHeartbeatReply:
      return fmt::format(" last {} round {}{}", m.index, m.context, m.reject ? " stalled" : "");
    case MessageType::kSnapshot:
      return fmt::format(" {}/{}", m.snapshot.term, m.snapshot.index);
    case MessageType::kReadIndexReply:
      return fmt::format(" index {}", m.index);
    default:
      return "";
  }
}

template <typename T>
void Lines(std::string* out, std::string_view title, const std::vector<T>& items) {
  if (items.empty()) return;
  *out += fmt::format("  {}:\n", title);
  for (const T& item : items) *out += fmt::format("    {}\n", Describe(item));
}

}  // namespace

std::string Describe(const Entry& e) {
  if (e.type == EntryType::kNormal) {
    return fmt::format("{}/{} \"{}\"", e.term, e.index, e.data.view());
  }
  ConfChange change;
  if (!DecodeConfChange(e.data.view(), &change)) return "bad change";
  return fmt::format("{}/{} conf({})", e.term, e.index, Steps(change));
}

std::string Describe(const std::vector<Entry>& entries) {
  if (entries.empty()) return "";
  std::string out;
  for (const Entry& e : entries) out += (out.empty() ? " [" : ", ") + Describe(e);
  return out + "]";
}

std::string Describe(const ConfState& conf) {
  std::string out = fmt::format("voters={}", fmt::join(conf.voters, ","));
  if (!conf.voters_outgoing.empty()) {
    out += fmt::format(" outgoing={}", fmt::join(conf.voters_outgoing, ","));
  }
  if (!conf.learners.empty()) out += fmt::format(" learners={}", fmt::join(conf.learners, ","));
  if (!conf.learners_next.empty()) {
    out += fmt::format(" learners_next={}", fmt::join(conf.learners_next, ","));
  }
  return out + (conf.auto_leave ? " auto_leave" : "");
}

std::string Describe(const Message& m) {
  return fmt::format("{}->{} {} t{}{}", m.from, m.to, kTypes[static_cast<int>(m.type)], m.term,
                     Body(m));
}

std::string Describe(const ProgressStatus& p) {
  constexpr const char* kStates[] = {"probe", "replicate", "snapshot"};
  return fmt::format(
      "{}: {} match={} next={}{}{}{}{}", p.id, kStates[static_cast<int>(p.state)], p.match, p.next,
      p.inflight_messages > 0 ? fmt::format(" inflight={}", p.inflight_messages) : "",
      p.learner ? " learner" : "", p.recent_active ? "" : " inactive", p.suspect ? " suspect" : "");
}

std::string DescribeRole(const RaftStatus& s) {
  constexpr const char* kRoles[] = {"follower", "pre-candidate", "candidate", "leader"};
  std::string leader = s.role == Role::kFollower && s.leader != kNoNode
                           ? fmt::format(" of {}", s.leader)
                           : std::string();
  return fmt::format("{} is {}{} in term {}", s.id, kRoles[static_cast<int>(s.role)], leader,
                     s.term);
}

std::string Describe(const Ready& r) {
  std::string out;
  if (r.hard_state.has_value()) {
    out += fmt::format("  hard state: term {} vote {} commit {}\n", r.hard_state->term,
                       r.hard_state->vote, r.hard_state->commit);
  }
  if (!r.entries.empty()) out += fmt::format("  append:{}\n", Describe(r.entries));
  Lines(&out, "send", r.messages);
  Lines(&out, "send once durable", r.messages_after_persist);
  if (!r.committed.empty()) out += fmt::format("  apply:{}\n", Describe(r.committed));
  for (const ReadState& s : r.read_states) {
    out += fmt::format("  read {} at index {}\n", s.context, s.index);
  }
  for (uint64_t context : r.failed_reads) out += fmt::format("  read {} failed\n", context);
  if (r.snapshot.has_value()) {
    out += fmt::format("  wants snapshot {}/{}\n", r.snapshot->term, r.snapshot->index);
  }
  return out.empty() ? "  nothing\n" : out;
}

}  // namespace kdb::raft
