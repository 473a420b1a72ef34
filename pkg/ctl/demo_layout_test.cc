#include <gmock/gmock.h>

#include "pkg/ctl/demo.h"

namespace kdb::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Text(uint64_t proxies) {
  DemoOptions options;
  options.port = 20000;
  options.proxies = proxies;
  return HowToConnect(options, *DemoLayout(options));
}

TEST(DemoLayout, NamesEveryAddressOfEveryProxy) {
  std::string two = Text(2);
  EXPECT_THAT(two, HasSubstr("\nready: redis-cli -p 20000\n"));
  EXPECT_THAT(two, HasSubstr("proxies: 127.0.0.1:20000 127.0.0.1:20001\n"));
  EXPECT_THAT(two, HasSubstr("KV API (gRPC): 127.0.0.1:20010 127.0.0.1:20011\n"));
  EXPECT_THAT(two, HasSubstr("http://127.0.0.1:20041/metrics"));
}

TEST(DemoLayout, DoesNotRepeatTheOnlyProxy) {
  std::string one = Text(1);
  EXPECT_THAT(one, HasSubstr("KV API (gRPC): 127.0.0.1:20010\n"));
  EXPECT_THAT(one, HasSubstr("--meta 127.0.0.1:20020,127.0.0.1:20021,127.0.0.1:20022 status\n"));
  EXPECT_THAT(one, Not(HasSubstr("proxies:")));
}

TEST(DemoLayout, RefusesWhatDoesNotFit) {
  DemoOptions options;
  options.proxies = 11;
  EXPECT_FALSE(DemoLayout(options).ok());
  options.proxies = 1;
  options.port = 65500;
  EXPECT_FALSE(DemoLayout(options).ok());
}

}  // namespace
}  // namespace kdb::ctl
