#include "pkg/proxy/kv_scan.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/resp/reply_reader.h"

namespace kdb::proxy {
namespace {

constexpr uint32_t kDefaultLimit = 1000;
constexpr uint32_t kMaxLimit = 10000;
constexpr size_t kMaxPageBytes = 4 << 20;
constexpr char kTokenVersion = 1;
constexpr size_t kTokenHead = 1 + sizeof(uint32_t);

// The least string above all that begin with `prefix`; empty: there is none.
std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

uint32_t FieldsCrc(const kv::v1::ScanRequest& request) {
  std::string fields;
  AppendLengthPrefixed(fields, request.start());
  AppendLengthPrefixed(fields, request.end());
  AppendLengthPrefixed(fields, request.prefix());
  AppendLittle(fields, request.limit());
  fields.push_back(request.reverse() ? 1 : 0);
  fields.push_back(request.keys_only() ? 1 : 0);
  return Crc32c(fields);
}

std::string Token(const KvScan& scan, std::string_view last_key) {
  std::string token(1, kTokenVersion);
  AppendLittle(token, scan.fields_crc);
  token.append(last_key);
  return token;
}

// One group's pairs, and how far they were taken.
struct Run {
  std::vector<resp::Reply> elements;
  size_t next = 0;
  size_t step = 2;   // elements per pair
  bool cut = false;  // the group has more behind the last

  bool empty() const { return next >= elements.size(); }
  std::string_view key() const { return elements[next].text; }
  std::string_view value() const { return elements[next + 1].text; }
};

std::optional<Run> ReadRun(const KvScan& scan, std::string_view encoded) {
  std::optional<resp::Reply> reply = resp::ReadReply(encoded);
  if (!reply.has_value() || reply->type != resp::Reply::Type::kArray) return std::nullopt;
  Run run;
  run.elements = std::move(reply->elements);
  run.step = scan.keys_only ? 1 : 2;
  if (!run.elements.empty() && run.elements.back().type == resp::Reply::Type::kNull) {
    run.elements.pop_back();
    run.cut = true;
  }
  if (run.elements.size() % run.step != 0) return std::nullopt;
  if (run.elements.size() / run.step >= scan.limit) run.cut = true;
  return run;
}

}  // namespace

absl::StatusOr<KvScan> ParseScan(const kv::v1::ScanRequest& request) {
  if (request.limit() > kMaxLimit) return absl::InvalidArgumentError("limit is over 10000");
  KvScan scan;
  scan.limit = request.limit() == 0 ? kDefaultLimit : request.limit();
  scan.reverse = request.reverse();
  scan.keys_only = request.keys_only();
  scan.fields_crc = FieldsCrc(request);
  scan.start = request.start();
  scan.end = request.end();
  if (!request.prefix().empty()) {
    if (!request.start().empty() || !request.end().empty()) {
      return absl::InvalidArgumentError("prefix excludes start and end");
    }
    scan.start = request.prefix();
    scan.end = PrefixEnd(request.prefix());
  }
  const std::string& token = request.page_token();
  if (token.empty()) return scan;
  if (token.size() <= kTokenHead || token[0] != kTokenVersion ||
      LoadLittle<uint32_t>(token.data() + 1) != scan.fields_crc) {
    return absl::InvalidArgumentError("the page token is not of this request");
  }
  // Behind the last key: the next in order is itself and a zero byte.
  std::string last = token.substr(kTokenHead);
  if (scan.reverse) {
    scan.end = std::move(last);
  } else {
    scan.start = std::move(last) + '\0';
  }
  return scan;
}

std::vector<std::string_view> ScanArgs(const KvScan& scan, std::string* scratch) {
  *scratch = std::to_string(scan.limit);
  return {"kdb.scan",
          scan.start,
          scan.end,
          *scratch,
          scan.reverse ? "1" : "0",
          scan.keys_only ? "1" : "0"};
}

absl::Status MergePage(const KvScan& scan, const std::vector<std::string>& replies,
                       kv::v1::ScanResponse* response) {
  std::vector<Run> runs;
  for (const std::string& reply : replies) {
    std::optional<Run> run = ReadRun(scan, reply);
    if (!run.has_value()) return absl::InternalError("a shard group's scan reply is malformed");
    runs.push_back(*std::move(run));
  }
  auto later = [&scan](const Run* a, const Run* b) {
    return scan.reverse ? a->key() < b->key() : a->key() > b->key();
  };
  std::vector<Run*> heap;
  for (Run& run : runs) {
    if (!run.empty()) heap.push_back(&run);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  size_t bytes = 0;
  bool more = false;
  std::string_view last;
  while (!heap.empty() && !more) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Run& run = *heap.back();
    last = run.key();
    kv::v1::KeyValue& pair = *response->add_pairs();
    pair.set_key(last.data(), last.size());
    if (!scan.keys_only) pair.set_value(run.value().data(), run.value().size());
    bytes += pair.key().size() + pair.value().size();
    run.next += run.step;
    if (run.empty()) {
      heap.pop_back();
      // What this group has next may come before what others have.
      more = run.cut;
    } else {
      std::push_heap(heap.begin(), heap.end(), later);
    }
    bool full =
        static_cast<uint32_t>(response->pairs_size()) >= scan.limit || bytes >= kMaxPageBytes;
    if (full && !heap.empty()) more = true;
  }
  if (more) response->set_next_page_token(Token(scan, last));
  return absl::OkStatus();
}

}  // namespace kdb::proxy
