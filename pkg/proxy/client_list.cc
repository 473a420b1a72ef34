#include "pkg/proxy/client_list.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace kdb::proxy {
namespace {

// Parts come from every thread; the last one ends it.
struct Gathering {
  Mutex mu;
  std::vector<ClientInfo> clients ABSL_GUARDED_BY(mu);
  size_t missing ABSL_GUARDED_BY(mu) = 0;
  absl::AnyInvocable<void(std::vector<ClientInfo>)> done;

  void Add(std::vector<ClientInfo> part) {
    std::vector<ClientInfo> all;
    {
      MutexLock lock(mu);
      std::move(part.begin(), part.end(), std::back_inserter(clients));
      if (--missing > 0) return;
      all.swap(clients);
    }
    std::sort(all.begin(), all.end(),
              [](const ClientInfo& a, const ClientInfo& b) { return a.id < b.id; });
    done(std::move(all));
  }
};

}  // namespace

void ClientList::SetThreads(std::vector<IoThread*> threads) {
  MutexLock lock(mu_);
  threads_ = std::move(threads);
}

void ClientList::List(absl::AnyInvocable<void(std::vector<ClientInfo>)> done) {
  MutexLock lock(mu_);
  // Shared by the tasks on the threads.
  auto gathering = std::make_shared<Gathering>();
  gathering->done = std::move(done);
  {
    MutexLock gather_lock(gathering->mu);
    gathering->missing = threads_.size();
  }
  for (IoThread* thread : threads_) {
    thread->ListClients(
        [gathering](std::vector<ClientInfo> part) { gathering->Add(std::move(part)); });
  }
}

}  // namespace kdb::proxy
