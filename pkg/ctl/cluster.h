// What kdbctl asks of a running cluster, and how it prints the answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/rpc/meta_client.h"

namespace kdb::ctl {

enum class Output { kText, kJson };

struct ClusterOptions {
  std::vector<std::string> meta;  // seeds
  std::chrono::milliseconds timeout{10'000};
  Output output = Output::kText;
};

// Each prints to stdout on OK. Errors are the servers'.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);

  // Groups, members, leader, term, lag, slots, keys, bytes. A member that does not answer is shown
  // as unknown.
  absl::Status Status();
  // Once in a cluster's life: makes the servers at these addresses the meta group.
  absl::Status Bootstrap(const std::vector<std::string>& addresses);
  absl::Status Query();
  absl::Status Register(uint64_t gid, const std::vector<std::string>& addresses);
  absl::Status Join(uint64_t gid, const std::vector<std::string>& addresses);
  absl::Status Leave(uint64_t gid);
  absl::Status Move(uint64_t gid, const std::string& slots);
  absl::Status TransferLeader(uint64_t gid, uint64_t member);
  // At one server: address of its gRPC port.
  absl::Status SetLogLevel(const std::string& address, const std::string& level);

 private:
  absl::Status Done();

  const ClusterOptions options_;
  rpc::MetaClient meta_;
};

}  // namespace kdb::ctl
