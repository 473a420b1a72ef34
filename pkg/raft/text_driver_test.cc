#include "pkg/raft/text_driver_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "pkg/raft/conf_change.h"
#include "pkg/raft/describe_test.h"

namespace kdb::raft {
namespace {

constexpr int kElectionTicks = 3;

Command Parse(const std::string& line) {
  Command c;
  std::istringstream in(line);
  in >> c.name;
  for (std::string word; in >> word;) {
    size_t eq = word.find('=');
    if (eq == std::string::npos) {
      c.words.push_back(word);
    } else {
      c.options[word.substr(0, eq)] = word.substr(eq + 1);
    }
  }
  return c;
}

ConfChange ParseChange(const std::vector<std::string>& words) {
  ConfChange change;
  for (const std::string& w : words) {
    if (w == "leave") continue;
    auto kind = static_cast<ConfChangeKind>(std::string("vrl").find(w[0]));
    change.steps.push_back({kind, std::stoull(w.substr(1))});
  }
  return change;
}

}  // namespace

uint64_t Command::Number(size_t i) const { return std::stoull(words.at(i)); }

uint64_t Command::Option(const std::string& key, uint64_t otherwise) const {
  auto it = options.find(key);
  return it == options.end() ? otherwise : std::stoull(it->second);
}

std::vector<NodeId> Command::List(const std::string& key) const {
  std::vector<NodeId> ids;
  auto it = options.find(key);
  if (it == options.end()) return ids;
  std::istringstream in(it->second);
  for (std::string id; std::getline(in, id, ',');) ids.push_back(std::stoull(id));
  return ids;
}

std::vector<NodeId> Command::Numbers() const {
  std::vector<NodeId> ids;
  for (size_t i = 0; i < words.size(); ++i) ids.push_back(Number(i));
  return ids;
}

const std::map<std::string, TextDriver::Handler>& TextDriver::Handlers() {
  static const auto& handlers = *new std::map<std::string, Handler>{
      {"add-nodes", &TextDriver::AddNodes},
      {"add-logs", &TextDriver::AddLogs},
      {"hold-apply", &TextDriver::HoldApply},
      {"campaign", &TextDriver::Campaign},
      {"propose", &TextDriver::Propose},
      {"conf-change", &TextDriver::ProposeConf},
      {"tick", &TextDriver::Tick},
      {"tick-election", &TextDriver::TickElection},
      {"read-index", &TextDriver::ReadIndex},
      {"transfer", &TextDriver::Transfer},
      {"stall", &TextDriver::Stall},
      {"process-ready", &TextDriver::ProcessReady},
      {"persist", &TextDriver::Persist},
      {"deliver-msgs", &TextDriver::Deliver},
      {"drop-msgs", &TextDriver::Drop},
      {"stabilize", &TextDriver::Stabilize},
      {"isolate", &TextDriver::Isolate},
      {"heal", &TextDriver::Heal},
      {"crash", &TextDriver::Crash},
      {"lose", &TextDriver::Lose},
      {"compact", &TextDriver::Compact},
      {"slow-reads", &TextDriver::SlowReads},
      {"install-snapshot", &TextDriver::Install},
      {"report-snapshot", &TextDriver::ReportSnapshot},
      {"report-unreachable", &TextDriver::Unreachable},
      {"status", &TextDriver::Status},
      {"log", &TextDriver::Log},
      {"output", &TextDriver::Verbosity},
  };
  return handlers;
}

std::string TextDriver::Run(const std::string& line) {
  Command c = Parse(line);
  auto handler = Handlers().find(c.name);
  if (handler == Handlers().end()) return fmt::format("no command {}\n", c.name);
  out_.clear();
  (this->*handler->second)(c);
  for (NodeId id : All()) Node(id).Observe();
  PrintRoles();
  return out_.empty() ? "ok\n" : out_;
}

SimNode& TextDriver::Node(NodeId id) { return *nodes_.at(id); }

std::vector<NodeId> TextDriver::All() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

void TextDriver::Print(const std::string& text) {
  if (!quiet_) out_ += text;
}

void TextDriver::PrintStatus(const absl::Status& status) {
  if (status.ok()) return;
  Print(fmt::format("{}: {}\n", absl::StatusCodeToString(status.code()),
                    std::string(status.message())));
}

void TextDriver::PrintRoles() {
  for (NodeId id : All()) {
    std::string role = DescribeRole(Node(id).raft().Status());
    if (roles_[id] == role) continue;
    roles_[id] = role;
    Print(role + "\n");
  }
}

void TextDriver::AddNode(const Config& config, const Initial& initial, MemoryLog log) {
  nodes_[config.id] =
      std::make_unique<SimNode>(config, initial, std::move(log), config.id, &group_);
  roles_[config.id] = DescribeRole(Node(config.id).raft().Status());
}

// add-nodes COUNT [voters=..] [learners=..] [index=..] [limits]: all are voters unless said; the
// log starts behind `index`. Who is neither starts with an empty directory.
void TextDriver::AddNodes(const Command& c) {
  NodeId first = nodes_.size() + 1;
  NodeId end = first + c.Number(0);
  Initial initial;
  initial.applied = initial.hard_state.commit = c.Option("index", 0);
  initial.hard_state.term = initial.applied > 0 ? 1 : 0;
  initial.conf.voters = c.List("voters");
  initial.conf.learners = c.List("learners");
  for (NodeId id = first; id < end && !c.options.contains("voters"); ++id) {
    initial.conf.voters.push_back(id);
  }
  for (NodeId id = first; id < end; ++id) {
    Config config;
    config.id = id;
    config.election_ticks = kElectionTicks;
    config.max_append_bytes = c.Option("max-append", config.max_append_bytes);
    config.max_inflight_messages = c.Option("max-inflight", config.max_inflight_messages);
    config.max_transfer_lag = c.Option("max-transfer-lag", config.max_transfer_lag);
    config.max_uncommitted_bytes = c.Option("max-uncommitted", config.max_uncommitted_bytes);
    if (IsVoter(initial.conf, id) || IsLearner(initial.conf, id)) {
      AddNode(config, initial, MemoryLog(initial.applied, initial.hard_state.term));
    } else {
      AddNode(config, {}, {});
    }
  }
}

// add-logs TERMS.. [term=..] [max-append=..]: voters, each with entries of these terms in its log,
// in term 7 or as said.
void TextDriver::AddLogs(const Command& c) {
  Initial initial;
  initial.hard_state.term = c.Option("term", 7);
  for (NodeId id = 1; id <= c.words.size(); ++id) initial.conf.voters.push_back(id);
  for (NodeId id = 1; id <= c.words.size(); ++id) {
    std::vector<Entry> entries;
    Command terms;
    terms.options["terms"] = c.words[id - 1];
    for (Term term : terms.List("terms")) {
      entries.push_back({entries.size() + 1, term, EntryType::kNormal, Payload(std::string())});
    }
    MemoryLog log;
    log.Append(entries);
    Config config;
    config.id = id;
    config.election_ticks = kElectionTicks;
    config.max_append_bytes = c.Option("max-append", config.max_append_bytes);
    AddNode(config, initial, std::move(log));
  }
}

void TextDriver::HoldApply(const Command& c) { Node(c.Number(0)).hold_apply = true; }

void TextDriver::Campaign(const Command& c) { Node(c.Number(0)).raft().Campaign(); }

void TextDriver::Propose(const Command& c) {
  std::vector<Payload> data;
  for (size_t i = 1; i < c.words.size(); ++i) data.emplace_back(c.words[i]);
  PrintStatus(Node(c.Number(0)).raft().Propose(std::move(data)).status());
}

void TextDriver::ProposeConf(const Command& c) {
  ConfChange change = ParseChange({c.words.begin() + 1, c.words.end()});
  PrintStatus(Node(c.Number(0)).raft().ProposeConfChange(change).status());
}

void TextDriver::Tick(const Command& c) {
  for (uint64_t n = c.words.size() > 1 ? c.Number(1) : 1; n > 0; --n) {
    Node(c.Number(0)).raft().Tick();
  }
}

// Until the random timeout has passed for certain, or the node campaigns.
void TextDriver::TickElection(const Command& c) {
  Raft& raft = Node(c.Number(0)).raft();
  for (int i = 0; i < 2 * kElectionTicks; ++i) {
    Role before = raft.role();
    raft.Tick();
    if (raft.role() != before) return;
  }
}

void TextDriver::ReadIndex(const Command& c) {
  for (size_t i = 1; i < c.words.size(); ++i) {
    PrintStatus(Node(c.Number(0)).raft().ReadIndex(c.Number(i)));
  }
}

void TextDriver::Transfer(const Command& c) {
  PrintStatus(Node(c.Number(0)).raft().TransferLeader(c.Number(1)));
}

void TextDriver::Stall(const Command& c) {
  Node(c.Number(0)).raft().SetStalled(c.words.size() < 2 || c.words[1] != "off");
}

void TextDriver::Crash(const Command& c) { Node(c.Number(0)).Crash(c.Number(0)); }

void TextDriver::Lose(const Command& c) { Node(c.Number(0)).LoseAbove(c.Number(1), 99); }

void TextDriver::Compact(const Command& c) { Node(c.Number(0)).Compact(c.Number(1)); }

// Entries below an index are on disk only; 0: they have been read.
void TextDriver::SlowReads(const Command& c) {
  SimNode& node = Node(c.Number(0));
  node.log().readable_from = c.Number(1);
  if (c.Number(1) == 0) node.raft().EntriesReady();
}

void TextDriver::Install(const Command& c) {
  SnapshotMeta snapshot = Node(c.Number(0)).Snapshot();
  bool installed = Node(c.Number(1)).Install(snapshot);
  Print(fmt::format("snapshot {}/{} {} {}\n", snapshot.term, snapshot.index,
                    Describe(snapshot.conf), installed ? "installed" : "not wanted"));
}

void TextDriver::ReportSnapshot(const Command& c) {
  Node(c.Number(0)).raft().ReportSnapshot(c.Number(1), c.Number(2), c.words.at(3) == "ok");
}

void TextDriver::Unreachable(const Command& c) {
  Node(c.Number(0)).raft().ReportUnreachable(c.Number(1));
}

void TextDriver::Status(const Command& c) {
  for (NodeId id : c.words.empty() ? All() : c.Numbers()) {
    RaftStatus s = Node(id).raft().Status();
    Print(fmt::format("{}, vote {}, commit {}, applied {}, persisted {}, last {}; {}\n",
                      DescribeRole(s), s.vote, s.commit, s.applied, s.persisted, s.last_index,
                      Describe(s.conf)));
    if (s.transferee != kNoNode) Print(fmt::format("  handing over to {}\n", s.transferee));
    for (const ProgressStatus& p : s.progress) Print("  " + Describe(p) + "\n");
  }
}

void TextDriver::Log(const Command& c) {
  for (NodeId id : c.words.empty() ? All() : c.Numbers()) {
    Print(fmt::format("{}:{}\n", id, Describe(Node(id).log().entries())));
  }
}

void TextDriver::Verbosity(const Command& c) { quiet_ = c.words.at(0) == "off"; }

}  // namespace kdb::raft
