// Bytes of a client: the preface comes by itself, the rest is the fuzzer's.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/http2/session.h"

namespace {

class Echo final : public kdb::http2::Service {
 public:
  bool Has(std::string_view path) const override { return path == "/test/Echo"; }
  std::unique_ptr<kdb::http2::PendingCall> Start(kdb::http2::Call& call) override {
    call.Finish(absl::OkStatus(), std::string(call.request()));
    return nullptr;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kdb::SystemClock clock;
  kdb::http2::SessionOptions options;
  options.max_message_bytes = 1 << 20;
  options.metadata = {"password"};
  Echo service;
  kdb::http2::Deadlines deadlines;
  kdb::http2::Session session(options, service, deadlines, clock, [] {});
  std::string output;
  if (!session.Receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) return 0;
  if (session.Receive({reinterpret_cast<const char*>(data), size})) {
    session.Send(1 << 20, &output);
    deadlines.Expire(kdb::Clock::Duration::max());
    session.Send(1 << 20, &output);
  }
  return 0;
}
