#include "pkg/testing/sim/cluster.h"

#include <optional>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/storage/system_record.h"

namespace kdb::sim {
namespace {

using std::chrono::seconds;

std::shared_ptr<const shard::SlotTable> AllSlotsOf(const catalog::BirthCertificate& birth) {
  catalog::Catalog catalog;
  catalog.set_cluster_id(birth.cluster_id());
  catalog.set_version(1);
  catalog::Group& group = *catalog.add_groups();
  group.set_gid(birth.gid());
  *group.mutable_members() = birth.members();
  catalog::SlotRange& range = *catalog.add_slots();
  range.set_last(shard::kSlots - 1);
  range.set_gid(birth.gid());
  range.set_epoch(1);
  auto table = shard::SlotTable::Build(std::move(catalog));
  KDB_CHECK(table.ok(), "{}", table.status().ToString());
  return *std::move(table);
}

}  // namespace

Cluster::Cluster(World& world) : world_(world), table_(AllSlotsOf(world.birth)) {
  std::map<std::string, SimServer*> by_address;
  for (const catalog::Member& member : world.birth.members()) {
    servers_.push_back(std::make_unique<SimServer>(world, member.id()));
    by_address[member.address()] = servers_.back().get();
  }
  for (int i = 1; i <= world.scenario.proxies; ++i) {
    proxies_.push_back(std::make_unique<SimProxy>(world, i, by_address));
  }
  for (const auto& server : servers_) server->Start();
}

bool Cluster::Boot() {
  // A refusal (no leader yet, clocks not known yet) is tried again.
  for (auto end = world_.loop.Now() + seconds(20); world_.loop.Now() < end;) {
    if (OwnAllSlots()) return true;
    world_.loop.RunFor(std::chrono::milliseconds(20));
  }
  return false;
}

bool Cluster::OwnAllSlots() {
  SimServer* leading = leader();
  if (leading == nullptr) return false;
  kv::OwnSlots own{.slots = {}, .epoch = 1, .assignment = 1};
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) own.slots.push_back(slot);
  auto result = std::make_shared<std::optional<absl::Status>>();
  leading->replica().OwnSlots(own, [result](absl::Status status) { *result = std::move(status); });
  return world_.loop.RunUntil([&] { return result->has_value(); }, seconds(2)) && (*result)->ok();
}

SimServer* Cluster::leader() const {
  for (const auto& server : servers_) {
    if (server->leads()) return server.get();
  }
  return nullptr;
}

bool Cluster::Settled() const {
  std::optional<uint64_t> applied;
  for (const auto& server : servers_) {
    if (!server->running()) return false;
    raft::RaftStatus status = server->replica().RaftStatus();
    auto record = storage::ReadSystemRecord(server->engine());
    if (!record.ok() || record->applied_index != status.last_index) return false;
    if (applied.value_or(record->applied_index) != record->applied_index) return false;
    applied = record->applied_index;
  }
  return true;
}

}  // namespace kdb::sim
