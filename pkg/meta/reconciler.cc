#include "pkg/meta/reconciler.h"

#include <algorithm>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/meta/catalog_rules.h"

namespace kdb::meta {

Reconciler::Reconciler(const ReconcilerOptions& options, CatalogLog& log, StateHub& hub,
                       rpc::AdminClient& admin, obs::Logger logger, obs::Registry& metrics)
    : options_(options),
      log_(log),
      hub_(hub),
      admin_(admin),
      logger_(std::move(logger)),
      failures_(metrics.AddCounter("kdb_meta_reconcile_failures_total",
                                   "Passes over a group that left work undone")) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::Start(const catalog::BirthCertificate& birth) {
  if (thread_.joinable()) return;
  meta_birth_ = birth;
  thread_ = std::thread([this] { Run(); });
}

void Reconciler::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Reconciler::Kick() {
  MutexLock lock(mu_);
  kicked_ = true;
  wake_.NotifyAll();
}

absl::Status Reconciler::Trouble(uint64_t gid) const {
  MutexLock lock(mu_);
  auto it = trouble_.find(gid);
  return it == trouble_.end() ? absl::OkStatus() : it->second;
}

void Reconciler::Run() {
  bool done = true;
  while (WaitForWork(done)) {
    const CatalogLog::Leadership leadership = log_.leadership();
    StatePtr state = hub_.Latest();
    if (leadership.role != raft::Role::kLeader || state == nullptr) {
      done = true;
      continue;
    }
    if (leadership.term != term_) {
      term_ = leadership.term;
      told_.clear();
      MutexLock lock(mu_);
      trouble_.clear();
    }
    done = Pass(*state);
  }
}

bool Reconciler::WaitForWork(bool done) {
  const auto until = std::chrono::steady_clock::now() + (done ? options_.interval : options_.retry);
  MutexLock lock(mu_);
  while (!stopping_ && !kicked_ && std::chrono::steady_clock::now() < until) {
    wake_.WaitUntil(mu_, until);
  }
  kicked_ = false;
  return !stopping_;
}

bool Reconciler::Pass(const metalog::State& state) {
  bool done = DeliverBirth(meta_birth_, state.catalog().meta()).ok();
  for (const catalog::Group& group : state.catalog().groups()) {
    absl::Status status = ReconcileGroup(state, group);
    if (!status.ok()) {
      done = false;
      failures_.Increment();
    }
    MutexLock lock(mu_);
    if (stopping_) return true;
    absl::Status& last = trouble_[group.gid()];
    if (!status.ok() && status != last) {
      logger_->warn("group {}: {}", group.gid(), status.ToString());
    }
    last = status;
  }
  return done;
}

absl::Status Reconciler::ReconcileGroup(const metalog::State& state, const catalog::Group& group) {
  const catalog::BirthCertificate* birth = FindBirth(state, group.gid());
  if (birth == nullptr) return absl::OkStatus();  // registered only
  absl::Status delivered = DeliverBirth(*birth, group);
  auto has_it = std::count_if(told_.begin(), told_.end(),
                              [&](const auto& told) { return told.first == group.gid(); });
  if (2 * has_it > birth->members_size() && group.state() == catalog::Group::BORN) {
    metalog::Command command;
    command.mutable_mark_joined()->set_gid(group.gid());
    KDB_RETURN_IF_ERROR(Propose(command));
    logger_->info("group {} has joined: {} of {} members have its certificate", group.gid(), has_it,
                  birth->members_size());
    Kick();  // for the rest, on the new state
  } else if (group.state() == catalog::Group::BORN) {
    return delivered;
  }
  if (group.leader() == 0) KDB_RETURN_IF_ERROR(FindLeader(group));
  for (const metalog::Assignment& assignment : state.assignments()) {
    if (assignment.gid() != group.gid()) continue;
    KDB_RETURN_IF_ERROR(DeliverSlots(state.catalog().cluster_id(), group, assignment));
  }
  return delivered;
}

absl::Status Reconciler::DeliverBirth(const catalog::BirthCertificate& birth,
                                      const catalog::Group& group) {
  std::vector<uint64_t> ids;
  std::vector<std::string> addresses;
  for (const catalog::Member& member : birth.members()) {
    const std::string address = AddressOf(group, member.id());
    if (address.empty() || told_.contains({birth.gid(), member.id()})) continue;
    ids.push_back(member.id());
    addresses.push_back(address);
  }
  if (ids.empty()) return absl::OkStatus();
  auto replies = admin_.AcceptBirth(addresses, birth, options_.call_timeout);
  absl::Status first;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (replies[i].ok()) {
      told_.emplace(birth.gid(), ids[i]);
    } else {
      first.Update(replies[i].status());
    }
  }
  return first;
}

absl::Status Reconciler::FindLeader(const catalog::Group& group) {
  absl::Status why = absl::UnavailableError("the group has no leader yet");
  for (const auto& reply : admin_.Status(AddressesOf(group), options_.call_timeout)) {
    if (!reply.ok()) continue;
    // An address is no identity: another group's server may answer there.
    if (reply->gid() != group.gid() || reply->role() != "leader") continue;
    metalog::Command command;
    command.mutable_report_leader()->set_gid(group.gid());
    command.mutable_report_leader()->set_leader(reply->member_id());
    command.mutable_report_leader()->set_term(reply->term());
    return Propose(command);
  }
  return why;
}

absl::Status Reconciler::DeliverSlots(const std::string& cluster_id, const catalog::Group& group,
                                      const metalog::Assignment& assignment) {
  shardpb::OwnSlotsRequest request;
  request.set_cluster_id(cluster_id);
  request.set_gid(group.gid());
  request.mutable_slots()->CopyFrom(assignment.slots());
  request.set_epoch(assignment.epoch());
  request.set_assignment(assignment.index());
  // The known leader first; then whom it names; then everybody.
  std::vector<std::string> targets = {AddressOf(group, group.leader())};
  for (const std::string& address : AddressesOf(group)) targets.push_back(address);
  std::set<std::string> asked;
  absl::Status status = absl::UnavailableError("the group has no leader yet");
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string target = targets[i];
    if (target.empty() || !asked.insert(target).second) continue;
    std::string hint;
    status = admin_.OwnSlots(target, request, options_.call_timeout, &hint);
    if (status.ok()) {
      metalog::Command command;
      command.mutable_slots_owned()->set_gid(group.gid());
      command.mutable_slots_owned()->set_assignment(assignment.index());
      return Propose(command);
    }
    if (!hint.empty()) targets.insert(targets.begin() + static_cast<ptrdiff_t>(i) + 1, hint);
  }
  return status;
}

absl::Status Reconciler::Propose(const metalog::Command& command) {
  return log_.Propose(command, std::chrono::steady_clock::now() + options_.call_timeout).status();
}

}  // namespace kdb::meta
