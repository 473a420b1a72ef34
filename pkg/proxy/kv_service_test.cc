#include "pkg/proxy/kv_service.h"

#include <gtest/gtest.h>

namespace kdb::proxy {
namespace {

void ExpectCode(std::string_view reply, absl::StatusCode code) {
  EXPECT_EQ(StatusOfError(reply).code(), code) << reply;
}

TEST(KvServiceTest, ErrorsBecomeStatuses) {
  ExpectCode("-TIMEOUT no leader\r\n", absl::StatusCode::kDeadlineExceeded);
  ExpectCode("-UNKNOWN x\r\n", absl::StatusCode::kUnknown);
  ExpectCode("-WRONGTYPE x\r\n", absl::StatusCode::kFailedPrecondition);
  ExpectCode("-OOM x\r\n", absl::StatusCode::kResourceExhausted);
  ExpectCode("-TRYAGAIN x\r\n", absl::StatusCode::kUnavailable);
  ExpectCode("-BUSY x\r\n", absl::StatusCode::kUnavailable);
  EXPECT_EQ(StatusOfError("-TIMEOUT no leader\r\n").message(), "TIMEOUT no leader");
}

TEST(KvServiceTest, OnlyWhatTheCallerDidIsAnInvalidArgument) {
  ExpectCode("-ERR invalid expire time in 'set' command\r\n", absl::StatusCode::kInvalidArgument);
  ExpectCode("-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n",
             absl::StatusCode::kInvalidArgument);
  ExpectCode("-ERR the shard group does not understand this proxy's request\r\n",
             absl::StatusCode::kInternal);
  ExpectCode("-NEWCODE of a later version\r\n", absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace kdb::proxy
