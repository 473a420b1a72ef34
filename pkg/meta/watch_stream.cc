#include "pkg/meta/watch_stream.h"

#include <utility>

namespace kdb::meta {

grpc::ServerWriteReactor<metapb::WatchReply>* WatchStream::Start(StateHub& hub, uint64_t version) {
  std::shared_ptr<WatchStream> stream(new WatchStream(hub, version));
  stream->self_ = stream;
  hub.Subscribe(stream);
  return stream.get();
}

bool WatchStream::TakeNextLocked() {
  if (writing_ || finished_ || cancelled_) return false;
  StatePtr latest = hub_.Latest();
  if (latest == nullptr || latest->catalog().version() <= sent_) return false;
  *reply_.mutable_catalog() = latest->catalog();
  sent_ = latest->catalog().version();
  writing_ = true;
  return true;
}

// gRPC may call back from within StartWrite and Finish: neither is called under the mutex.

void WatchStream::OnChange() {
  {
    MutexLock lock(mu_);
    if (!TakeNextLocked()) return;
  }
  StartWrite(&reply_);
}

void WatchStream::OnWriteDone(bool ok) {
  bool finish;
  {
    MutexLock lock(mu_);
    writing_ = false;
    finish = !ok || cancelled_;
    finished_ = finished_ || finish;
    if (!finish && !TakeNextLocked()) return;
  }
  if (finish) {
    Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the watch was cancelled"));
  } else {
    StartWrite(&reply_);
  }
}

void WatchStream::OnCancel() {
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    if (writing_ || finished_) return;  // OnWriteDone finishes
    finished_ = true;
  }
  Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the watch was cancelled"));
}

void WatchStream::OnDone() {
  // May free the object.
  std::shared_ptr<WatchStream> self = std::move(self_);
}

}  // namespace kdb::meta
