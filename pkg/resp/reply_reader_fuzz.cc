// Fuzz target: the length of a reply and its decoding agree, no prefix of a reply is whole, and
// what follows it is not read.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/check.h"
#include "pkg/resp/reply_reader.h"

using kdb::resp::ReadReply;
using kdb::resp::ReplyLength;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::optional<size_t> length = ReplyLength(input);
  KDB_CHECK(ReadReply(input).has_value() == (length.value_or(0) > 0));
  if (length.value_or(0) == 0) return 0;
  KDB_CHECK(*length <= size);
  const std::string reply(input.substr(0, *length));
  KDB_CHECK(ReplyLength(reply) == length);
  for (size_t n = 0; n < reply.size() && n < 256; ++n)
    KDB_CHECK(ReplyLength(reply.substr(0, n)) == 0u);
  return 0;
}
