// One call of a session: its request as it comes in, and its answer on the way out.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/http2/grpc_wire.h"
#include "pkg/http2/session.h"

namespace kdb::http2 {

class Session::Stream final : public Call, private Deadlines::Waiter {
 public:
  Stream(Session& session, int32_t id) : session_(session), id_(id) { ++session_.unfinished_; }
  ~Stream() override;

  // --- As the session reads.

  void OnHeader(std::string_view name, std::string_view value);
  void OnHeaders();
  void OnData(std::string_view bytes);
  void OnEnd();
  bool headers_whole() const { return headers_whole_; }
  // Its request took too long to come; asked once per `interval`.
  bool Overdue(Clock::Duration interval);
  // The length of a message that waits for room in the window; 0: it needs none any more.
  size_t wanted() const { return answered_ || ended_ ? 0 : reader_.length().value_or(0); }
  void Grant();
  void Start();

  // --- As it writes.

  // The answer's end is sent: a client that is still sending is told to stop.
  void OnEndSent();

  // --- Call.

  std::string_view path() const override { return path_; }
  const Metadata& metadata() const override { return metadata_; }
  std::string_view request() const override { return request_; }
  void Finish(absl::Status status, std::string response) override;

 private:
  static ssize_t ReadResponse(nghttp2_session* http, int32_t id, uint8_t* out, size_t size,
                              uint32_t* flags, nghttp2_data_source* source, void* session);

  void OnDeadline() override;
  // OK, or the error and the HTTP status that go with what is wrong in the headers.
  absl::Status CheckHeaders(const char** http_status) const;
  void KeepHeader(std::string_view name, std::string_view value);
  void SubmitResponse();
  // An answer without a message ("trailers-only").
  void SubmitError(const char* http_status, const absl::Status& status);
  void SubmitTrailer();
  // Nothing more is waited for from the client.
  void SetFinished();
  size_t CopyResponse(char* out, size_t size);
  size_t response_bytes() const { return kMessagePrefixBytes + response_.size(); }

  Session& session_;
  const int32_t id_;

  std::string path_;
  Metadata metadata_;
  std::string timeout_;
  size_t header_bytes_ = 0;
  bool post_ = false;
  bool grpc_ = false;
  bool trailers_ = false;  // the client takes them
  bool encoding_ = false;  // messages may be compressed
  bool headers_whole_ = false;

  MessageReader reader_;
  bool asked_ = false;  // for a grant, if it needs one
  bool waits_for_grant_ = false;
  size_t granted_ = 0;
  bool finished_ = false;  // the request is whole, or was answered
  int checks_ = 0;         // of an unfinished one
  bool ended_ = false;     // the client sends no more
  bool started_ = false;   // the service has it
  bool answered_ = false;
  std::string request_;
  std::optional<Deadlines::Entry> deadline_;
  std::unique_ptr<PendingCall> pending_;

  std::string response_;
  size_t copied_ = 0;  // of prefix and response_
  bool sending_ = false;
};

}  // namespace kdb::http2
