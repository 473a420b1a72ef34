// What must hold of Raft's state after every step: of one node (checked in debug builds by Raft
// itself), and between the nodes of a group (figure 3.2, checked by tests and simulation). A
// violation ends the process.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "pkg/raft/raft.h"

namespace kdb::raft {

// Not thread-safe.
class NodeInvariants {
 public:
  explicit NodeInvariants(const Config& config) : config_(config) {}
  void Check(const RaftStatus& now);

 private:
  const Config config_;
  std::optional<RaftStatus> last_;
};

// Fed with everything that the nodes of one group do. Not thread-safe.
class GroupInvariants {
 public:
  // TermAt of a node's log.
  using TermAt = std::function<std::optional<Term>(Index)>;

  // `entries` were appended behind an entry of `previous_term`. Log matching: (index, term) names
  // one entry and all before it.
  void Appended(Term previous_term, std::span<const Entry> entries);
  // Committed entries that a node in `term` was handed. State machine safety: no two nodes apply
  // different entries.
  void Committed(NodeId node, Term term, std::span<const Entry> entries);
  // After any step. Election safety, leader completeness.
  void Observed(const RaftStatus& status, const TermAt& log);

  Index committed() const { return committed_.empty() ? 0 : committed_.rbegin()->first; }

 private:
  struct CommittedEntry {
    Entry entry;
    Term known_in = 0;  // it was committed in this term at the latest
  };
  struct Known {
    Term previous_term = 0;
    EntryType type = EntryType::kNormal;
    Payload data;
  };

  std::map<std::pair<Index, Term>, Known> entries_;
  std::map<Index, CommittedEntry> committed_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, Index> checked_;  // leader completeness was checked up to
};

}  // namespace kdb::raft
