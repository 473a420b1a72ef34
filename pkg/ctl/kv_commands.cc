#include "pkg/ctl/kv_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::ctl {
namespace {

constexpr uint64_t kPage = 1000;

void PrintJson(const nlohmann::json& json) { fmt::print("{}\n", json.dump()); }

}  // namespace

void AddBytes(nlohmann::json& json, const std::string& name, const std::string& bytes) {
  using Handler = nlohmann::json::error_handler_t;
  const nlohmann::json text(bytes);
  // One replaces what is not UTF-8, the other leaves it out.
  if (text.dump(-1, ' ', false, Handler::replace) == text.dump(-1, ' ', false, Handler::ignore)) {
    json[name] = text;
  } else {
    json[name + "_base64"] = absl::Base64Escape(bytes);
  }
}

KvCommands::KvCommands(const std::string& address, std::string password,
                       std::chrono::milliseconds timeout, Output output)
    : password_(std::move(password)),
      timeout_(timeout),
      output_(output),
      stub_(kv::v1::KV::NewStub(rpc::NewChannel(address, "kdbctl"))) {}

void KvCommands::Prepare(grpc::ClientContext& context) const {
  if (!password_.empty()) context.AddMetadata("kdb-password", password_);
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
}

absl::Status KvCommands::Get(const std::string& key) {
  grpc::ClientContext context;
  Prepare(context);
  kv::v1::GetRequest request;
  request.set_key(key);
  kv::v1::GetResponse reply;
  KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub_->Get(&context, request, &reply)));
  if (output_ == Output::kJson) {
    nlohmann::json json{{"found", reply.found()}};
    AddBytes(json, "key", key);
    if (reply.found()) AddBytes(json, "value", reply.value());
    PrintJson(json);
  } else if (reply.found()) {
    fmt::print("{}\n", reply.value());
  }
  return reply.found() ? absl::OkStatus() : absl::NotFoundError(fmt::format("no key '{}'", key));
}

absl::Status KvCommands::Put(const std::string& key, const std::string& value, int64_t ttl_ms) {
  grpc::ClientContext context;
  Prepare(context);
  kv::v1::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  request.set_ttl_ms(ttl_ms);
  kv::v1::PutResponse reply;
  KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub_->Put(&context, request, &reply)));
  fmt::print("{}\n", output_ == Output::kJson ? R"({"ok":true})" : "OK");
  return absl::OkStatus();
}

absl::Status KvCommands::Delete(const std::string& key) {
  grpc::ClientContext context;
  Prepare(context);
  kv::v1::DeleteRequest request;
  request.set_key(key);
  kv::v1::DeleteResponse reply;
  KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub_->Delete(&context, request, &reply)));
  if (output_ == Output::kJson) {
    PrintJson({{"found", reply.found()}});
  } else {
    fmt::print("{}\n", reply.found() ? 1 : 0);
  }
  return absl::OkStatus();
}

absl::Status KvCommands::Scan(const ScanArgs& args) {
  kv::v1::ScanRequest request;
  request.set_start(args.start);
  request.set_end(args.end);
  request.set_prefix(args.prefix);
  request.set_reverse(args.reverse);
  request.set_keys_only(args.keys_only);
  uint64_t left = args.limit == 0 ? UINT64_MAX : args.limit;
  while (left > 0) {
    request.set_limit(static_cast<uint32_t>(std::min(left, kPage)));
    grpc::ClientContext context;
    Prepare(context);
    kv::v1::ScanResponse reply;
    KDB_RETURN_IF_ERROR(rpc::FromGrpc(stub_->Scan(&context, request, &reply)));
    for (const kv::v1::KeyValue& pair : reply.pairs()) {
      if (output_ == Output::kJson) {
        nlohmann::json json;
        AddBytes(json, "key", pair.key());
        if (!args.keys_only) AddBytes(json, "value", pair.value());
        PrintJson(json);
      } else {
        fmt::print("{}{}{}\n", pair.key(), args.keys_only ? "" : "\t", pair.value());
      }
    }
    left -= std::min<uint64_t>(left, reply.pairs_size());
    if (reply.next_page_token().empty()) break;
    request.set_page_token(reply.next_page_token());
  }
  return absl::OkStatus();
}

}  // namespace kdb::ctl
