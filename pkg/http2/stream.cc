#include "pkg/http2/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

namespace kdb::http2 {
namespace {

constexpr size_t kHeaderOverhead = 32;  // of a pair, as HTTP/2 counts header lists
constexpr char kHttpOk[] = "200";

// Names and `flags`' values outlive the session: they are not copied.
nghttp2_nv Header(std::string_view name, std::string_view value, uint8_t flags) {
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          static_cast<uint8_t>(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME)};
}

nghttp2_nv Constant(std::string_view name, std::string_view value) {
  return Header(name, value, NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

}  // namespace

Session::Stream::~Stream() {
  pending_ = nullptr;
  SetFinished();
  if (deadline_.has_value()) session_.deadlines_.Remove(*deadline_);
  if (sending_) session_.unsent_ -= response_bytes() - copied_;
  session_.Release(granted_);
}

// --- The request.

void Session::Stream::OnHeader(std::string_view name, std::string_view value) {
  header_bytes_ += name.size() + value.size() + kHeaderOverhead;
  if (header_bytes_ <= kMaxHeaderBytes) KeepHeader(name, value);
}

void Session::Stream::KeepHeader(std::string_view name, std::string_view value) {
  if (name == ":path") {
    path_ = value;
  } else if (name == ":method") {
    post_ = value == "POST";
  } else if (name == "content-type") {
    grpc_ = IsGrpcContentType(value);
  } else if (name == "te") {
    trailers_ = value == "trailers";
  } else if (name == "grpc-timeout") {
    timeout_ = value;
  } else if (name == "grpc-encoding") {
    encoding_ = value != "identity";
  } else {
    const std::vector<std::string>& names = session_.options_.metadata;
    if (std::find(names.begin(), names.end(), name) != names.end())
      metadata_.emplace_back(name, value);
  }
}

absl::Status Session::Stream::CheckHeaders(const char** http_status) const {
  *http_status = kHttpOk;
  if (header_bytes_ > kMaxHeaderBytes) {
    *http_status = "431";
    return absl::ResourceExhaustedError("the metadata are too large");
  }
  if (!post_) {
    *http_status = "405";
    return absl::InternalError("the method is not POST");
  }
  if (!grpc_) {
    *http_status = "415";
    return absl::InvalidArgumentError("the content type is not application/grpc");
  }
  if (!trailers_) {
    *http_status = "400";
    return absl::InternalError("the header 'te: trailers' is missing");
  }
  if (!session_.service_.Has(path_)) {
    return absl::UnimplementedError(fmt::format("there is no method {}", path_));
  }
  if (!timeout_.empty() && !ParseTimeout(timeout_).has_value()) {
    return absl::InternalError("the header grpc-timeout is malformed");
  }
  return absl::OkStatus();
}

void Session::Stream::OnHeaders() {
  headers_whole_ = true;
  if (answered_) return;
  const char* http_status = nullptr;
  if (absl::Status status = CheckHeaders(&http_status); !status.ok()) {
    return SubmitError(http_status, status);
  }
  if (timeout_.empty()) return;
  Clock::Duration when = session_.clock_.Monotonic() + *ParseTimeout(timeout_);
  deadline_ = session_.deadlines_.Add(when, *this);
}

void Session::Stream::OnData(std::string_view bytes) {
  if (answered_) return;
  absl::Status status = reader_.Take(bytes, session_.options_.max_message_bytes, encoding_);
  if (!status.ok()) return Finish(std::move(status), "");
  if (asked_ || !reader_.length().has_value()) return;
  asked_ = true;
  if (*reader_.length() + kMessagePrefixBytes <= NGHTTP2_INITIAL_WINDOW_SIZE) return;
  waits_for_grant_ = true;
  session_.waiting_.push_back(id_);
  session_.GrantWaiting();
}

void Session::Stream::Grant() {
  waits_for_grant_ = false;
  checks_ = 0;
  granted_ = *reader_.length();
  session_.granted_ += granted_;
  reader_.Reserve();
  // Beyond its message a client may send what no window forbids: then the reader refuses it.
  size_t window =
      std::min<size_t>(granted_ + NGHTTP2_INITIAL_WINDOW_SIZE, std::numeric_limits<int32_t>::max());
  nghttp2_session_set_local_window_size(session_.http_.get(), NGHTTP2_FLAG_NONE, id_,
                                        static_cast<int32_t>(window));
}

bool Session::Stream::Overdue(Clock::Duration interval) {
  if (finished_ || waits_for_grant_) return false;
  Clock::Duration time = session_.options_.times.request;
  time += std::chrono::seconds(reader_.length().value_or(0) / kMinRequestBytesPerSecond);
  return ++checks_ * interval > time;
}

void Session::Stream::SetFinished() {
  if (!std::exchange(finished_, true)) --session_.unfinished_;
}

void Session::Stream::OnEnd() {
  ended_ = true;
  SetFinished();
  if (answered_) return;
  if (absl::Status status = reader_.Finish(); !status.ok()) return Finish(std::move(status), "");
  session_.StartCall(id_);
}

void Session::Stream::Start() {
  if (answered_) return;
  request_ = reader_.TakeMessage();
  started_ = true;
  pending_ = session_.service_.Start(*this);
  request_ = {};
  session_.Release(std::exchange(granted_, 0));
}

void Session::Stream::OnDeadline() {
  deadline_ = std::nullopt;
  if (answered_) return;
  pending_ = nullptr;
  Finish(absl::DeadlineExceededError(
             started_ ? "the call's deadline passed; it may or may not have been executed"
                      : "the call's deadline passed; nothing was executed"),
         "");
}

// --- The answer.

void Session::Stream::Finish(absl::Status status, std::string response) {
  if (answered_) return;
  if (!status.ok()) return SubmitError(kHttpOk, status);
  response_ = std::move(response);
  SubmitResponse();
}

void Session::Stream::SubmitResponse() {
  answered_ = true;
  SetFinished();
  sending_ = true;
  session_.unsent_ += response_bytes();
  const std::array headers = {Constant(":status", kHttpOk),
                              Constant("content-type", "application/grpc"),
                              Constant("grpc-accept-encoding", "identity")};
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = ReadResponse;
  nghttp2_submit_response(session_.http_.get(), id_, headers.data(), headers.size(), &provider);
  session_.changed_();
}

void Session::Stream::SubmitError(const char* http_status, const absl::Status& status) {
  answered_ = true;
  SetFinished();
  std::string code = std::to_string(status.raw_code());
  std::string message = PercentEncode({status.message().data(), status.message().size()});
  const std::array headers = {Constant(":status", http_status),
                              Constant("content-type", "application/grpc"),
                              Constant("grpc-accept-encoding", "identity"),
                              Header("grpc-status", code, NGHTTP2_NV_FLAG_NONE),
                              Header("grpc-message", message, NGHTTP2_NV_FLAG_NONE)};
  nghttp2_submit_response(session_.http_.get(), id_, headers.data(), headers.size(), nullptr);
  session_.changed_();
}

void Session::Stream::SubmitTrailer() {
  nghttp2_nv trailer = Constant("grpc-status", "0");
  nghttp2_submit_trailer(session_.http_.get(), id_, &trailer, 1);
}

size_t Session::Stream::CopyResponse(char* out, size_t size) {
  size_t before = copied_;
  std::array<char, kMessagePrefixBytes> prefix = MessagePrefix(response_.size());
  auto copy = [&](std::string_view part, size_t offset) {
    size_t n = std::min(size, part.size() - offset);
    std::memcpy(out, part.data() + offset, n);
    out += n;
    size -= n;
    copied_ += n;
  };
  if (copied_ < prefix.size()) copy({prefix.data(), prefix.size()}, copied_);
  if (copied_ >= prefix.size()) copy(response_, copied_ - prefix.size());
  session_.unsent_ -= copied_ - before;
  session_.taken_ = true;
  return copied_ - before;
}

ssize_t Session::Stream::ReadResponse(nghttp2_session* /*http*/, int32_t /*id*/, uint8_t* out,
                                      size_t size, uint32_t* flags, nghttp2_data_source* source,
                                      void* /*session*/) {
  auto& stream = *static_cast<Stream*>(source->ptr);
  size_t n = stream.CopyResponse(reinterpret_cast<char*>(out), size);
  if (stream.copied_ == stream.response_bytes()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    stream.SubmitTrailer();
  }
  return static_cast<ssize_t>(n);
}

void Session::Stream::OnEndSent() {
  if (ended_) return;
  nghttp2_submit_rst_stream(session_.http_.get(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

}  // namespace kdb::http2
