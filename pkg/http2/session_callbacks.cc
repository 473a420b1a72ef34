// How nghttp2 is set up, and what it calls.
#include <nghttp2/nghttp2.h>

#include <array>
#include <limits>

#include "pkg/base/check.h"
#include "pkg/http2/session.h"
#include "pkg/http2/stream.h"

namespace kdb::http2 {
namespace {

constexpr int32_t kConnectionWindow = 4 << 20;
// A client that resets calls as fast as it makes them would have work done for nothing; one whose
// calls all reach their deadlines at once is no such client.
constexpr uint64_t kResetBurst = 4000;
constexpr uint64_t kResetsPerSecond = 400;
constexpr size_t kMaxUnsentAcks = 1000;
constexpr size_t kMaxContinuations = 8;
constexpr size_t kMaxSettings = 32;  // in one frame
// The last stream of a GOAWAY that only announces another.
constexpr int32_t kNoLastStream = std::numeric_limits<int32_t>::max();

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool IsAck(const nghttp2_frame& frame) { return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0; }
bool EndsStream(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
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
  nghttp2_option_set_max_settings(option, kMaxSettings);
  nghttp2_option_set_max_continuations(option, kMaxContinuations);
  nghttp2_option_set_stream_reset_rate_limit(option, kResetBurst, kResetsPerSecond);
  return OptionPtr(option);
}

}  // namespace

// Whatever a stream is refused for is answered on it; only a session's failure ends what nghttp2
// reads.
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
    auto& session = *static_cast<Session*>(self);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        OnStreamFrame(session, *frame);
        break;
      case NGHTTP2_SETTINGS:
        if (!IsAck(*frame)) session.OnSettings();
        break;
      case NGHTTP2_PING:
        IsAck(*frame) ? session.OnPingAnswered() : session.OnPing();
        break;
      case NGHTTP2_RST_STREAM:  // nghttp2 counts them
        break;
      default:
        session.OnIdleFrame();
    }
    return session.failure_ == Failure::kNone ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static void OnStreamFrame(Session& session, const nghttp2_frame& frame) {
    bool data = frame.hd.type == NGHTTP2_DATA;
    if (data && frame.hd.length <= frame.data.padlen && !EndsStream(frame)) session.OnIdleFrame();
    Stream* stream = session.Find(frame.hd.stream_id);
    if (stream == nullptr) return;
    if (!data && frame.headers.cat == NGHTTP2_HCAT_REQUEST) stream->OnHeaders();
    if (EndsStream(frame)) stream->OnEnd();
  }

  static int OnFrameSent(nghttp2_session* /*http*/, const nghttp2_frame* frame, void* self) {
    auto& session = *static_cast<Session*>(self);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        session.OnAnswerFrameSent();
        if (frame->hd.type == NGHTTP2_HEADERS && EndsStream(*frame)) {
          Stream* stream = session.Find(frame->hd.stream_id);
          if (stream != nullptr) stream->OnEndSent();
        }
        break;
      case NGHTTP2_RST_STREAM:
        if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR) session.OnResetSent();
        break;
      case NGHTTP2_GOAWAY:
        OnGoawaySent(session, frame->goaway);
        break;
      default:
        break;
    }
    return 0;
  }

  static void OnGoawaySent(Session& session, const nghttp2_goaway& goaway) {
    if (goaway.error_code != NGHTTP2_NO_ERROR) {
      if (session.failure_ == Failure::kNone) session.failure_ = Failure::kProtocol;
      session.over_ = true;
    } else if (goaway.last_stream_id == kNoLastStream) {
      session.OnNoticeSent();
    }
  }

  static int OnStreamClosed(nghttp2_session* /*http*/, int32_t id, uint32_t /*error*/, void* self) {
    static_cast<Session*>(self)->Close(id);
    return 0;
  }
};

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

}  // namespace kdb::http2
