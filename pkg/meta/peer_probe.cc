#include "pkg/meta/peer_probe.h"

#include <utility>

namespace kdb::meta {

std::vector<bool> PeerProbe::Running(const std::vector<catalog::Member>& members) {
  {
    MutexLock lock(mu_);
    while (asking_) done_.Wait(mu_);
    const bool fresh = std::chrono::steady_clock::now() - asked_ < kFresh;
    if (fresh && running_.size() == members.size()) return running_;
    asking_ = true;
  }
  std::vector<bool> running = Ask(members);
  MutexLock lock(mu_);
  asking_ = false;
  running_ = running;
  asked_ = std::chrono::steady_clock::now();
  done_.NotifyAll();
  return running;
}

std::vector<bool> PeerProbe::Ask(const std::vector<catalog::Member>& members) {
  std::vector<std::string> addresses;
  for (const catalog::Member& member : members) addresses.push_back(member.address());
  auto replies = admin_.Identify(addresses, kTimeout);
  std::vector<bool> running(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    running[i] = replies[i].ok() && replies[i]->uuid() == members[i].uuid();
  }
  return running;
}

}  // namespace kdb::meta
