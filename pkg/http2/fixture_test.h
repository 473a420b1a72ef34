// A session and a client of nghttp2's, with nothing between them; a service that does as the test
// says.
#pragma once

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/http2/grpc_wire.h"
#include "pkg/http2/session.h"

namespace kdb::http2 {

class StillClock final : public Clock {
 public:
  Duration Monotonic() const override { return now; }
  int64_t WallMillis() const override { return 0; }
  Duration now = std::chrono::seconds(1000);
};

// Has the method /test/Echo, which answers its request; or keeps calls while `hold` is set.
class EchoService final : public Service {
 public:
  struct Pending final : PendingCall {
    Pending(EchoService& service, Call& call) : service(service), call(&call) {
      service.held.push_back(this);
    }
    ~Pending() override { std::erase(service.held, this); }
    EchoService& service;
    Call* call;
  };

  bool Has(std::string_view path) const override { return path == "/test/Echo"; }
  std::unique_ptr<PendingCall> Start(Call& call) override {
    ++started;
    metadata = call.metadata();
    if (hold) return std::make_unique<Pending>(*this, call);
    std::string response(call.request());
    response.resize(std::max(response.size(), response_bytes));
    call.Finish(error, std::move(response));
    return nullptr;
  }

  bool hold = false;
  absl::Status error;
  size_t response_bytes = 0;  // at least
  int started = 0;
  Metadata metadata;
  std::vector<Pending*> held;
};

// What came back on one stream.
struct Answer {
  std::map<std::string, std::string> headers;  // and trailers
  std::string body;
  bool ended = false;  // with END_STREAM
  std::optional<uint32_t> closed;

  std::string status() const {
    auto it = headers.find("grpc-status");
    return it == headers.end() ? "" : it->second;
  }
};

// As a client reads it.
struct Goaway {
  int32_t last_stream = 0;
  uint32_t code = 0;
  std::string reason;
};

inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr int32_t kNoLastStream = (1U << 31) - 1;

// A frame that no client library would send.
inline std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string frame;
  for (int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift & 255));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift & 255));
  return frame.append(payload);
}

using Headers = std::vector<std::pair<std::string, std::string>>;

inline Headers EchoHeaders(Headers more = {}) {
  Headers headers = {{":method", "POST"},     {":scheme", "http"},
                     {":path", "/test/Echo"}, {":authority", "test"},
                     {"te", "trailers"},      {"content-type", "application/grpc"}};
  headers.insert(headers.end(), more.begin(), more.end());
  return headers;
}

inline std::string Framed(std::string_view message) {
  std::array<char, kMessagePrefixBytes> prefix = MessagePrefix(message.size());
  return std::string(prefix.data(), prefix.size()) + std::string(message);
}

class Http2Client {
 public:
  Http2Client() { Reconnect(); }
  // Forgets everything.
  void Reconnect() {
    if (http_ != nullptr) nghttp2_session_del(http_);
    bodies_.clear();
    answers_.clear();
    goaways_.clear();
    pings_ = 0;
    ping_answers_.clear();
    unparsed_.clear();
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_peer_max_concurrent_streams(option, 10000);
    nghttp2_option_set_no_auto_ping_ack(option, 1);
    nghttp2_session_client_new2(&http_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
  }
  ~Http2Client() { nghttp2_session_del(http_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  void Settings(std::vector<nghttp2_settings_entry> entries = {}) {
    nghttp2_submit_settings(http_, 0, entries.data(), entries.size());
  }
  // `body`: nothing: the stream stays open; else it is sent, and the stream ended if `end`.
  int32_t Ask(const Headers& headers, std::optional<std::string> body, bool end = true) {
    std::vector<nghttp2_nv> pairs;
    for (const auto& [name, value] : headers) {
      pairs.push_back({Bytes(name), Bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    auto source = std::make_unique<Body>();
    source->ended = end && body.has_value();
    source->bytes = std::move(body).value_or("");
    nghttp2_data_provider provider{};
    provider.source.ptr = source.get();
    provider.read_callback = ReadBody;
    int32_t id =
        nghttp2_submit_request(http_, nullptr, pairs.data(), pairs.size(), &provider, nullptr);
    bodies_[id] = std::move(source);
    return id;
  }
  void More(int32_t id, std::string_view bytes, bool end) {
    bodies_[id]->bytes.append(bytes);
    bodies_[id]->ended = end;
    nghttp2_session_resume_data(http_, id);
  }
  void Reset(int32_t id) { nghttp2_submit_rst_stream(http_, 0, id, NGHTTP2_CANCEL); }
  // How much of its body a stream could send so far.
  size_t sent(int32_t id) { return bodies_[id]->sent; }

  std::string Send() {
    std::string out = std::exchange(ping_answers_, "");
    const uint8_t* bytes = nullptr;
    ssize_t n = 0;
    while ((n = nghttp2_session_mem_send(http_, &bytes)) > 0) {
      out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
    }
    return out;
  }
  void Receive(std::string_view bytes) {
    unparsed_ += bytes;
    ParseFrames();
    ssize_t n = nghttp2_session_mem_recv(http_, reinterpret_cast<const uint8_t*>(bytes.data()),
                                         bytes.size());
    EXPECT_EQ(n, static_cast<ssize_t>(bytes.size()));
  }
  Answer& answer(int32_t id) { return answers_[id]; }
  // The code of the last one.
  std::optional<uint32_t> goaway() const {
    return goaways_.empty() ? std::nullopt : std::optional(goaways_.back().code);
  }
  const std::vector<Goaway>& goaways() const { return goaways_; }
  int pings() const { return pings_; }  // and answers to its own
  nghttp2_session* http() { return http_; }

 private:
  struct Body {
    std::string bytes;
    size_t sent = 0;
    bool ended = false;
  };

  // What nghttp2 does not look at any more once it has read a GOAWAY and has no calls.
  void ParseFrames() {
    size_t at = 0;
    auto number = [&](size_t offset, int bytes) {
      uint32_t value = 0;
      for (int i = 0; i < bytes; ++i) {
        value = value << 8 | static_cast<uint8_t>(unparsed_[at + offset + i]);
      }
      return value;
    };
    for (size_t size = 0; unparsed_.size() >= at + 9; at += 9 + size) {
      size = number(0, 3);
      if (unparsed_.size() < at + 9 + size) break;
      if (unparsed_[at + 3] == NGHTTP2_GOAWAY) {
        goaways_.push_back({static_cast<int32_t>(number(9, 4)), number(13, 4),
                            unparsed_.substr(at + 17, size - 8)});
      } else if (unparsed_[at + 3] == NGHTTP2_PING) {
        ++pings_;
        bool ack = (unparsed_[at + 4] & NGHTTP2_FLAG_ACK) != 0;
        std::string payload = unparsed_.substr(at + 9, 8);
        if (!ack) ping_answers_ += Frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload);
      }
    }
    unparsed_.erase(0, at);
  }

  static uint8_t* Bytes(const std::string& text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  }
  static ssize_t ReadBody(nghttp2_session*, int32_t, uint8_t* out, size_t size, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    Body& body = *static_cast<Body*>(source->ptr);
    size_t n = body.bytes.copy(reinterpret_cast<char*>(out), size, body.sent);
    body.sent += n;
    if (body.sent < body.bytes.size()) return static_cast<ssize_t>(n);
    if (body.ended) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (n == 0 && !body.ended) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(n);
  }
  static Http2Client& Self(void* self) { return *static_cast<Http2Client*>(self); }
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* self) {
    Self(self)
        .answers_[frame->hd.stream_id]
        .headers[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                    void* self) {
    Self(self).answers_[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    bool data = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (data && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Self(self).answers_[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static int OnClose(nghttp2_session*, int32_t id, uint32_t error, void* self) {
    Self(self).answers_[id].closed = error;
    return 0;
  }

  nghttp2_session* http_ = nullptr;
  std::map<int32_t, std::unique_ptr<Body>> bodies_;
  std::map<int32_t, Answer> answers_;
  std::vector<Goaway> goaways_;
  int pings_ = 0;
  std::string ping_answers_;
  std::string unparsed_;
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() { options_.metadata = {"password"}; }

  void Start() {
    session_ =
        std::make_unique<Session>(options_, service_, deadlines_, clock_, [this] { ++changes_; });
    client_.Settings(client_settings_);
    Pump();
  }
  // Both sides talk until neither has anything to say.
  void Pump() {
    for (bool more = true; more;) {
      std::string up = client_.Send();
      if (!up.empty()) alive_ = session_->Receive(up) && alive_;
      std::string down;
      alive_ = alive_ && session_->Send(1 << 30, &down);
      if (!down.empty()) client_.Receive(down);
      more = !up.empty() || !down.empty();
    }
  }
  Answer& Ask(const Headers& headers, std::optional<std::string> body) {
    int32_t id = client_.Ask(headers, std::move(body));
    Pump();
    return client_.answer(id);
  }
  void Advance(Clock::Duration time) {
    clock_.now += time;
    deadlines_.Expire(clock_.now);
    Pump();
  }
  void Finish(EchoService::Pending* pending, std::string response) {
    pending->call->Finish(absl::OkStatus(), std::move(response));
  }

  StillClock clock_;
  SessionOptions options_;
  EchoService service_;
  Deadlines deadlines_;
  std::vector<nghttp2_settings_entry> client_settings_;
  std::unique_ptr<Session> session_;
  Http2Client client_;
  int changes_ = 0;
  bool alive_ = true;
};

}  // namespace kdb::http2
