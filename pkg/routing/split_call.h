// A client's command that runs as several ops, at several groups: cuts its keys by group and
// gathers the replies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/random.h"
#include "pkg/redis/command.h"
#include "pkg/routing/merge.h"
#include "pkg/routing/shard_op.h"

namespace kdb::routing {

// How a part ended.
enum class PartEnd : uint8_t {
  kReply,    // with its reply, which may be an error
  kTimeout,  // with the error's text: not executed
  kUnknown,  // with the error's text: perhaps executed
};

// Not thread-safe.
class SplitCall {
 public:
  using Done = absl::AnyInvocable<void(std::string)>;
  using DoneRaw = absl::AnyInvocable<void(std::vector<std::string>)>;

  // `keys`: how many the whole command has. Parts are added before the first can end.
  SplitCall(const redis::Command& command, resp::Version version, uint32_t keys, Done done)
      : command_(command), version_(version), keys_(keys), done_(std::move(done)) {}
  // The replies of the parts, unmerged, by part; any error comes alone.
  SplitCall(const redis::Command& command, resp::Version version, DoneRaw done)
      : command_(command), version_(version), done_raw_(std::move(done)) {}

  // The number of a new part. `keys` are indexes among the command's keys.
  uint32_t AddPart(std::vector<uint32_t> keys);
  const std::vector<uint32_t>& keys_of(uint32_t part) const { return parts_[part].keys; }
  // The part ends without a reply: new ones take its place.
  void Replace(uint32_t part);
  // True when it was the last: call Finish.
  bool End(uint32_t part, PartEnd how, std::string text);
  void Finish(Random& random);

 private:
  std::string Outcome(Random& random);
  std::string Failure(std::string_view text) const;

  const redis::Command& command_;
  const resp::Version version_;
  const uint32_t keys_ = 0;
  Done done_;
  DoneRaw done_raw_;
  std::vector<PartReply> parts_;
  size_t running_ = 0;
  bool executed_ = false;  // some part was
  std::string error_;      // text of the first part that had one
  std::string timeout_;    // text of a part that was not executed
  std::string unknown_;    // text of a part whose outcome is unknown
};

// The arguments of one part of a kSplitKeys command: what precedes the keys, and each of its keys
// with what belongs to it. `positions` are the keys', `keys` indexes into them.
void CutArgs(const redis::Command& command, std::span<const std::string_view> args,
             std::span<const int> positions, std::span<const uint32_t> keys, OwnedArgs* out);

}  // namespace kdb::routing
