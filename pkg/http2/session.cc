#include "pkg/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/http2/stream.h"

namespace kdb::http2 {
namespace {

constexpr int32_t kConnectionWindow = 4 << 20;
// A client that resets calls as fast as it makes them would have work done for nothing; one whose
// calls all reach their deadlines at once is no such client.
constexpr uint64_t kResetBurst = 4000;
constexpr uint64_t kResetsPerSecond = 400;
constexpr size_t kMaxUnsentAcks = 1000;

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

struct OptionDeleter {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct CallbacksDeleter {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
using OptionPtr = std::unique_ptr<nghttp2_option, OptionDeleter>;
using CallbacksPtr = std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter>;

OptionPtr NewOption() {
  nghttp2_option* option = nullptr;
  KDB_CHECK(nghttp2_option_new(&option) == 0, "out of memory");
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_outbound_ack(option, kMaxUnsentAcks);
  nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetsPerSecond);
  return OptionPtr(option);
}

}  // namespace

// What nghttp2 calls. None of them fails: whatever a stream is refused for is answered on it.
struct Session::Callbacks {
  static CallbacksPtr New() {
    nghttp2_session_callbacks* callbacks = nullptr;
    KDB_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0, "out of memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnFrameSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClosed);
    return CallbacksPtr(callbacks);
  }

  static int OnBeginHeaders(nghttp2_session* /*http*/, const nghttp2_frame* frame, void* self) {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      static_cast<Session*>(self)->Open(frame->hd.stream_id);
    }
    return 0;
  }

  static int OnHeader(nghttp2_session* /*http*/, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t /*flags*/,
                      void* self) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // trailers mean nothing in gRPC
    Stream* stream = static_cast<Session*>(self)->Find(frame->hd.stream_id);
    if (stream != nullptr) stream->OnHeader(View(name, name_size), View(value, value_size));
    return 0;
  }

  static int OnData(nghttp2_session* http, uint8_t /*flags*/, int32_t id, const uint8_t* data,
                    size_t size, void* self) {
    // The connection's window is no limit, each stream's is.
    nghttp2_session_consume_connection(http, size);
    Stream* stream = static_cast<Session*>(self)->Find(id);
    if (stream != nullptr) stream->OnData(View(data, size));
    return 0;
  }

  static int OnFrame(nghttp2_session* /*http*/, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream* stream = static_cast<Session*>(self)->Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      stream->OnHeaders();
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->OnEnd();
    return 0;
  }

  static int OnFrameSent(nghttp2_session* /*http*/, const nghttp2_frame* frame, void* self) {
    auto& session = *static_cast<Session*>(self);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      session.failed_ = true;
    }
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      return 0;
    }
    Stream* stream = session.Find(frame->hd.stream_id);
    if (stream != nullptr) stream->OnEndSent();
    return 0;
  }

  static int OnStreamClosed(nghttp2_session* /*http*/, int32_t id, uint32_t /*error*/, void* self) {
    static_cast<Session*>(self)->Close(id);
    return 0;
  }
};

void Session::Deleter::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

Session::Session(const SessionOptions& options, Service& service, Deadlines& deadlines,
                 const Clock& clock, absl::AnyInvocable<void()> changed)
    : options_(options),
      service_(service),
      deadlines_(deadlines),
      clock_(clock),
      changed_(std::move(changed)) {
  CreateHttp();
}

void Session::CreateHttp() {
  nghttp2_session* http = nullptr;
  int error = nghttp2_session_server_new2(&http, Callbacks::New().get(), this, NewOption().get());
  KDB_CHECK(error == 0, "{}", nghttp2_strerror(error));
  http_.reset(http);
  const std::array<nghttp2_settings_entry, 3> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.max_calls},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(http, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(http, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Session::~Session() {
  waiting_.clear();
  auto streams = std::move(streams_);
}

bool Session::Receive(std::string_view bytes) {
  ssize_t n = nghttp2_session_mem_recv(http_.get(), reinterpret_cast<const uint8_t*>(bytes.data()),
                                       bytes.size());
  if (n < 0) failed_ = true;
  return n >= 0;
}

bool Session::Send(size_t limit, std::string* out) {
  while (out->size() < limit) {
    const uint8_t* bytes = nullptr;
    ssize_t n = nghttp2_session_mem_send(http_.get(), &bytes);
    if (n < 0) failed_ = true;
    if (n < 0) return false;
    if (n == 0) break;
    out->append(View(bytes, static_cast<size_t>(n)));
  }
  StartReady();
  return true;
}

bool Session::wants_send() const { return nghttp2_session_want_write(http_.get()) != 0; }

size_t Session::queued_frames() const {
  return nghttp2_session_get_outbound_queue_size(http_.get());
}

bool Session::ended() const { return !wants_send() && nghttp2_session_want_read(http_.get()) == 0; }

void Session::Shutdown() {
  nghttp2_submit_goaway(http_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(http_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
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
