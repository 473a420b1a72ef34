// Executes the ops of one batch in one environment: for apply and for reads alike.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pkg/exec/executor.h"
#include "pkg/kv/ownership.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {

inline constexpr size_t kResultCodes = static_cast<size_t>(wire::ResultCode::kFailed) + 1;
using ResultCounts = std::array<uint64_t, kResultCodes>;

// Beyond it a read that rides the log is answered by_index.
inline constexpr size_t kBoundedReplyBytes = 4096;

// Not thread-safe. A batch is trusted in nothing: what cannot be executed is a result, never an
// error.
class OpRunner {
 public:
  // All outlive the runner; `counts` is added to.
  OpRunner(const Ownership& ownership, exec::Environment& env, ResultCounts& counts)
      : ownership_(ownership), env_(env), limits_(env.limits), counts_(counts) {}

  // Appends exactly one result. What only reads is answered with an error when its reply would take
  // more than `room` bytes and one value. A non-OK status is the engine's, and nothing may be kept
  // then.
  absl::Status Run(const wire::Op& op, size_t room, wire::BatchReplyBuilder& results);

 private:
  // Into result_ and reply_.
  absl::Status Judge(const wire::Op& op, size_t room);
  // False when a slot is not owned or not a slot: the result says so.
  bool CheckSlots(const wire::Op& op);
  // False when the op does not name the slot of one of its keys: the proxy's ownership checks did
  // not cover it.
  bool CheckKeys(const redis::Command& command, const wire::CommandArgs& args);
  absl::Status RunSingle(const wire::Op& op, size_t room);
  void Fail(uint8_t resp_version, std::string_view error);

  const Ownership& ownership_;
  exec::Environment& env_;
  const exec::Limits limits_;
  ResultCounts& counts_;
  exec::SlotSet claimed_;
  std::vector<int> positions_;
  std::string reply_;
  wire::Result result_;
};

}  // namespace kdb::kv
