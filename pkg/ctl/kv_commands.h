// kdbctl's get, put, del and scan: the KV API of a proxy.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "pkg/ctl/cluster.h"
#include "proto/kv.grpc.pb.h"

namespace kdb::ctl {

struct ScanArgs {
  std::string start, end, prefix;
  bool reverse = false;
  bool keys_only = false;
  uint64_t limit = 0;  // 0: all, page by page
};

// json[name] = bytes; of what is not UTF-8, json[name_base64] instead.
void AddBytes(nlohmann::json& json, const std::string& name, const std::string& bytes);

// Prints to stdout on OK.
class KvCommands {
 public:
  // `password`, if not empty, goes with every call.
  KvCommands(const std::string& address, std::string password, std::chrono::milliseconds timeout,
             Output output);

  // NOT_FOUND when the key is not there.
  absl::Status Get(const std::string& key);
  absl::Status Put(const std::string& key, const std::string& value, int64_t ttl_ms);
  absl::Status Delete(const std::string& key);
  absl::Status Scan(const ScanArgs& args);

 private:
  void Prepare(grpc::ClientContext& context) const;

  const std::string password_;
  const std::chrono::milliseconds timeout_;
  const Output output_;
  std::unique_ptr<kv::v1::KV::Stub> stub_;
};

}  // namespace kdb::ctl
