#include "pkg/ctl/cluster.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"
#include "pkg/shard/slot_table.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::ctl {
namespace {

constexpr std::chrono::milliseconds kMemberTimeout{1000};

std::optional<shardpb::StatusReply> AskMember(const std::string& address) {
  auto stub = shardpb::Admin::NewStub(rpc::NewChannel(address, "kdbctl"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kMemberTimeout);
  context.set_wait_for_ready(true);
  shardpb::StatusReply reply;
  if (!stub->Status(&context, {}, &reply).ok()) return std::nullopt;
  return reply;
}

struct MemberRow {
  uint64_t gid = 0;
  uint64_t id = 0;
  std::string address;
  std::optional<shardpb::StatusReply> status;
};

std::vector<MemberRow> AskAll(const catalog::Catalog& catalog) {
  std::vector<MemberRow> rows;
  auto add = [&rows](const catalog::Group& group) {
    for (const catalog::Member& m : group.members()) {
      rows.push_back({group.gid(), m.id(), m.address(), AskMember(m.address())});
    }
  };
  add(catalog.meta());
  for (const catalog::Group& group : catalog.groups()) add(group);
  return rows;
}

std::string Slots(const shardpb::StatusReply& status) {
  return shard::FormatSlots({status.slots().begin(), status.slots().end()});
}

nlohmann::json ToJson(const MemberRow& row) {
  nlohmann::json json{{"group", row.gid}, {"id", row.id}, {"address", row.address}};
  if (!row.status.has_value()) {
    json["role"] = "unknown";
    return json;
  }
  const shardpb::StatusReply& s = *row.status;
  json.update({{"role", s.role()},
               {"term", s.term()},
               {"leader", s.leader()},
               {"commit", s.commit()},
               {"applied", s.applied()},
               {"lag", s.last_index() - std::min(s.last_index(), s.applied())},
               {"keys", s.keys()},
               {"bytes", s.bytes()},
               {"slots", Slots(s)},
               {"uuid", s.uuid()},
               {"version", s.version()},
               {"trouble", s.trouble()}});
  return json;
}

void PrintTable(const std::vector<MemberRow>& rows) {
  constexpr const char* kRow = "{:<7}{:<4}{:<22}{:<11}{:>6}{:>9}{:>10}{:>13}  {}\n";
  fmt::print(kRow, "GROUP", "ID", "ADDRESS", "ROLE", "TERM", "LAG", "KEYS", "BYTES", "SLOTS");
  for (const MemberRow& row : rows) {
    std::string group = row.gid == 0 ? "meta" : std::to_string(row.gid);
    if (!row.status.has_value()) {
      fmt::print(kRow, group, row.id, row.address, "unknown", "-", "-", "-", "-", "-");
      continue;
    }
    const shardpb::StatusReply& s = *row.status;
    fmt::print(kRow, group, row.id, row.address, s.role(), s.term(),
               s.last_index() - std::min(s.last_index(), s.applied()), s.keys(), s.bytes(),
               row.gid == 0 ? "-" : Slots(s));
  }
  for (const MemberRow& row : rows) {
    if (!row.status.has_value() || row.status->trouble().empty()) continue;
    fmt::print("member {} at {}: {}\n", row.id, row.address, row.status->trouble());
  }
}

nlohmann::json ToJson(const catalog::Catalog& catalog, const catalog::Group& group) {
  nlohmann::json members = nlohmann::json::array(), slots = nlohmann::json::array();
  for (const catalog::Member& m : group.members()) {
    members.push_back({{"id", m.id()}, {"address", m.address()}, {"uuid", m.uuid()}});
  }
  for (const catalog::SlotRange& range : catalog.slots()) {
    if (range.gid() != group.gid()) continue;
    slots.push_back({{"first", range.first()}, {"last", range.last()}, {"epoch", range.epoch()}});
  }
  return {{"gid", group.gid()},
          {"state", catalog::Group::State_Name(group.state())},
          {"leader", group.leader()},
          {"members", members},
          {"slots", slots}};
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : options_(options), meta_({.seeds = options.meta}, Random(SystemSeed())) {}

absl::Status Cluster::Status() {
  KDB_ASSIGN_OR_RETURN(metapb::QueryReply reply, meta_.Query(options_.timeout));
  std::vector<MemberRow> rows = AskAll(reply.catalog());
  if (options_.output == Output::kText) {
    fmt::print("cluster {}, catalog version {}\n", reply.catalog().cluster_id(),
               reply.catalog().version());
    PrintTable(rows);
    return absl::OkStatus();
  }
  nlohmann::json json{{"cluster", reply.catalog().cluster_id()},
                      {"catalog_version", reply.catalog().version()},
                      {"members", nlohmann::json::array()}};
  for (const MemberRow& row : rows) json["members"].push_back(ToJson(row));
  fmt::print("{}\n", json.dump(2));
  return absl::OkStatus();
}

absl::Status Cluster::Query() {
  KDB_ASSIGN_OR_RETURN(metapb::QueryReply reply, meta_.Query(options_.timeout));
  if (options_.output == Output::kJson) {
    nlohmann::json json = nlohmann::json::array();
    for (const catalog::Group& group : reply.catalog().groups()) {
      json.push_back(ToJson(reply.catalog(), group));
    }
    fmt::print("{}\n", json.dump(2));
    return absl::OkStatus();
  }
  for (const catalog::Group& group : reply.catalog().groups()) {
    fmt::print("group {} {}\n", group.gid(), catalog::Group::State_Name(group.state()));
    for (const catalog::Member& m : group.members()) {
      fmt::print("  {} {}{}\n", m.id(), m.address(), m.id() == group.leader() ? " leader" : "");
    }
    for (const catalog::SlotRange& range : reply.catalog().slots()) {
      if (range.gid() == group.gid()) {
        fmt::print("  slots {}-{} epoch {}\n", range.first(), range.last(), range.epoch());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Cluster::Bootstrap(const std::vector<std::string>& addresses) {
  KDB_ASSIGN_OR_RETURN(std::string cluster, meta_.Bootstrap(addresses, options_.timeout));
  fmt::print("{}\n", options_.output == Output::kJson ? nlohmann::json{{"cluster", cluster}}.dump()
                                                      : "cluster " + cluster);
  return absl::OkStatus();
}

absl::Status Cluster::Register(uint64_t gid, const std::vector<std::string>& addresses) {
  KDB_RETURN_IF_ERROR(meta_.Register(gid, addresses, options_.timeout));
  return Done();
}

absl::Status Cluster::Join(uint64_t gid, const std::vector<std::string>& addresses) {
  KDB_RETURN_IF_ERROR(meta_.Join(gid, addresses, options_.timeout));
  return Done();
}

absl::Status Cluster::Leave(uint64_t gid) {
  KDB_RETURN_IF_ERROR(meta_.Leave(gid, options_.timeout));
  return Done();
}

absl::Status Cluster::Move(uint64_t gid, const std::string& slots) {
  KDB_ASSIGN_OR_RETURN(std::vector<shard::Slot> parsed, shard::ParseSlots(slots));
  KDB_RETURN_IF_ERROR(meta_.Move(gid, {parsed.begin(), parsed.end()}, options_.timeout));
  return Done();
}

absl::Status Cluster::TransferLeader(uint64_t gid, uint64_t member) {
  KDB_RETURN_IF_ERROR(meta_.TransferLeader(gid, member, options_.timeout));
  return Done();
}

absl::Status Cluster::SetLogLevel(const std::string& address, const std::string& level) {
  auto stub = shardpb::Admin::NewStub(rpc::NewChannel(address, "kdbctl"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options_.timeout);
  shardpb::SetLogLevelRequest request;
  request.set_level(level);
  shardpb::SetLogLevelReply reply;
  KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub->SetLogLevel(&context, request, &reply)));
  return Done();
}

absl::Status Cluster::Done() {
  fmt::print("{}\n", options_.output == Output::kJson ? R"({"ok": true})" : "OK");
  return absl::OkStatus();
}

}  // namespace kdb::ctl
