#include "pkg/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "pkg/config/addresses.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Bound {
  std::string listen = "127.0.0.1:1";
  uint64_t threads = 2;
  uint64_t cache = 1 << 20;
  std::chrono::milliseconds deadline{10000};
  std::vector<std::string> seeds;
  bool fresh = false;
  std::string format = "text";
};

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() : settings_("kdb-test", "A test.", "1.2.3") {
    settings_.Add("listen", &bound_.listen, "address", IsListenAddress);
    settings_.Add("threads", &bound_.threads, "threads", 1, 64);
    settings_.AddBytes("cache", &bound_.cache, "cache", 1 << 10, 1 << 30);
    settings_.AddDuration("deadline", &bound_.deadline, "deadline", std::chrono::milliseconds(1),
                          std::chrono::minutes(1));
    settings_.Add("seeds", &bound_.seeds, "seeds", IsPeerAddress);
    settings_.Add("fresh", &bound_.fresh, "fresh");
    settings_.AddChoice("format", &bound_.format, "format", {"text", "json"});
  }

  absl::Status Parse(std::vector<const char*> args) {
    args.insert(args.begin(), "kdb-test");
    return settings_.Parse(static_cast<int>(args.size()), args.data()).status();
  }

  std::string WriteFile(const std::string& content) {
    std::string path = directory_ / "settings_test.yaml";
    std::ofstream(path) << content;
    return path;
  }

  testing::TemporaryDirectory directory_;
  Bound bound_;
  Settings settings_;
};

TEST_F(SettingsTest, KeepsDefaults) {
  ASSERT_TRUE(Parse({}).ok());
  EXPECT_EQ(bound_.listen, "127.0.0.1:1");
  EXPECT_FALSE(bound_.fresh);
}

TEST_F(SettingsTest, TakesFlags) {
  ASSERT_TRUE(Parse({"--listen", "h:2", "--threads=4", "--cache", "2MiB", "--deadline", "3s",
                     "--seeds", "a:1,b:2", "--fresh", "--format", "json"})
                  .ok());
  EXPECT_EQ(bound_.listen, "h:2");
  EXPECT_EQ(bound_.threads, 4u);
  EXPECT_EQ(bound_.cache, 2u << 20);
  EXPECT_EQ(bound_.deadline, std::chrono::seconds(3));
  EXPECT_THAT(bound_.seeds, ElementsAre("a:1", "b:2"));
  EXPECT_TRUE(bound_.fresh);
  EXPECT_EQ(bound_.format, "json");
}

TEST_F(SettingsTest, FlagOverridesFile) {
  std::string path = WriteFile("listen: file:1\nthreads: 8\nseeds: [x:1, y:2]\nfresh: true\n");
  ASSERT_TRUE(Parse({"--config", path.c_str(), "--threads", "9"}).ok());
  EXPECT_EQ(bound_.listen, "file:1");
  EXPECT_EQ(bound_.threads, 9u);
  EXPECT_THAT(bound_.seeds, ElementsAre("x:1", "y:2"));
  EXPECT_TRUE(bound_.fresh);
}

TEST_F(SettingsTest, ErrorsNameTheSetting) {
  EXPECT_THAT(std::string(Parse({"--threads", "65"}).message()),
              HasSubstr("--threads: 65 is out of range: 1 to 64"));
  EXPECT_THAT(std::string(Parse({"--thread", "6"}).message()), HasSubstr("--thread"));
  EXPECT_THAT(std::string(Parse({"--cache", "1MB"}).message()), HasSubstr("'1MB' is not a size"));
  EXPECT_THAT(std::string(Parse({"--format", "xml"}).message()),
              HasSubstr("not one of text, json"));
}

TEST_F(SettingsTest, AddressesAreChecked) {
  EXPECT_THAT(std::string(Parse({"--listen", "nowhere"}).message()),
              HasSubstr("--listen: 'nowhere' is not host:port"));
  EXPECT_THAT(std::string(Parse({"--seeds", "a:1,b"}).message()),
              HasSubstr("--seeds: 'b' is not host:port"));
  EXPECT_TRUE(Parse({"--seeds", "a:1,b:2", "--listen", ":0"}).ok());
}

TEST_F(SettingsTest, FileErrorsNameFileAndLine) {
  std::string unknown = WriteFile("threads: 2\nthread: 3\n");
  EXPECT_THAT(std::string(Parse({"--config", unknown.c_str()}).message()),
              HasSubstr("settings_test.yaml:2: thread: unknown setting"));
  std::string range = WriteFile("threads: 0\n");
  EXPECT_THAT(std::string(Parse({"--config", range.c_str()}).message()),
              HasSubstr("settings_test.yaml:1: threads: 0 is out of range"));
  std::string nested = WriteFile("seeds: [a:1, [b:2]]\n");
  EXPECT_THAT(std::string(Parse({"--config", nested.c_str()}).message()),
              HasSubstr("settings_test.yaml:1: seeds: not a list of values"));
  EXPECT_THAT(std::string(Parse({"--config", "/nonexistent.yaml"}).message()),
              HasSubstr("/nonexistent.yaml: No such file or directory"));
}

TEST_F(SettingsTest, ADirectoryIsNoFile) {
  absl::Status status = Parse({"--config", directory_.path().c_str()});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_.path()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("Is a directory"));
}

TEST_F(SettingsTest, ASettingIsGivenOnce) {
  std::string twice = WriteFile("threads: 2\nfresh: true\nthreads: 3\n");
  EXPECT_THAT(std::string(Parse({"--config", twice.c_str()}).message()),
              HasSubstr("settings_test.yaml:3: threads: given in line 1 already"));
}

TEST(AddressesTest, OfListeners) {
  for (const char* good : {"h:1", ":1", "127.0.0.1:0", "[::1]:65535"}) {
    EXPECT_TRUE(IsListenAddress(good).ok()) << good;
  }
  for (const char* bad : {"", "h", "h:", "h:x", "h:65536", "h:-1", "h:1,h:2", "::1:1", "[::1]"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(IsListenAddress(bad))) << bad;
  }
}

TEST(AddressesTest, OfListenersThatMayBeOff) {
  EXPECT_TRUE(IsListenAddressOrNone("").ok());
  EXPECT_TRUE(IsListenAddressOrNone("h:1").ok());
  EXPECT_FALSE(IsListenAddressOrNone("h").ok());
}

TEST(AddressesTest, OfPeers) {
  EXPECT_TRUE(IsPeerAddress("h:1").ok());
  EXPECT_TRUE(IsPeerAddress("[::1]:1").ok());
  for (const char* bad : {"", "h", ":1", "h:0", "h:00", "h:65536"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(IsPeerAddress(bad))) << bad;
  }
}

}  // namespace
}  // namespace kdb::config
