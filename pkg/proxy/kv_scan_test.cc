#include "pkg/proxy/kv_scan.h"

#include <gtest/gtest.h>

#include <map>

#include "pkg/base/random.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::proxy {
namespace {

using kv::v1::ScanRequest;
using kv::v1::ScanResponse;
using Pairs = std::map<std::string, std::string>;

// What a group answers to kdb.scan: at most `page` pairs, then a null if that cut it short.
std::string GroupReply(const Pairs& data, const KvScan& scan, size_t page) {
  std::vector<std::pair<std::string, std::string>> inside;
  for (const auto& [key, value] : data) {
    if (key >= scan.start && (scan.end.empty() || key < scan.end)) inside.emplace_back(key, value);
  }
  if (scan.reverse) std::reverse(inside.begin(), inside.end());
  bool cut = page < scan.limit && inside.size() > page;
  if (inside.size() > scan.limit) inside.resize(scan.limit);
  if (cut) inside.resize(page);
  std::string out;
  resp::ReplyWriter reply(resp::Version::kResp2, out);
  reply.Array(inside.size() * (scan.keys_only ? 1 : 2) + (cut ? 1 : 0));
  for (const auto& [key, value] : inside) {
    reply.Bulk(key);
    if (!scan.keys_only) reply.Bulk(value);
  }
  if (cut) reply.Null();
  return out;
}

// All pages, one after another.
std::vector<std::string> Keys(ScanRequest request, const std::vector<Pairs>& groups, size_t page) {
  std::vector<std::string> keys;
  for (int pages = 0; pages < 1000; ++pages) {
    absl::StatusOr<KvScan> scan = ParseScan(request);
    EXPECT_TRUE(scan.ok()) << scan.status();
    std::vector<std::string> replies;
    for (const Pairs& data : groups) replies.push_back(GroupReply(data, *scan, page));
    ScanResponse response;
    EXPECT_TRUE(MergePage(*scan, replies, &response).ok());
    for (const auto& pair : response.pairs()) keys.push_back(pair.key());
    if (response.next_page_token().empty()) return keys;
    request.set_page_token(response.next_page_token());
  }
  ADD_FAILURE() << "the scan does not end";
  return keys;
}

TEST(KvScanTest, PagesAreInOrderAndWholeWhateverTheirSizes) {
  const uint64_t seed = SystemSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Pairs> groups(1 + random.Uniform(4));
    std::vector<std::string> all;
    for (uint64_t i = 0, n = random.Uniform(60); i < n; ++i) {
      std::string key = "k" + std::to_string(random.Uniform(1000));
      bool known = std::any_of(groups.begin(), groups.end(),
                               [&key](const Pairs& data) { return data.contains(key); });
      if (known) continue;
      groups[random.Uniform(groups.size())][key] = "v";
      all.push_back(key);
    }
    ScanRequest request;
    request.set_limit(static_cast<uint32_t>(1 + random.Uniform(20)));
    request.set_reverse(random.OneIn(2));
    request.set_keys_only(random.OneIn(2));
    if (random.OneIn(3)) request.set_prefix("k5");
    std::erase_if(all, [&](const std::string& key) { return !key.starts_with(request.prefix()); });
    std::sort(all.begin(), all.end());
    if (request.reverse()) std::reverse(all.begin(), all.end());
    EXPECT_EQ(Keys(request, groups, 1 + random.Uniform(10)), all);
  }
}

TEST(KvScanTest, APrefixOfHighBytesHasNoEnd) {
  ScanRequest request;
  request.set_prefix("a\xff\xff");
  EXPECT_EQ(ParseScan(request)->end, "b");
  request.set_prefix("\xff");
  EXPECT_EQ(ParseScan(request)->end, "");
}

TEST(KvScanTest, RefusesWhatDoesNotFit) {
  ScanRequest request;
  request.set_limit(10001);
  EXPECT_FALSE(ParseScan(request).ok());
  request.set_limit(1);
  request.set_prefix("a");
  request.set_end("b");
  EXPECT_FALSE(ParseScan(request).ok());
  request.clear_end();
  ScanResponse page;
  ASSERT_TRUE(MergePage(*ParseScan(request), {"*2\r\n$2\r\naa\r\n$1\r\nv\r\n"}, &page).ok());
  request.set_page_token(page.next_page_token());
  EXPECT_TRUE(ParseScan(request).ok());
  request.set_reverse(true);  // not the request that the token is of
  EXPECT_FALSE(ParseScan(request).ok());
  request.set_page_token("x");
  EXPECT_FALSE(ParseScan(request).ok());
  EXPECT_FALSE(MergePage(KvScan{}, {":1\r\n"}, &page).ok());
}

}  // namespace
}  // namespace kdb::proxy
