// The server's side of one HTTP/2 connection that carries unary gRPC calls: bytes in, bytes out, no
// socket. nghttp2 does frames, HPACK and flow control; this does gRPC, and what a client must not
// do to a server (README.md).
//
// Memory that a client can make a session hold is bounded: headers by kMaxHeaderBytes a call, small
// requests by the initial window a call, large ones by what the session grants (a stream's window
// grows to its message's length, first come first served, while all such messages together are
// within twice the limit of one). Above pause_bytes of answers that the client has not taken no
// call is started; those that are under way may still add to it, and the owner cuts off who takes
// none.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"
#include "pkg/http2/allowance.h"
#include "pkg/http2/deadlines.h"
#include "pkg/http2/idle_resets.h"
#include "pkg/http2/service.h"

struct nghttp2_session;

namespace kdb::http2 {

// Of names and values and 32 bytes for each pair, as HTTP/2 counts them; announced to clients.
inline constexpr size_t kMaxHeaderBytes = 16 << 10;
// What a request over the time of a small one must come at.
inline constexpr size_t kMinRequestBytesPerSecond = 64 << 10;

// How long a client may take.
struct SessionTimes {
  Clock::Duration handshake = std::chrono::seconds(10);  // for its preface and settings
  Clock::Duration request = std::chrono::seconds(30);    // for a whole request, if it is small
  Clock::Duration answer = std::chrono::seconds(60);     // to take any byte of what it asked for
  Clock::Duration ping = std::chrono::seconds(2);        // for the ping of a shutdown
  Clock::Duration linger = std::chrono::seconds(1);      // to close a connection that has ended
};

struct SessionOptions {
  size_t max_message_bytes = 4 << 20;  // of a request
  uint32_t max_calls = 1000;           // at a time; the client keeps more for later
  size_t pause_bytes = 8 << 20;        // of answers not sent; calls wait
  std::vector<std::string> metadata;   // names to keep for the service, in lower case
  SessionTimes times;
};

// Why a session ended, if not because both sides had done.
enum class Failure : uint8_t {
  kNone,
  kProtocol,  // the client does not speak HTTP/2 as it should, or floods
  kTimeout,
};

// Not thread-safe. Never fails on what a client sends: it ends.
class Session {
 public:
  // All outlive the session. `changed` is called when there may be something to send that no
  // Receive caused.
  Session(const SessionOptions& options, Service& service, Deadlines& deadlines, const Clock& clock,
          absl::AnyInvocable<void()> changed);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // May start calls. False: no HTTP/2; nothing more is to be sent or received.
  bool Receive(std::string_view bytes);
  // Appends what may be sent, until `out` has `limit` bytes or a little more. False as in Receive.
  bool Send(size_t limit, std::string* out);
  bool wants_send() const;
  // Nothing comes after what Send gave: a failure, or shut down and idle.
  bool ended() const;
  Failure failure() const { return failure_; }
  // Takes no more calls once the client knows (RFC 9113, 6.8: it is told to open no more streams,
  // and about a round trip later which of them was the last); ends when those taken are answered.
  void Shutdown();
  // Bytes of answers that Send has not given yet.
  size_t unsent() const { return unsent_; }
  // Frames of all kinds that Send has not given yet.
  size_t queued_frames() const;

 private:
  class Stream;
  struct Callbacks;
  struct Deleter {
    void operator()(nghttp2_session* session) const;
  };

  void CreateHttp();  // session_callbacks.cc
  void Open(int32_t id);
  void Close(int32_t id);
  Stream* Find(int32_t id);
  // Makes room in streams' windows for messages that do not fit the initial one.
  void GrantWaiting();
  void Release(size_t granted);
  // The request of a stream is whole: its call starts, now or when there is room for its answer.
  void StartCall(int32_t id);
  void StartReady();

  // --- What the client must not do (session_guard.cc).

  void OnSettings();
  void OnPing();
  // A frame that asks for nothing.
  void OnIdleFrame();
  void OnAnswerFrameSent();
  void OnResetSent();
  // Sees to it that CheckProgress comes while a request is not whole or an answer is not taken.
  void Watch();
  void OnWatch();
  void CheckProgress();
  void CheckRequests();
  void CheckAnswers();
  Clock::Duration check_interval() const;
  // The client is told why.
  void Fail(Failure failure, uint32_t code, std::string_view reason);

  // --- Shutdown.

  void OnNoticeSent();
  void OnPingAnswered();
  void RefuseNewCalls();
  void SubmitGoaway(uint32_t code, std::string_view reason);

  const SessionOptions& options_;
  Service& service_;
  Deadlines& deadlines_;
  const Clock& clock_;
  absl::AnyInvocable<void()> changed_;

  size_t unsent_ = 0;
  size_t granted_ = 0;
  std::deque<int32_t> waiting_;  // for a grant; some may be gone
  std::deque<int32_t> ready_;    // to start; some may be gone

  IdleResets idle_resets_;
  Failure failure_ = Failure::kNone;
  bool over_ = false;  // the client has been told of the failure
  Allowance pings_;
  Allowance idle_frames_;
  Allowance resets_;        // of ours
  bool settled_ = false;    // the client's preface and settings are in
  size_t unfinished_ = 0;   // requests that are neither whole nor answered
  bool taken_ = false;      // some of the answers, since the last check
  int untaken_checks_ = 0;  // in a row
  Alarm watch_;             // the handshake, then CheckProgress
  bool shutting_down_ = false;
  Alarm refuse_;  // new calls: the client does not answer the ping

  std::unique_ptr<nghttp2_session, Deleter> http_;
  absl::flat_hash_map<int32_t, std::unique_ptr<Stream>> streams_;
};

}  // namespace kdb::http2
