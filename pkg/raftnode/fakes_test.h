// Stand-ins for this folder's unit tests; whole clusters are in pkg/testing.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/executor.h"
#include "pkg/base/status.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/raftnode/transport.h"
#include "pkg/testing/manual.h"
#include "pkg/wal/wal.h"

namespace kdb::raftnode {

using testing::ManualClock;
using testing::ManualExecutor;

// A log in memory that writes down what is asked of it.
class RecordingWal final : public wal::Wal {
 public:
  absl::Status Append(std::span<const raft::Entry> entries,
                      const std::optional<raft::HardState>& hard_state) override {
    std::string call = "append";
    for (const raft::Entry& e : entries)
      call += " " + std::to_string(e.index) + "@" + std::to_string(e.term);
    if (hard_state) call += " commit=" + std::to_string(hard_state->commit);
    calls.push_back(call);
    KDB_RETURN_IF_ERROR(error);
    KDB_RETURN_IF_ERROR(no_room);
    for (const raft::Entry& e : entries) {
      log_.resize(e.index - 1);
      log_.push_back(e);
    }
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    calls.emplace_back("sync");
    return error;
  }
  absl::Status Mark() override {
    calls.emplace_back("mark");
    return error;
  }
  absl::StatusOr<std::vector<raft::Entry>> Read(raft::Index lo, raft::Index hi,
                                                size_t max_bytes) const override {
    KDB_RETURN_IF_ERROR(error);
    std::vector<raft::Entry> out;
    size_t bytes = 0;
    for (raft::Index i = lo; i < hi && i <= log_.size(); ++i) {
      bytes += raft::EntryBytes(log_[i - 1]);
      if (!out.empty() && bytes > max_bytes) break;
      out.push_back(log_[i - 1]);
    }
    if (out.empty()) return absl::OutOfRangeError("none");
    return out;
  }
  std::optional<raft::Term> TermAt(raft::Index i) const override {
    if (i == 0) return 0;
    if (i > log_.size()) return std::nullopt;
    return log_[i - 1].term;
  }
  raft::Index first_index() const override { return 1; }
  raft::Index last_index() const override { return log_.size(); }
  absl::Status CutPrefix(raft::Index index) override {
    calls.push_back("cut " + std::to_string(index));
    no_room = absl::OkStatus();
    return error;
  }
  absl::Status Reset(raft::Index, raft::Term, const raft::HardState&) override { return error; }
  absl::Status Prepare() override { return absl::OkStatus(); }
  wal::Stats stats() const override { return {}; }

  std::vector<std::string> calls;
  absl::Status error;    // of every call
  absl::Status no_room;  // of Append, until the next cut

 private:
  std::vector<raft::Entry> log_;
};

class RecordingTransport final : public Transport {
 public:
  void SetPeers(std::vector<Peer>, raft::Index) override {}
  void Send(std::vector<raft::Message> messages) override {
    for (raft::Message& m : messages) sent.push_back(std::move(m));
  }
  std::vector<raft::Message> sent;
};

class RecordingEvents final : public RoleEvents {
 public:
  void OnPersisted(uint64_t seq) override { persisted = seq; }
  void OnApplied(raft::Index index) override { applied = index; }
  void OnTrouble(Trouble trouble, std::string why) override { troubles[trouble] = why; }
  void OnDiskLevel(DiskLevel, std::string) override {}
  void OnFlushed(absl::StatusOr<raft::Index> index) override { flushed = std::move(index); }
  void OnFailed(absl::Status status) override { failed = std::move(status); }

  uint64_t persisted = 0;
  raft::Index applied = 0;
  std::map<Trouble, std::string> troubles;
  absl::StatusOr<raft::Index> flushed{0};
  absl::Status failed;
};

inline raft::Message MakeMessage(raft::MessageType type, raft::NodeId to) {
  raft::Message m;
  m.type = type;
  m.from = 1;
  m.to = to;
  return m;
}

// Entries [first, last] of `term`, each with `bytes` of data.
inline std::vector<raft::Entry> MakeEntries(raft::Index first, raft::Index last, raft::Term term,
                                            size_t bytes = 10) {
  std::vector<raft::Entry> out;
  for (raft::Index i = first; i <= last; ++i)
    out.push_back({i, term, raft::EntryType::kNormal, Payload(std::string(bytes, 'x'))});
  return out;
}

}  // namespace kdb::raftnode
