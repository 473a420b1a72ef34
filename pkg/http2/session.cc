#include "pkg/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <utility>

#include "pkg/http2/stream.h"

namespace kdb::http2 {
namespace {

// A keepalive ping every second is the most that any client has use for; those that measure the
// bandwidth come after data.
constexpr uint32_t kPingBurst = 100;
constexpr uint32_t kPingsPerSecond = 1;
// Of windows, answers to no ping, empty data. A client updates the window of each stream that it
// opens.
constexpr uint32_t kIdleFrameBurst = 10000;
constexpr uint32_t kIdleFramesPerSecond = 1000;
// Streams that we reset for what the client did on them: like resets of its own, they make room for
// further calls before the work of those before is done.
constexpr uint32_t kResetBurst = 4000;
constexpr uint32_t kResetsPerSecond = 400;

}  // namespace

void Session::Deleter::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

Session::Session(const SessionOptions& options, Service& service, Deadlines& deadlines,
                 const Clock& clock, absl::AnyInvocable<void()> changed)
    : options_(options),
      service_(service),
      deadlines_(deadlines),
      clock_(clock),
      changed_(std::move(changed)),
      pings_(kPingBurst, kPingsPerSecond, clock.Monotonic()),
      idle_frames_(kIdleFrameBurst, kIdleFramesPerSecond, clock.Monotonic()),
      resets_(kResetBurst, kResetsPerSecond, clock.Monotonic()),
      watch_(deadlines, [this] { OnWatch(); }),
      refuse_(deadlines, [this] { RefuseNewCalls(); }) {
  CreateHttp();
  watch_.Set(clock_.Monotonic() + options_.times.handshake);
}

Session::~Session() {
  waiting_.clear();
  auto streams = std::move(streams_);
}

bool Session::Receive(std::string_view bytes) {
  while (failure_ == Failure::kNone) {
    std::string_view next = idle_resets_.Next(&bytes);
    for (int i = idle_resets_.TakeCount(); i > 0; --i) OnIdleFrame();
    if (next.empty()) break;
    ssize_t n = nghttp2_session_mem_recv(http_.get(), reinterpret_cast<const uint8_t*>(next.data()),
                                         next.size());
    if (n >= 0 || failure_ != Failure::kNone) continue;
    failure_ = Failure::kProtocol;
    return false;
  }
  if (unfinished_ > 0) Watch();
  return true;
}

bool Session::Send(size_t limit, std::string* out) {
  while (out->size() < limit && !over_) {
    const uint8_t* bytes = nullptr;
    ssize_t n = nghttp2_session_mem_send(http_.get(), &bytes);
    if (n < 0) failure_ = Failure::kProtocol;
    if (n < 0) return false;
    if (n == 0) break;
    out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
  }
  StartReady();
  if (unsent_ > 0) Watch();
  return true;
}

bool Session::wants_send() const { return !over_ && nghttp2_session_want_write(http_.get()) != 0; }

size_t Session::queued_frames() const {
  return nghttp2_session_get_outbound_queue_size(http_.get());
}

bool Session::ended() const {
  return over_ || (!wants_send() && nghttp2_session_want_read(http_.get()) == 0);
}

// --- Streams.

void Session::Open(int32_t id) { streams_.emplace(id, std::make_unique<Stream>(*this, id)); }

void Session::Close(int32_t id) {
  auto it = streams_.find(id);
  if (it == streams_.end()) return;
  // What goes with it may look for others.
  std::unique_ptr<Stream> closed = std::move(it->second);
  streams_.erase(it);
}

Session::Stream* Session::Find(int32_t id) {
  auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

void Session::StartCall(int32_t id) {
  ready_.push_back(id);
  StartReady();
}

void Session::StartReady() {
  while (!ready_.empty() && unsent_ < options_.pause_bytes) {
    Stream* stream = Find(ready_.front());
    ready_.pop_front();
    if (stream != nullptr) stream->Start();
  }
}

void Session::GrantWaiting() {
  while (!waiting_.empty()) {
    Stream* stream = Find(waiting_.front());
    size_t wanted = stream == nullptr ? 0 : stream->wanted();
    if (granted_ + wanted > 2 * options_.max_message_bytes) return;
    if (wanted > 0) stream->Grant();
    waiting_.pop_front();
  }
}

void Session::Release(size_t granted) {
  if (granted == 0) return;
  granted_ -= granted;
  GrantWaiting();
}

}  // namespace kdb::http2
