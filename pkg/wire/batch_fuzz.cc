// Decoders under libFuzzer: no input crashes them, and what they accept is exactly what the
// builders write.
#include <cstdint>
#include <string_view>

#include "pkg/base/check.h"
#include "pkg/wire/batch.h"

namespace {

void FuzzBatch(std::string_view in) {
  auto batch = kdb::wire::DecodeBatch(in);
  if (!batch.ok()) return;
  kdb::wire::BatchBuilder builder;
  for (const auto& op : batch->ops) builder.AddOp(op);
  KDB_CHECK(builder.Finish(batch->header) == in, "a second encoding of a batch");
}

void FuzzReply(std::string_view in) {
  auto reply = kdb::wire::DecodeBatchReply(in);
  if (!reply.ok()) return;
  if (reply->code != kdb::wire::BatchCode::kExecuted) {
    KDB_CHECK(kdb::wire::BatchReplyBuilder::Refusal(*reply) == in,
              "a second encoding of a refusal");
    return;
  }
  kdb::wire::BatchReplyBuilder builder;
  builder.Start(reply->session, reply->seq, reply->log_time_ms);
  for (const auto& result : reply->results) builder.AddResult(result);
  KDB_CHECK(builder.Finish() == in, "a second encoding of a reply");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  FuzzBatch(in);
  FuzzReply(in);
  return 0;
}
