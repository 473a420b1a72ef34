// Replies in order, bytes on their way out, passwords.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "pkg/base/random.h"
#include "pkg/proxy/output_buffer.h"
#include "pkg/proxy/password_file.h"
#include "pkg/proxy/reply_queue.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb::proxy {
namespace {

using ::testing::ElementsAre;

TEST(ReplyQueueTest, KeepsTheOrderOfCommands) {
  const uint64_t seed = SystemSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  ReplyQueue queue;
  std::vector<uint64_t> open;
  std::vector<std::string> out, expected;
  auto take = [&out](std::string&& reply) { out.push_back(std::move(reply)); };
  for (int i = 0; i < 5000; ++i) {
    if (open.empty() || random.OneIn(2)) {
      bool silent = random.OneIn(5);
      open.push_back(queue.Open({}, 0, silent));
      if (!silent) expected.push_back(std::to_string(open.back()));
    } else {
      auto at = open.begin() + static_cast<long>(random.Uniform(open.size()));
      queue.Complete(*at, std::to_string(*at), take);
      open.erase(at);
    }
  }
  for (uint64_t number : open) queue.Complete(number, std::to_string(number), take);
  EXPECT_EQ(out, expected);
  EXPECT_TRUE(queue.empty());
}

TEST(ReplyQueueTest, CountsWhatWaitsForOlderReplies) {
  ReplyQueue queue;
  size_t taken = 0;
  auto take = [&taken](std::string&& reply) { taken += reply.size(); };
  uint64_t first = queue.Open({}, 0, false);
  uint64_t second = queue.Open({}, 0, false);
  uint64_t silent = queue.Open({}, 0, true);
  queue.Complete(second, std::string(100, 'x'), take);
  queue.Complete(silent, std::string(1000, 'x'), take);
  EXPECT_EQ(queue.held_bytes(), 100u);
  queue.Complete(first, std::string(10, 'x'), take);
  EXPECT_EQ(queue.held_bytes(), 0u);
  EXPECT_EQ(taken, 110u);
}

TEST(OutputBufferTest, GathersAllBytesInOrderWhateverIsTaken) {
  const uint64_t seed = SystemSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  OutputBuffer buffer;
  std::string sent, taken;
  for (int i = 0; i < 3000; ++i) {
    if (random.OneIn(2)) {
      std::string reply(random.OneIn(20) ? random.Uniform(40000) : random.Uniform(100), '\0');
      for (char& c : reply) c = static_cast<char>(random.Next());
      sent += reply;
      if (!reply.empty()) buffer.Append(std::move(reply));
    } else if (!buffer.empty()) {
      OutputBuffer::Gather gather;
      buffer.Fill(&gather);
      std::string front;
      for (const auto& part : gather)
        front.append(static_cast<const char*>(part.data()), part.size());
      size_t n = 1 + random.Uniform(front.size());
      taken += front.substr(0, n);
      buffer.Consume(n);
    }
    ASSERT_EQ(buffer.bytes(), sent.size() - taken.size());
  }
  EXPECT_EQ(taken, sent.substr(0, taken.size()));
}

TEST(PasswordsTest, EveryLineIsValidAndAChangeIsRead) {
  testing::TemporaryDirectory directory;
  std::string path = directory / "passwords";
  auto write = [&path](std::string_view text) { std::ofstream(path) << text; };
  Passwords passwords(path, obs::NullLogger());
  std::remove(path.c_str());
  EXPECT_FALSE(passwords.Reload().ok());
  EXPECT_FALSE(passwords.Accepts(""));
  write("old\nnew\r\n\n");
  ASSERT_TRUE(passwords.Reload().ok());
  EXPECT_TRUE(passwords.Accepts("old"));
  EXPECT_TRUE(passwords.Accepts("new"));
  EXPECT_FALSE(passwords.Accepts("ne"));
  EXPECT_FALSE(passwords.Accepts("newer"));
  EXPECT_FALSE(passwords.Accepts(""));
  write("new\n");
  ASSERT_TRUE(passwords.Reload().ok());
  EXPECT_FALSE(passwords.Accepts("old"));
  write("\n");
  EXPECT_FALSE(passwords.Reload().ok());
  EXPECT_TRUE(passwords.Accepts("new"));
}

TEST(PasswordsTest, AnErrorThatLastsIsLoggedOnce) {
  testing::TemporaryDirectory directory;
  std::string path = directory / "passwords";
  auto write = [&path] { std::ofstream(path) << "word\n"; };
  std::ostringstream log;
  Passwords passwords(path, obs::StreamLogger(log));
  write();
  ASSERT_TRUE(passwords.Reload().ok());
  passwords.Check();
  EXPECT_EQ(log.str(), "");
  for (int i = 0; i < 2; ++i) {
    std::remove(path.c_str());
    for (int check = 0; check < 3; ++check) passwords.Check();
    write();
    for (int check = 0; check < 3; ++check) passwords.Check();
  }
  const std::string one_time = fmt::format(
      "error: password file {0}: cannot be read, or is empty; the passwords stay as they were\n"
      "info: password file {0} is readable again\n",
      path);
  EXPECT_EQ(log.str(), one_time + one_time);
}

}  // namespace
}  // namespace kdb::proxy
