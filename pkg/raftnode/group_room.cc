#include "pkg/raftnode/group_room.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/raft/quorum.h"

namespace kdb::raftnode {
namespace {

std::string_view Meaning(DiskLevel level) {
  switch (level) {
    case DiskLevel::kRoom:
      return "the disk has room";
    case DiskLevel::kWarn:
      return "the disk is filling up: make room or enlarge it before writes are refused";
    case DiskLevel::kFull:
      return "the disk is nearly full: writes that grow data are refused";
    case DiskLevel::kReserve:
      return "the disk is full: all writes are refused";
  }
  return "";
}

}  // namespace

std::string Describe(const DiskStatus& disk) {
  std::string all = fmt::format("{} ({})", Meaning(disk.level), disk.text);
  if (disk.quorum_full) {
    all +=
        "; the disks of other members are nearly full, too, and those with room are no quorum: "
        "writes that grow data are refused";
  }
  return all;
}

void GroupRoom::SetOwn(DiskLevel level, std::string text) {
  own_ = level;
  status_.text = std::move(text);
}

void GroupRoom::OnAnswer(raft::NodeId peer, bool full) {
  if (full) {
    full_peers_.insert(peer);
  } else {
    full_peers_.erase(peer);
  }
}

bool GroupRoom::Update(raft::NodeId self, const raft::ConfState& conf) {
  auto has_room = [&](raft::NodeId id) -> std::optional<bool> {
    return id == self ? own_ < DiskLevel::kFull : !full_peers_.contains(id);
  };
  const bool quorum_full =
      !full_peers_.empty() && raft::QuorumVote(conf, has_room) != raft::VoteResult::kWon;
  const bool changed = own_ != status_.level || quorum_full != status_.quorum_full;
  status_.level = own_;
  status_.quorum_full = quorum_full;
  return changed;
}

}  // namespace kdb::raftnode
