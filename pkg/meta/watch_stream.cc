#include "pkg/meta/watch_stream.h"

#include <utility>

#include "pkg/rpc/channel.h"

namespace kdb::meta {

grpc::ServerWriteReactor<metapb::WatchReply>* WatchStream::Start(StateHub& hub, uint64_t version) {
  std::shared_ptr<WatchStream> stream(new WatchStream(hub, version));
  stream->self_ = stream;
  hub.Subscribe(stream);
  return stream.get();
}

WatchStream::Step WatchStream::NextLocked() {
  if (writing_ || finished_) return Step::kWait;
  const absl::Status end =
      cancelled_ ? absl::CancelledError("the watch was cancelled") : hub_.stopped();
  if (!end.ok()) {
    finished_ = true;
    end_ = rpc::ToGrpc(end);
    return Step::kFinish;
  }
  StatePtr latest = hub_.Latest();
  if (latest == nullptr || latest->catalog().version() <= sent_) return Step::kWait;
  *reply_.mutable_catalog() = latest->catalog();
  sent_ = latest->catalog().version();
  writing_ = true;
  return Step::kWrite;
}

// gRPC may call back from within StartWrite and Finish: neither is called under the mutex.
void WatchStream::Do(Step step) {
  if (step == Step::kWrite) StartWrite(&reply_);
  if (step == Step::kFinish) Finish(end_);
}

void WatchStream::OnChange() {
  Step step;
  {
    MutexLock lock(mu_);
    step = NextLocked();
  }
  Do(step);
}

void WatchStream::OnWriteDone(bool ok) {
  Step step;
  {
    MutexLock lock(mu_);
    writing_ = false;
    cancelled_ = cancelled_ || !ok;
    step = NextLocked();
  }
  Do(step);
}

void WatchStream::OnCancel() {
  Step step;
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    step = NextLocked();
  }
  Do(step);
}

void WatchStream::OnDone() {
  // May free the object.
  std::shared_ptr<WatchStream> self = std::move(self_);
}

}  // namespace kdb::meta
