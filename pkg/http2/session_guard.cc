// What a client must not do to a session, how long it may take, and how it is told to go.
#include <nghttp2/nghttp2.h>

#include <array>
#include <utility>

#include "pkg/http2/session.h"
#include "pkg/http2/stream.h"

namespace kdb::http2 {
namespace {

// A time-out is looked for so often within the time that a small request may take.
constexpr int kChecksPerRequest = 3;
// A client that keeps to its window needs some updates of it for what it is sent.
constexpr uint32_t kIdleFramesPerAnswerFrame = 10;
constexpr std::array<uint8_t, 8> kShutdownPing = {'s', 'h', 'u', 't', 'd', 'o', 'w', 'n'};
// gRPC's clients know these words: they make the pause between pings longer.
constexpr std::string_view kTooManyPings = "too_many_pings";

}  // namespace

// --- Floods.

void Session::OnSettings() {
  if (!std::exchange(settled_, true)) {
    watch_.Cancel();
    if (unfinished_ > 0) Watch();
  }
  OnPing();  // to be answered, as pings are
}

void Session::OnPing() {
  if (!pings_.Take(clock_)) {
    Fail(Failure::kProtocol, NGHTTP2_ENHANCE_YOUR_CALM, kTooManyPings);
  }
}

void Session::OnIdleFrame() {
  if (!idle_frames_.Take(clock_)) {
    Fail(Failure::kProtocol, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that ask for nothing");
  }
}

void Session::OnAnswerFrameSent() {
  pings_.Earn(1);
  idle_frames_.Earn(kIdleFramesPerAnswerFrame);
}

void Session::OnResetSent() {
  if (!resets_.Take(clock_)) {
    Fail(Failure::kProtocol, NGHTTP2_ENHANCE_YOUR_CALM, "too many streams had to be reset");
  }
}

void Session::Fail(Failure failure, uint32_t code, std::string_view reason) {
  if (failure_ != Failure::kNone) return;
  failure_ = failure;
  SubmitGoaway(code, reason);
  changed_();
}

// --- Time-outs.

Clock::Duration Session::check_interval() const {
  return options_.times.request / kChecksPerRequest;
}

void Session::Watch() {
  if (!watch_.set() && settled_) watch_.Set(clock_.Monotonic() + check_interval());
}

void Session::OnWatch() {
  if (settled_) {
    CheckProgress();
  } else {
    Fail(Failure::kTimeout, NGHTTP2_SETTINGS_TIMEOUT, "no preface and settings came");
  }
}

void Session::CheckProgress() {
  CheckRequests();
  CheckAnswers();
  if (failure_ == Failure::kNone && (unfinished_ > 0 || unsent_ > 0)) Watch();
}

void Session::CheckRequests() {
  for (const auto& [id, stream] : streams_) {
    if (!stream->Overdue(check_interval())) continue;
    // Inside a header block nothing else can be received.
    if (!stream->headers_whole()) {
      return Fail(Failure::kTimeout, NGHTTP2_CANCEL, "the headers of a request took too long");
    }
    stream->Finish(absl::DeadlineExceededError(
                       "TIMEOUT the request took too long to come; nothing was executed"),
                   "");
  }
}

void Session::CheckAnswers() {
  if (std::exchange(taken_, false) || unsent_ == 0) {
    untaken_checks_ = 0;
  } else if (++untaken_checks_ * check_interval() > options_.times.answer) {
    Fail(Failure::kTimeout, NGHTTP2_CANCEL, "no answer was taken for too long");
  }
}

// --- Shutdown.

void Session::Shutdown() {
  if (std::exchange(shutting_down_, true) || failure_ != Failure::kNone) return;
  nghttp2_submit_shutdown_notice(http_.get());
  refuse_.Set(clock_.Monotonic() + options_.times.ping);
}

void Session::OnNoticeSent() {
  nghttp2_submit_ping(http_.get(), NGHTTP2_FLAG_NONE, kShutdownPing.data());
}

void Session::OnPingAnswered() {
  if (!refuse_.set()) return OnIdleFrame();  // to no ping of ours
  refuse_.Cancel();
  RefuseNewCalls();
}

void Session::RefuseNewCalls() {
  if (failure_ != Failure::kNone) return;
  SubmitGoaway(NGHTTP2_NO_ERROR, "");
  changed_();
}

void Session::SubmitGoaway(uint32_t code, std::string_view reason) {
  nghttp2_submit_goaway(http_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(http_.get()), code,
                        reinterpret_cast<const uint8_t*>(reason.data()), reason.size());
}

}  // namespace kdb::http2
