// Fuzz target: however a stream of requests is cut into pieces, it means the same as in one piece.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/resp/request_parser.h"

namespace {

using kdb::resp::RequestLimits;
using kdb::resp::RequestParser;

constexpr RequestLimits kLimits{.max_bulk_bytes = 1024,
                                .max_request_bytes = 4096,
                                .max_arguments = 64,
                                .max_inline_bytes = 128};

// Parses what is there, removes it from `buffer` and appends what it means; false after an error.
bool Drain(RequestParser* parser, std::string* buffer, std::vector<std::string>* meaning) {
  for (;;) {
    switch (parser->Parse(*buffer)) {
      case RequestParser::Outcome::kNeedMore:
        KDB_CHECK(parser->bytes_wanted() == 0 || parser->bytes_wanted() > buffer->size());
        return true;
      case RequestParser::Outcome::kError:
        meaning->push_back(parser->error());
        return false;
      case RequestParser::Outcome::kRequest:
        KDB_CHECK(parser->consumed() > 0 && parser->consumed() <= buffer->size());
        meaning->push_back(std::to_string(parser->args().size()));
        for (const std::string_view arg : parser->args()) meaning->emplace_back(arg);
        buffer->erase(0, parser->consumed());
    }
  }
}

// The first bytes of the input say how long the pieces are, in turn.
std::vector<std::string> Feed(std::string_view stream, std::string_view lengths) {
  RequestParser parser(kLimits);
  std::vector<std::string> meaning;
  std::string buffer;
  for (size_t turn = 0; !stream.empty(); ++turn) {
    const size_t length = lengths.empty()
                              ? stream.size()
                              : 1 + static_cast<uint8_t>(lengths[turn % lengths.size()]) % 32;
    const std::string_view piece = stream.substr(0, length);
    stream.remove_prefix(piece.size());
    buffer = std::string(buffer.data(), buffer.size()).append(piece);
    if (!Drain(&parser, &buffer, &meaning)) return meaning;
  }
  meaning.push_back(buffer);
  return meaning;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view stream = input.substr(4);
  const std::vector<std::string> whole = Feed(stream, "");
  KDB_CHECK(Feed(stream, input.substr(0, 4)) == whole, "the pieces mean something else");
  KDB_CHECK(Feed(stream, std::string_view("\0", 1)) == whole, "the bytes mean something else");
  return 0;
}
