// Makes one reply of those that the parts of a split command got.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::routing {

struct PartReply {
  std::vector<uint32_t>
      keys;  // indexes among the command's keys, in the order of the part's; kInKeyOrder needs them
  std::string reply;  // RESP in `version`, no error
};

// `keys` is the number of keys of the whole command. A part whose reply has another shape than the
// merge needs makes the result an error. `random` picks among the replies of kAnyNonNull.
std::string MergeReplies(redis::Merge merge, resp::Version version, uint32_t keys,
                         std::span<const PartReply> parts, Random& random);

}  // namespace kdb::routing
