// Carries out, on the leader, what is decided in meta's log and not yet done outside it: birth
// certificates, leaders of groups, ownership of slots. It works from the replicated state alone, so
// a new leader goes on where the old one fell.
//
// One pass is an ordered list of idempotent tasks: meta's own certificate; then for each group:
// certificate, joined, leader, slots.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/meta/catalog_log.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/rpc/admin_client.h"

namespace kdb::meta {

struct ReconcilerOptions {
  std::chrono::milliseconds interval{500};  // between passes when nothing kicks
  std::chrono::milliseconds call_timeout{1000};
  std::chrono::milliseconds retry{200};  // a pass that left work is followed by another
};

// Thread-safe. One thread of its own, joined by Stop.
class Reconciler {
 public:
  // All references outlive the object.
  Reconciler(const ReconcilerOptions& options, CatalogLog& log, StateHub& hub,
             rpc::AdminClient& admin, obs::Logger logger, obs::Registry& metrics);
  ~Reconciler();

  // From now on passes run while this server leads. `birth`: the meta group's certificate. Safe to
  // repeat.
  void Start(const catalog::BirthCertificate& birth);
  void Stop();
  // There is work: the next pass starts at once.
  void Kick();
  // Why the group's last pass did not finish its work; OK when it did, or was not tried.
  absl::Status Trouble(uint64_t gid) const;

 private:
  void Run();
  // True when nothing is left to do.
  bool Pass(const metalog::State& state);
  absl::Status ReconcileGroup(const metalog::State& state, const catalog::Group& group);
  // To the members that are not known to have it. Who is no member of `group` any more needs none.
  absl::Status DeliverBirth(const catalog::BirthCertificate& birth, const catalog::Group& group);
  absl::Status FindLeader(const catalog::Group& group);
  absl::Status DeliverSlots(const std::string& cluster_id, const catalog::Group& group,
                            const metalog::Assignment& assignment);
  absl::Status Propose(const metalog::Command& command);
  // False when stopping.
  bool WaitForWork(bool done);

  const ReconcilerOptions options_;
  CatalogLog& log_;
  StateHub& hub_;
  rpc::AdminClient& admin_;
  const obs::Logger logger_;
  obs::Counter& failures_;

  // Of the reconciler's thread.
  catalog::BirthCertificate meta_birth_;
  raft::Term term_ = 0;                           // of the leadership that told_ is of
  std::set<std::pair<uint64_t, uint64_t>> told_;  // (gid, member) that has its certificate

  mutable Mutex mu_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool kicked_ ABSL_GUARDED_BY(mu_) = false;
  std::map<uint64_t, absl::Status> trouble_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace kdb::meta
