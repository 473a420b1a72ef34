#include "pkg/proxy/kv_service.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "pkg/proxy/kv_scan.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/rpc/channel.h"

namespace kdb::proxy {
namespace {

constexpr size_t kMaxKeyBytes = 64 << 10;
constexpr char kPasswordKey[] = "kdb-password";

const redis::Command* Row(std::string_view name) { return redis::FindCommand(name); }

}  // namespace

grpc::Status StatusOfError(std::string_view reply) {
  std::string_view text = reply.substr(1, reply.find("\r\n") - 1);
  std::string_view code = text.substr(0, text.find(' '));
  grpc::StatusCode status = grpc::StatusCode::INVALID_ARGUMENT;
  if (code == "TIMEOUT") status = grpc::StatusCode::DEADLINE_EXCEEDED;
  if (code == "UNKNOWN") status = grpc::StatusCode::UNKNOWN;
  if (code == "WRONGTYPE") status = grpc::StatusCode::FAILED_PRECONDITION;
  if (code == "OOM") status = grpc::StatusCode::RESOURCE_EXHAUSTED;
  if (code == "TRYAGAIN") status = grpc::StatusCode::UNAVAILABLE;
  return {status, std::string(text)};
}

// One call: finishes its reactor, with UNAVAILABLE if nobody did before it went.
class KvService::Call {
 public:
  explicit Call(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  ~Call() { Finish({grpc::StatusCode::UNAVAILABLE, "the proxy is shutting down"}); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void Finish(const grpc::Status& status) {
    if (auto* reactor = std::exchange(reactor_, nullptr)) reactor->Finish(status);
  }

  ClientOrder order;

 private:
  grpc::ServerUnaryReactor* reactor_;
};

KvService::KvService(std::vector<IoThread*> threads, const Passwords& passwords,
                     size_t max_value_bytes)
    : passwords_(passwords), max_value_bytes_(max_value_bytes), threads_(std::move(threads)) {}

void KvService::Close() {
  MutexLock lock(mu_);
  threads_.clear();
}

template <typename Task>
void KvService::Post(Task task) {
  MutexLock lock(mu_);
  if (threads_.empty()) return;
  IoThread& thread = *threads_[next_++ % threads_.size()];
  thread.executor().Post([&thread, task = std::move(task)]() mutable { task(thread); });
}

grpc::Status KvService::Check(const grpc::CallbackServerContext& context) const {
  if (!passwords_.required()) return grpc::Status::OK;
  auto [begin, end] = context.client_metadata().equal_range(kPasswordKey);
  for (auto it = begin; it != end; ++it) {
    if (passwords_.Accepts({it->second.data(), it->second.size()})) return grpc::Status::OK;
  }
  return {grpc::StatusCode::UNAUTHENTICATED, "the metadata kdb-password has no valid password"};
}

grpc::Status KvService::CheckKey(const std::string& key) const {
  if (key.empty()) return {grpc::StatusCode::INVALID_ARGUMENT, "the key is empty"};
  if (key.size() > kMaxKeyBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the key is over 64 KiB"};
  }
  return grpc::Status::OK;
}

template <typename Answer>
grpc::ServerUnaryReactor* KvService::Run(grpc::CallbackServerContext* context, grpc::Status checked,
                                         std::vector<std::string> args, Answer answer) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (grpc::Status allowed = Check(*context); !allowed.ok()) checked = allowed;
  if (!checked.ok()) {
    reactor->Finish(checked);
    return reactor;
  }
  // Shared by the task and the router's callback, whichever is dropped last.
  auto call = std::make_shared<Call>(reactor);
  Post([call, args = std::move(args), answer](IoThread& thread) mutable {
    if (thread.router().backlogged()) {
      return call->Finish(
          {grpc::StatusCode::UNAVAILABLE, "the proxy is overloaded; nothing was executed"});
    }
    std::vector<std::string_view> views(args.begin(), args.end());
    Call& running = *call;
    thread.router().Submit(
        *Row(args[0]), views, resp::Version::kResp2, running.order,
        [call = std::move(call), answer](std::string reply) {
          call->Finish(reply.starts_with('-') ? StatusOfError(reply) : answer(reply));
        });
  });
  return reactor;
}

grpc::ServerUnaryReactor* KvService::Put(grpc::CallbackServerContext* context,
                                         const kv::v1::PutRequest* request,
                                         kv::v1::PutResponse* /*response*/) {
  grpc::Status checked = CheckKey(request->key());
  if (checked.ok() && request->value().size() > max_value_bytes_) {
    checked = {grpc::StatusCode::INVALID_ARGUMENT,
               fmt::format("the value is over {} bytes", max_value_bytes_)};
  }
  if (checked.ok() && request->ttl_ms() < 0) {
    checked = {grpc::StatusCode::INVALID_ARGUMENT, "ttl_ms is negative"};
  }
  std::vector<std::string> args{"set", request->key(), request->value()};
  if (request->ttl_ms() > 0) {
    args.emplace_back("px");
    args.push_back(std::to_string(request->ttl_ms()));
  }
  return Run(context, checked, std::move(args), [](std::string_view) { return grpc::Status::OK; });
}

grpc::ServerUnaryReactor* KvService::Get(grpc::CallbackServerContext* context,
                                         const kv::v1::GetRequest* request,
                                         kv::v1::GetResponse* response) {
  return Run(context, CheckKey(request->key()), {"get", request->key()},
             [response](std::string_view encoded) -> grpc::Status {
               std::optional<resp::Reply> reply = resp::ReadReply(encoded);
               if (!reply.has_value()) return {grpc::StatusCode::INTERNAL, "malformed reply"};
               if (reply->type == resp::Reply::Type::kNull) return grpc::Status::OK;
               response->set_found(true);
               response->set_value(reply->text.data(), reply->text.size());
               return grpc::Status::OK;
             });
}

grpc::ServerUnaryReactor* KvService::Delete(grpc::CallbackServerContext* context,
                                            const kv::v1::DeleteRequest* request,
                                            kv::v1::DeleteResponse* response) {
  return Run(context, CheckKey(request->key()), {"del", request->key()},
             [response](std::string_view encoded) {
               response->set_found(encoded == ":1\r\n");
               return grpc::Status::OK;
             });
}

grpc::ServerUnaryReactor* KvService::Scan(grpc::CallbackServerContext* context,
                                          const kv::v1::ScanRequest* request,
                                          kv::v1::ScanResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  grpc::Status allowed = Check(*context);
  absl::StatusOr<KvScan> scan = ParseScan(*request);
  if (!allowed.ok() || !scan.ok()) {
    reactor->Finish(allowed.ok() ? rpc::ToGrpc(scan.status()) : allowed);
    return reactor;
  }
  auto call = std::make_shared<Call>(reactor);  // as in Run
  Post([call, response, scan = *std::move(scan)](IoThread& thread) mutable {
    std::string scratch;
    std::vector<std::string_view> args = ScanArgs(scan, &scratch);
    auto done = [call = std::move(call), response, scan](const std::vector<std::string>& replies) {
      if (replies.size() == 1 && replies[0].starts_with('-')) {
        return call->Finish(StatusOfError(replies[0]));
      }
      call->Finish(rpc::ToGrpc(MergePage(scan, replies, response)));
    };
    thread.router().SubmitToAll(KdbScanCommand(), args, resp::Version::kResp2, std::move(done));
  });
  return reactor;
}

}  // namespace kdb::proxy
