// A client that does as the fuzzer likes. The input is a script: a byte names a step, its arguments
// follow. Frames have their true lengths and headers are literals, else nearly all input would end
// in nghttp2, whose code has no coverage counters; raw frames and raw bytes are steps, too.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/http2/grpc_wire.h"
#include "pkg/http2/session.h"

namespace kdb::http2 {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum FrameType : uint8_t { kData = 0, kHeaders = 1, kSettings = 4 };

std::string Frame(uint8_t type, uint8_t flags, uint8_t stream, std::string_view payload) {
  std::string frame;
  for (int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift & 255));
  for (uint8_t byte : {type, flags}) frame.push_back(static_cast<char>(byte));
  frame += std::string(3, '\0');
  frame.push_back(static_cast<char>(stream));
  return frame.append(payload);
}

// HPACK's literal that is not indexed; neither is longer than 126 bytes.
std::string Literal(std::string_view name, std::string_view value) {
  std::string literal(1, '\0');
  for (std::string_view text : {name, value}) {
    literal.push_back(static_cast<char>(text.size()));
    literal += text;
  }
  return literal;
}

// /test/Echo answers at once, the other method when the script says so.
class ScriptedService final : public Service {
 public:
  struct Held final : PendingCall {
    Held(ScriptedService& service, Call& call) : service(service), call(call) {
      service.held_.push_back(this);
    }
    ~Held() override { std::erase(service.held_, this); }
    ScriptedService& service;
    Call& call;
  };

  bool Has(std::string_view path) const override {
    return path == "/test/Echo" || path == "/test/Hold";
  }
  std::unique_ptr<PendingCall> Start(Call& call) override {
    KDB_CHECK(Has(call.path()));
    if (call.path() == "/test/Hold") return std::make_unique<Held>(*this, call);
    Answer(call, absl::OkStatus(), std::string(call.request()));
    return nullptr;
  }
  void AnswerHeld(size_t which, absl::Status status, std::string response) {
    if (held_.empty()) return;
    Held* held = held_[which % held_.size()];
    std::erase(held_, held);
    Answer(held->call, std::move(status), std::move(response));
  }
  size_t held() const { return held_.size(); }
  size_t answered_bytes() const { return answered_bytes_; }

 private:
  void Answer(Call& call, absl::Status status, std::string response) {
    answered_bytes_ += kMessagePrefixBytes + response.size();
    call.Finish(std::move(status), std::move(response));
  }

  std::vector<Held*> held_;
  size_t answered_bytes_ = 0;
};

class ScriptedClock final : public Clock {
 public:
  Duration Monotonic() const override { return now; }
  int64_t WallMillis() const override { return 0; }
  Duration now = std::chrono::seconds(1);
};

class Script {
 public:
  explicit Script(std::string_view in) : in_(in) {
    // Small, so that calls wait for one another.
    options_.max_message_bytes = 100'000;
    options_.max_calls = 10;
    options_.pause_bytes = 10'000;
    options_.metadata = {"password"};
  }

  void Run() {
    {
      Session session(options_, service_, deadlines_, clock_, [] {});
      session_ = &session;
      Receive(std::string(kPreface) + Frame(kSettings, 0, 0, ""));
      while (alive_ && !in_.rest().empty()) Step();
      session_ = nullptr;
    }
    KDB_CHECK(service_.held() == 0, "a call that is over is kept");
    KDB_CHECK(!deadlines_.earliest().has_value(), "what is over has a deadline");
  }

 private:
  uint8_t Byte() { return in_.Little<uint8_t>(); }
  // A client's; with others only raw frames come.
  uint8_t Stream() { return Byte() | 1; }
  std::string_view Text() { return in_.Bytes(std::min<size_t>(Byte() % 127, in_.rest().size())); }

  void Receive(std::string_view bytes) { alive_ = alive_ && session_->Receive(bytes); }
  void Send(size_t limit) {
    std::string out;
    alive_ = alive_ && session_->Send(limit, &out) && !session_->ended();
    KDB_CHECK(session_->unsent() <= service_.answered_bytes(), "more to send than was answered");
  }

  void Step() {
    switch (Byte() % 8) {
      case 0:
        return SendHeaders();
      case 1:
        return SendData();
      case 2:
        return SendRawFrame();
      case 3:
        return Receive(Text());
      case 4:
        return Send(size_t{Byte()} << 8);
      case 5:
        return Answer();
      case 6:
        return Advance();
      case 7:
        return session_->Shutdown();
    }
  }

  void Advance() {
    clock_.now += std::chrono::seconds(Byte());
    deadlines_.Expire(clock_.now);
  }

  // Those of a call, with some left out, and one more.
  void SendHeaders() {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kMore = {{
        {"x", ""},
        {"password", ""},
        {"grpc-timeout", "1S"},
        {"grpc-encoding", "gzip"},
        {"te", "gzip"},
        {"content-type", "application/grpc+proto"},
    }};
    uint8_t stream = Stream(), flags = Byte(), left_out = Byte(), more = Byte();
    const std::array<std::pair<std::string_view, std::string_view>, 6> usual = {{
        {":method", (left_out & 64) == 0 ? "POST" : "GET"},
        {":path", (left_out & 128) == 0 ? "/test/Echo" : "/test/Hold"},
        {":scheme", "http"},
        {":authority", "test"},
        {"te", "trailers"},
        {"content-type", "application/grpc"},
    }};
    std::string block;
    for (size_t i = 0; i < usual.size(); ++i) {
      if ((left_out >> i & 1) == 0) block += Literal(usual[i].first, usual[i].second);
    }
    auto [name, value] = kMore[more % kMore.size()];
    std::string_view text = Text();
    block += Literal(name, text.empty() ? value : text);
    Receive(Frame(kHeaders, flags, stream, block));
  }

  // A piece of a request: with the prefix of just this message, of one as long as the script says
  // or without a prefix.
  void SendData() {
    uint8_t stream = Stream(), flags = Byte(), prefix = Byte() % 4;
    size_t bytes = size_t{Byte()} << 6;
    std::string payload;
    if (prefix != 3) {
      size_t length = prefix == 0 ? bytes : size_t{in_.Little<uint16_t>()} << 1;
      std::array<char, kMessagePrefixBytes> start = MessagePrefix(length);
      start[0] = prefix == 2 ? 1 : 0;
      payload.assign(start.data(), start.size());
    }
    Receive(Frame(kData, flags, stream, payload.append(bytes, 'x')));
  }

  void SendRawFrame() {
    uint8_t type = Byte(), flags = Byte(), stream = Byte();
    Receive(Frame(type, flags, stream, Text()));
  }

  void Answer() {
    uint8_t which = Byte(), how = Byte();
    if (how == 0) {
      std::string_view text = Text();
      return service_.AnswerHeld(which, absl::NotFoundError({text.data(), text.size()}), "");
    }
    service_.AnswerHeld(which, absl::OkStatus(), std::string(size_t{how} << 8, 'y'));
  }

  ByteReader in_;
  ScriptedClock clock_;
  SessionOptions options_;
  ScriptedService service_;
  Deadlines deadlines_;
  Session* session_ = nullptr;
  bool alive_ = true;
};

}  // namespace
}  // namespace kdb::http2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kdb::http2::Script({reinterpret_cast<const char*>(data), size}).Run();
  return 0;
}
