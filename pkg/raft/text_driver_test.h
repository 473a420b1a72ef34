// Runs a group by text commands, for the golden files in testdata/ (see README.md for the
// commands).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pkg/raft/sim_node_test.h"

namespace kdb::raft {

// A command line: words, and key=value options.
struct Command {
  std::string name;
  std::vector<std::string> words;
  std::map<std::string, std::string> options;

  // The i-th word as a number; an option as a number or a list.
  uint64_t Number(size_t i) const;
  uint64_t Option(const std::string& key, uint64_t otherwise) const;
  std::vector<NodeId> List(const std::string& key) const;
  // All words as numbers.
  std::vector<NodeId> Numbers() const;
};

class TextDriver {
 public:
  // The output of one command, lines.
  std::string Run(const std::string& line);

 private:
  using Handler = void (TextDriver::*)(const Command&);
  static const std::map<std::string, Handler>& Handlers();

  void AddNodes(const Command& c);
  void AddLogs(const Command& c);
  void Campaign(const Command& c);
  void Propose(const Command& c);
  void ProposeConf(const Command& c);
  void Tick(const Command& c);
  void TickElection(const Command& c);
  void ReadIndex(const Command& c);
  void Transfer(const Command& c);
  void Stall(const Command& c);
  void ProcessReady(const Command& c);
  void Persist(const Command& c);
  void Deliver(const Command& c);
  void Drop(const Command& c);
  void Stabilize(const Command& c);
  void Isolate(const Command& c);
  void Heal(const Command& c);
  void Crash(const Command& c);
  void Lose(const Command& c);
  void Compact(const Command& c);
  void SlowReads(const Command& c);
  void Install(const Command& c);
  void ReportSnapshot(const Command& c);
  void Unreachable(const Command& c);
  void Status(const Command& c);
  void Log(const Command& c);
  void HoldApply(const Command& c);
  void Verbosity(const Command& c);

  void AddNode(const Config& config, const Initial& initial, MemoryLog log);
  SimNode& Node(NodeId id);
  std::vector<NodeId> All() const;
  void Print(const std::string& text);
  // What changed of a node's role since this was called last.
  void PrintRoles();
  void PrintStatus(const absl::Status& status);
  void Post(std::vector<Message> messages);
  void TakeReady(NodeId id);
  void PersistAll(NodeId id);
  // False: nothing was there for it.
  bool DeliverTo(NodeId id);

  GroupInvariants group_;
  std::map<NodeId, std::unique_ptr<SimNode>> nodes_;
  std::map<NodeId, std::string> roles_;
  std::set<NodeId> isolated_;
  std::deque<Message> network_;
  bool quiet_ = false;
  std::string out_;
};

}  // namespace kdb::raft
