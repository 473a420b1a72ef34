// Incremental parser of client requests: RESP arrays of bulk strings and inline commands (Redis
// protocol specification). No sockets, no copies: arguments are views into the caller's buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kdb::resp {

struct RequestLimits {
  size_t max_bulk_bytes = 16 << 20;
  size_t max_request_bytes = 32 << 20;  // one command with all its arguments
  size_t max_arguments = 1 << 20;
  size_t max_inline_bytes = 64 << 10;  // as in Redis
};

using Args = std::vector<std::string_view>;

// Parses one request after another. The caller keeps unread bytes contiguous: it calls Parse with
// all bytes since the end of the last request, and again with the same bytes plus more after
// kNeedMore. Progress within an unfinished request is remembered, so a request of n bytes that
// arrives in pieces costs O(n). As lenient as Redis: the CR LF behind a bulk is skipped unseen. An
// idle parser keeps less than 4 KiB: what a big request took is given back when the next one is
// begun, so call Parse also when nothing is left. Not thread-safe.
class RequestParser {
 public:
  enum class Outcome {
    kRequest,  // args() is set (may be empty: a bare newline, to be ignored); consumed() bytes are
               // done with
    kNeedMore,
    kError,  // error() is the reply's text; the connection must be closed after it is sent
  };

  explicit RequestParser(const RequestLimits& limits);

  // Whether the client has shown its password, if one is needed: until then requests are small, as
  // in Redis. From the next Parse on.
  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  Outcome Parse(std::string_view input);
  // Into the input of the last Parse, or into the parser for quoted inline arguments: valid until
  // the next Parse.
  const Args& args() const { return args_; }
  size_t consumed() const { return consumed_; }
  // As Redis words it, with the leading "ERR ", without CRLF. Once set it stays: every later Parse
  // fails.
  const std::string& error() const { return error_; }
  // Bytes that the unfinished request is known to need in all, 0 when not known: for sizing the
  // buffer.
  size_t bytes_wanted() const { return bytes_wanted_; }

 private:
  enum class Step { kDone, kNeedMore, kFailed };

  void StartRequest();
  Outcome ParseInline(std::string_view input);
  Outcome ParseMultiBulk(std::string_view input);
  Step ReadArgumentCount(std::string_view input);
  Step ReadBulkLength(std::string_view input);
  // The line at position_, without CR LF, and *next behind it; remembers how far it has looked for
  // the CR.
  Step ReadLine(std::string_view input, const char* too_long, std::string_view* line, size_t* next);
  Outcome FinishMultiBulk(std::string_view input);
  Outcome NeedMore(size_t bytes_wanted);
  Step Fail(std::string_view message);
  Outcome FailRequest(std::string_view message);

  RequestLimits limits_;
  bool authenticated_ = true;
  Args args_;
  size_t consumed_ = 0;
  std::string error_;
  size_t bytes_wanted_ = 0;
  std::string unquoted_;  // inline arguments that had quotes

  // Within an unfinished request. Offsets, since the caller's buffer may move.
  struct Span {
    size_t offset, size;
  };
  bool started_ = false;
  std::vector<Span> spans_;
  size_t position_ = 0;          // of the first byte that is not parsed
  size_t scanned_ = 0;           // no line ends before this
  int64_t arguments_left_ = -1;  // -1: the count is not read yet
  int64_t bulk_bytes_ = -1;      // -1: the bulk's length is not read yet
};

}  // namespace kdb::resp
