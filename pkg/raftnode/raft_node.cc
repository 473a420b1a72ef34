#include "pkg/raftnode/raft_node.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/raftnode/driver.h"
#include "pkg/raftnode/identity.h"
#include "pkg/raftnode/start_check.h"

namespace kdb::raftnode {
namespace {

// Messages from peers that wait for the raft role. Beyond, appends are dropped: their senders try
// again.
constexpr size_t kMaxWaitingMessageBytes = 64 << 20;

size_t MessageBytes(const raft::Message& message) {
  size_t bytes = sizeof(message);
  for (const raft::Entry& e : message.entries) bytes += raft::EntryBytes(e);
  return bytes;
}

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

// A log that is made anew in place of a lost one would forget votes and acknowledged entries, so
// the first one leaves a note in the data directory before this member can give any.
absl::StatusOr<std::unique_ptr<wal::Wal>> OpenLog(const Options& options, FileSystem& fs,
                                                  wal::Recovered* recovered) {
  const std::string data_dir = ParentOf(options.wal_dir);
  KDB_RETURN_IF_ERROR(CreateDirs(fs, options.wal_dir));
  wal::Options wal = options.wal;
  KDB_ASSIGN_OR_RETURN(wal.must_exist, LogWasCreated(fs, data_dir));
  KDB_ASSIGN_OR_RETURN(auto log, wal::Wal::Open(fs, options.wal_dir, wal, recovered));
  if (!wal.must_exist) KDB_RETURN_IF_ERROR(NoteLogCreated(fs, data_dir));
  return log;
}

class DrivenRaftNode final : public RaftNode {
 public:
  DrivenRaftNode(const Driver::Parts& parts, std::unique_ptr<wal::Wal> log,
                 const wal::Recovered& recovered, const StartPoint& start, Random random)
      : clock_(parts.clock), driver_(parts, std::move(log), recovered, start, random) {
    driver_.Start();
  }

  void Propose(Payload data, ProposeDone done) override {
    AddProposal(std::move(data), nullptr, std::move(done));
  }

  void ProposeConfChange(raft::ConfChange change, raft::Term term, ProposeDone done) override {
    AddProposal({}, std::make_unique<ConfProposal>(ConfProposal{std::move(change), term}),
                std::move(done));
  }

  void Read(ReadDone done) override {
    std::optional<Admission::Place> place = driver_.admission().TryEnter();
    driver_.mailbox().Add([&](Inbox& inbox) {
      if (place) {
        inbox.reads.push_back({std::move(done), *std::move(place)});
      } else {
        inbox.refused_reads.push_back(std::move(done));
      }
    });
  }

  void TransferLeader(raft::NodeId target, absl::AnyInvocable<void(absl::Status)> done) override {
    driver_.mailbox().Add([&](Inbox& inbox) {
      inbox.transfers.push_back({target, std::move(done)});
    });
  }

  void Campaign() override {
    driver_.mailbox().Add([](Inbox& inbox) { inbox.campaign = true; });
  }

  void Deliver(std::vector<raft::Message> messages) override {
    size_t dropped = 0;
    driver_.mailbox().Add([&](Inbox& inbox) {
      for (raft::Message& m : messages) {
        size_t bytes = MessageBytes(m);
        bool full = inbox.message_bytes + bytes > kMaxWaitingMessageBytes;
        if (full && m.type == raft::MessageType::kAppend) {
          ++dropped;
          continue;
        }
        inbox.message_bytes += bytes;
        inbox.messages.push_back(std::move(m));
      }
    });
    if (dropped > 0) driver_.metrics().dropped_messages.Increment(static_cast<double>(dropped));
  }

  void ReportUnreachable(raft::NodeId peer) override {
    driver_.mailbox().Add([peer](Inbox& inbox) { inbox.unreachable.push_back(peer); });
  }

  void HoldLog(raft::Index index) override { driver_.HoldLog(index); }

  void TellStateHash(const raft::StateHash& hash) override { driver_.TellStateHash(hash); }

  raft::RaftStatus Status() const override { return driver_.Status(); }

 private:
  void AddProposal(Payload data, std::unique_ptr<ConfProposal> change, ProposeDone done) {
    std::optional<Admission::Place> place = driver_.admission().TryEnter();
    Clock::Duration now = clock_.Monotonic();
    driver_.mailbox().Add([&](Inbox& inbox) {
      if (place) {
        inbox.proposals.push_back(
            {std::move(data), std::move(change), std::move(done), now, *std::move(place)});
      } else {
        inbox.refused_proposals.push_back(std::move(done));
      }
    });
  }

  const Clock& clock_;
  Driver driver_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RaftNode>> RaftNode::Start(
    const Options& options, raft::NodeId id, const Membership& birth, FileSystem& fs,
    Executors executors, StateMachine& machine, Transport& transport, Observer& observer,
    const Clock& clock, Random random, obs::Registry& metrics) {
  wal::Recovered recovered;
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<wal::Wal> log, OpenLog(options, fs, &recovered));
  KDB_ASSIGN_OR_RETURN(StartPoint start,
                       CheckStart(*log, recovered, machine.applied(), birth, options.wal_dir));
  return std::make_unique<DrivenRaftNode>(
      Driver::Parts{options, id, fs, executors, machine, transport, observer, clock, metrics},
      std::move(log), recovered, start, random);
}

}  // namespace kdb::raftnode
