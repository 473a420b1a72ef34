#include "pkg/proxy/kv_service.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/proxy/kv_scan.h"
#include "pkg/redis/internal_commands.h"
#include "pkg/resp/reply_reader.h"
#include "proto/kv.pb.h"

namespace kdb::proxy {
namespace {

using PendingOrError = absl::StatusOr<std::unique_ptr<http2::PendingCall>>;

struct CodeRow {
  std::string_view code;
  absl::StatusCode status;
};

constexpr CodeRow kCodes[] = {
    {"TIMEOUT", absl::StatusCode::kDeadlineExceeded},
    {"UNKNOWN", absl::StatusCode::kUnknown},
    {"WRONGTYPE", absl::StatusCode::kFailedPrecondition},
    {"OOM", absl::StatusCode::kResourceExhausted},
    {"TRYAGAIN", absl::StatusCode::kUnavailable},
    {"BUSY", absl::StatusCode::kUnavailable},
};
// The errors of a shard that are the caller's doing; any other ERR is ours.
constexpr std::string_view kCallersErrors[] = {
    "ERR invalid expire time",
    "ERR string exceeds maximum allowed size",
    "ERR syntax error",
    "ERR value is not an integer or out of range",
};

// A command of a request under way.
class CommandCall : public http2::PendingCall {
 public:
  CommandCall(IoThread& thread, http2::Call& call, const redis::Command& command)
      : thread_(thread), call_(call), command_(command) {}
  ~CommandCall() override { thread_.router().Forget(order_); }
  CommandCall(const CommandCall&) = delete;
  CommandCall& operator=(const CommandCall&) = delete;

  void Submit(const std::vector<std::string_view>& args) {
    began_ = thread_.clock().Monotonic();
    // Not called once the router was told to forget order_.
    thread_.router().Submit(command_, args, resp::Version::kResp2, order_,
                            [this](const std::string& reply) { OnReply(reply); });
  }

 private:
  // The response to a reply that is no error.
  virtual absl::StatusOr<std::string> Encode(std::string_view reply) const = 0;

  void OnReply(std::string_view reply) {
    CommandStats& stats = thread_.stats();
    stats.Note(stats.IndexOf(&command_), began_, thread_.clock().Monotonic(), reply);
    if (reply.starts_with('-')) return call_.Finish(StatusOfError(reply), "");
    absl::StatusOr<std::string> response = Encode(reply);
    if (!response.ok()) return call_.Finish(response.status(), "");
    call_.Finish(absl::OkStatus(), *std::move(response));
  }

  IoThread& thread_;
  http2::Call& call_;
  const redis::Command& command_;
  routing::ClientOrder order_;  // of its own: calls are not ordered
  Clock::Duration began_{};
};

class PutCall final : public CommandCall {
 public:
  using CommandCall::CommandCall;

 private:
  absl::StatusOr<std::string> Encode(std::string_view /*reply*/) const override {
    return kv::v1::PutResponse().SerializeAsString();
  }
};

class GetCall final : public CommandCall {
 public:
  using CommandCall::CommandCall;

 private:
  absl::StatusOr<std::string> Encode(std::string_view encoded) const override {
    std::optional<resp::Reply> reply = resp::ReadReply(encoded);
    if (!reply.has_value()) return absl::InternalError("the shard group's reply is malformed");
    kv::v1::GetResponse response;
    if (reply->type != resp::Reply::Type::kNull) {
      response.set_found(true);
      response.set_value(reply->text.data(), reply->text.size());
    }
    return response.SerializeAsString();
  }
};

class DeleteCall final : public CommandCall {
 public:
  using CommandCall::CommandCall;

 private:
  absl::StatusOr<std::string> Encode(std::string_view reply) const override {
    kv::v1::DeleteResponse response;
    response.set_found(reply == ":1\r\n");
    return response.SerializeAsString();
  }
};

// A page under way. The router cannot forget it: its answer finds out whether the call is gone.
class ScanCall final : public http2::PendingCall {
 public:
  ScanCall(http2::Call& call, KvScan scan) : call_(call), scan_(std::move(scan)) {}

  void Submit(routing::Router& router) {
    std::string scratch;
    router.SubmitToAll(
        redis::kKdbScan, ScanArgs(scan_, &scratch), resp::Version::kResp2,
        [this, alive = std::weak_ptr<bool>(alive_)](const std::vector<std::string>& replies) {
          if (!alive.expired()) OnReplies(replies);
        });
  }

 private:
  void OnReplies(const std::vector<std::string>& replies) {
    if (replies.size() == 1 && replies[0].starts_with('-')) {
      return call_.Finish(StatusOfError(replies[0]), "");
    }
    kv::v1::ScanResponse response;
    absl::Status status = MergePage(scan_, replies, &response);
    call_.Finish(status, status.ok() ? response.SerializeAsString() : "");
  }

  http2::Call& call_;
  const KvScan scan_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // weakly the router's
};

template <typename Request>
absl::StatusOr<Request> Parse(const http2::Call& call) {
  Request request;
  std::string_view bytes = call.request();
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InternalError("the request is not a message of this method");
  }
  return request;
}

absl::Status CheckKey(const std::string& key) {
  if (key.empty()) return absl::InvalidArgumentError("the key is empty");
  if (key.size() > kMaxKeyBytes) return absl::InvalidArgumentError("the key is over 64 KiB");
  return absl::OkStatus();
}

template <typename RunningCall>
std::unique_ptr<http2::PendingCall> Run(IoThread& thread, http2::Call& call,
                                        const std::vector<std::string_view>& args) {
  auto running = std::make_unique<RunningCall>(thread, call, *redis::FindCommand(args[0]));
  running->Submit(args);
  return running;
}

PendingOrError Put(IoThread& thread, size_t max_value_bytes, http2::Call& call) {
  KDB_ASSIGN_OR_RETURN(auto request, Parse<kv::v1::PutRequest>(call));
  KDB_RETURN_IF_ERROR(CheckKey(request.key()));
  if (request.value().size() > max_value_bytes) {
    return absl::InvalidArgumentError(fmt::format("the value is over {} bytes", max_value_bytes));
  }
  if (request.ttl_ms() < 0) return absl::InvalidArgumentError("ttl_ms is negative");
  std::vector<std::string_view> args{"set", request.key(), request.value()};
  std::string ttl = std::to_string(request.ttl_ms());
  if (request.ttl_ms() > 0) args.insert(args.end(), {"px", ttl});
  return Run<PutCall>(thread, call, args);
}

PendingOrError Get(IoThread& thread, size_t /*max_value_bytes*/, http2::Call& call) {
  KDB_ASSIGN_OR_RETURN(auto request, Parse<kv::v1::GetRequest>(call));
  KDB_RETURN_IF_ERROR(CheckKey(request.key()));
  return Run<GetCall>(thread, call, {"get", request.key()});
}

PendingOrError Delete(IoThread& thread, size_t /*max_value_bytes*/, http2::Call& call) {
  KDB_ASSIGN_OR_RETURN(auto request, Parse<kv::v1::DeleteRequest>(call));
  KDB_RETURN_IF_ERROR(CheckKey(request.key()));
  return Run<DeleteCall>(thread, call, {"del", request.key()});
}

PendingOrError Scan(IoThread& thread, size_t /*max_value_bytes*/, http2::Call& call) {
  KDB_ASSIGN_OR_RETURN(auto request, Parse<kv::v1::ScanRequest>(call));
  KDB_ASSIGN_OR_RETURN(KvScan scan, ParseScan(request));
  auto running = std::make_unique<ScanCall>(call, std::move(scan));
  running->Submit(thread.router());
  return running;
}

struct Method {
  std::string_view path;
  PendingOrError (*start)(IoThread& thread, size_t max_value_bytes, http2::Call& call);
};

constexpr Method kMethods[] = {
    {"/kdb.kv.v1.KV/Put", Put},
    {"/kdb.kv.v1.KV/Get", Get},
    {"/kdb.kv.v1.KV/Delete", Delete},
    {"/kdb.kv.v1.KV/Scan", Scan},
};

const Method* FindMethod(std::string_view path) {
  for (const Method& method : kMethods) {
    if (method.path == path) return &method;
  }
  return nullptr;
}

}  // namespace

absl::Status StatusOfError(std::string_view reply) {
  std::string_view text = reply.substr(1, reply.find("\r\n") - 1);
  std::string_view code = text.substr(0, text.find(' '));
  // Of a code that is not known here nobody can say what it means for a write.
  absl::StatusCode status = absl::StatusCode::kUnknown;
  for (const CodeRow& row : kCodes) {
    if (row.code == code) status = row.status;
  }
  if (code == "ERR") {
    status = absl::StatusCode::kInternal;
    for (std::string_view beginning : kCallersErrors) {
      if (text.starts_with(beginning)) status = absl::StatusCode::kInvalidArgument;
    }
  }
  return {status, absl::string_view(text.data(), text.size())};
}

bool KvService::Has(std::string_view path) const { return FindMethod(path) != nullptr; }

absl::Status KvService::Admit(const http2::Call& call) const {
  const Passwords& passwords = thread_.context().passwords;
  if (passwords.required()) {
    bool accepted = false;
    for (const auto& [name, value] : call.metadata()) {
      accepted = accepted || (name == kPasswordMetadata && passwords.Accepts(value));
    }
    if (!accepted) {
      return absl::UnauthenticatedError("the metadata kdb-password has no valid password");
    }
  }
  if (!thread_.router().backlogged()) return absl::OkStatus();
  return absl::UnavailableError("the proxy is overloaded; nothing was executed");
}

std::unique_ptr<http2::PendingCall> KvService::Start(http2::Call& call) {
  absl::Status admitted = Admit(call);
  if (!admitted.ok()) {
    call.Finish(admitted, "");
    return nullptr;
  }
  PendingOrError pending = FindMethod(call.path())->start(thread_, max_value_bytes_, call);
  if (!pending.ok()) {
    call.Finish(pending.status(), "");
    return nullptr;
  }
  return *std::move(pending);
}

}  // namespace kdb::proxy
