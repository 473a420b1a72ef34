// One Watch call: the newest catalog whenever the one sent before was written. A slow watcher skips
// versions, so that it costs one catalog of memory at most.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "pkg/base/mutex.h"
#include "pkg/meta/state_hub.h"
#include "proto/meta.grpc.pb.h"

namespace kdb::meta {

// Owns itself until gRPC is done with it.
class WatchStream final : public grpc::ServerWriteReactor<metapb::WatchReply>,
                          public StateHub::Subscriber {
 public:
  // `version`: the newest that the caller has. `hub` outlives the call.
  static grpc::ServerWriteReactor<metapb::WatchReply>* Start(StateHub& hub, uint64_t version);

  void OnChange() override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchStream(StateHub& hub, uint64_t version) : hub_(hub), sent_(version) {}
  enum class Step { kWait, kWrite, kFinish };
  // Takes the newest state to be written, if it was not yet and nothing is in the way.
  Step NextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Do(Step step);

  StateHub& hub_;
  // Shared with the hub's calls; given up in OnDone.
  std::shared_ptr<WatchStream> self_;
  metapb::WatchReply reply_;  // of the write that is under way
  grpc::Status end_;          // set before kFinish

  Mutex mu_;
  uint64_t sent_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kdb::meta
