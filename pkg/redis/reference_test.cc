// Compares the command table and its replies with redis-server.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pkg/redis/command.h"
#include "pkg/redis/command_info.h"
#include "pkg/redis/parse.h"
#include "pkg/redis/reference_exceptions.h"
#include "pkg/redis/words.h"
#include "pkg/resp/reference_redis.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::redis {
namespace {

using resp::Reply;
using resp::ReplyWriter;
using resp::Version;

bool IsException(std::string_view name) {
  return std::any_of(std::begin(kNotInRedis), std::end(kNotInRedis),
                     [&](const auto& e) { return e.name == name; });
}

std::string Encode(const std::vector<std::string>& args) {
  std::string request;
  ReplyWriter writer(Version::kResp2, request);
  writer.Array(args.size());
  for (const std::string& arg : args) writer.Bulk(arg);
  return request;
}

// What the table says to a command that Redis refuses before it runs, or to COMMAND.
std::string OurReply(const std::vector<std::string>& args, Version version) {
  const std::vector<std::string_view> views(args.begin(), args.end());
  std::string out;
  ReplyWriter writer(version, out);
  const Command* command = nullptr;
  const absl::Status status = Resolve(views, &command);
  if (!status.ok()) {
    writer.Error(ErrorText(status));
  } else {
    AppendCommandReply(*command, views, writer);
  }
  return out;
}

// One connection in each protocol version.
class Reference : public testing::Test {
 protected:
  static void SetUpTestSuite() { redis_ = std::make_unique<resp::ReferenceRedis>(); }
  static void TearDownTestSuite() { redis_.reset(); }

  Reference() : resp2_(redis_->socket_path()), resp3_(redis_->socket_path()) {
    resp3_.Command(Encode({"HELLO", "3"}));
  }

  std::string TheirReply(const std::vector<std::string>& args, Version version) {
    return (version == Version::kResp2 ? resp2_ : resp3_).Command(Encode(args));
  }

  void ExpectSame(const std::vector<std::string>& args) {
    for (const Version version : {Version::kResp2, Version::kResp3}) {
      EXPECT_EQ(OurReply(args, version), TheirReply(args, version)) << testing::PrintToString(args);
    }
  }

  static std::unique_ptr<resp::ReferenceRedis> redis_;
  resp::ReferenceConnection resp2_;
  resp::ReferenceConnection resp3_;
};

std::unique_ptr<resp::ReferenceRedis> Reference::redis_;

std::vector<const Command*> Rows() {
  std::vector<const Command*> rows;
  for (const Command* command : AllCommands()) {
    rows.push_back(command);
    for (const Command& subcommand : command->subcommands) rows.push_back(&subcommand);
  }
  return rows;
}

TEST_F(Reference, EveryRowIsAsCommandInfoSays) {
  for (const Command* row : Rows()) {
    // Which subcommands a container has is compared below: Redis lists them in no order.
    if (IsException(row->name) || !row->subcommands.empty()) continue;
    ExpectSame({"COMMAND", "INFO", std::string(row->name)});
  }
}

TEST_F(Reference, ContainersAreAsCommandInfoSays) {
  for (const Command* row : AllCommands()) {
    if (IsException(row->name) || row->subcommands.empty()) continue;
    const std::vector<std::string> args = {"COMMAND", "INFO", std::string(row->name)};
    const std::string ours_bytes = OurReply(args, Version::kResp2);
    const std::string theirs_bytes = TheirReply(args, Version::kResp2);
    const Reply ours = resp::ReadReply(ours_bytes)->elements.at(0);
    const Reply theirs = resp::ReadReply(theirs_bytes)->elements.at(0);
    EXPECT_EQ(ours.elements.at(1).integer, theirs.elements.at(1).integer);
    for (const size_t list : {2, 6, 7}) {
      ASSERT_EQ(ours.elements.at(list).elements.size(), theirs.elements.at(list).elements.size());
      for (size_t i = 0; i < ours.elements.at(list).elements.size(); ++i) {
        EXPECT_EQ(ours.elements.at(list).elements[i].text,
                  theirs.elements.at(list).elements[i].text);
      }
    }
    std::set<std::string_view> expected;
    for (const Reply& subcommand : theirs.elements.at(9).elements) {
      expected.insert(subcommand.elements.at(0).text);
    }
    for (const auto& e : kOnlyInRedis) expected.erase(e.name);
    std::set<std::string_view> actual;
    for (const Command& subcommand : row->subcommands) {
      if (!IsException(subcommand.name)) actual.insert(subcommand.name);
    }
    EXPECT_EQ(actual, expected) << row->name;
  }
}

TEST_F(Reference, ExceptionsAreTrue) {
  for (const auto& e : kNotInRedis) {
    EXPECT_NE(FindByFullName(e.name), nullptr) << e.name;
    EXPECT_EQ(TheirReply({"COMMAND", "INFO", std::string(e.name)}, Version::kResp2),
              "*1\r\n$-1\r\n")
        << e.name;
  }
  for (const auto& e : kOnlyInRedis) {
    EXPECT_EQ(FindByFullName(e.name), nullptr) << e.name;
    EXPECT_NE(TheirReply({"COMMAND", "INFO", std::string(e.name)}, Version::kResp2),
              "*1\r\n$-1\r\n")
        << e.name;
  }
}

TEST_F(Reference, DocumentationAgreesOnGroupAndVersion) {
  for (const Command* row : Rows()) {
    if (IsException(row->name)) continue;
    const std::string bytes =
        TheirReply({"COMMAND", "DOCS", std::string(row->name)}, Version::kResp2);
    const Reply doc = resp::ReadReply(bytes)->elements.at(1);
    std::map<std::string_view, std::string_view> fields;
    for (size_t i = 0; i < doc.elements.size(); i += 2) {
      fields[doc.elements[i].text] = doc.elements[i + 1].text;
    }
    EXPECT_EQ(row->since, fields["since"]) << row->name;
    EXPECT_EQ(row->group, fields["group"]) << row->name;
    EXPECT_EQ(row->deprecated_since, fields["deprecated_since"]) << row->name;
  }
}

TEST_F(Reference, WrongNumbersOfArgumentsAreRefusedInTheSameWords) {
  for (const Command* row : Rows()) {
    if (IsException(row->name) || row->arity == -1) continue;
    const std::string_view name = row->name;
    const size_t bar = name.find('|');
    std::vector<std::string> args = {std::string(name.substr(0, bar))};
    if (bar != name.npos) args.emplace_back(name.substr(bar + 1));
    const size_t too_few = static_cast<size_t>(std::abs(row->arity)) - 1;
    const size_t too_many = static_cast<size_t>(std::abs(row->arity)) + 1;
    std::vector<std::string> more = args;
    while (args.size() < too_few) args.emplace_back("x");
    while (more.size() < too_many) more.emplace_back("x");
    if (args.size() == too_few) ExpectSame(args);
    if (row->arity > 0) ExpectSame(more);
  }
}

TEST_F(Reference, UnknownCommandsAreRefusedInTheSameWords) {
  const std::string long_text(200, 'x');
  const std::string nul("a\0b", 3);
  const std::vector<std::vector<std::string>> requests = {
      {"nosuch"},
      {"NoSuch", "a", "b c", ""},
      {long_text, long_text, "b"},
      {"nosuch", std::string(100, 'a'), std::string(100, 'b'), "c"},
      {"nosuch", std::string(123, 'a'), "b", "c"},
      {"nosuch", std::string(126, 'a'), "b"},
      {"a\r\nb", "c\r\nd\n"},
      {nul, nul},
      {"", ""},
      {"client|list"},
      {"get\n", "a"},
      {"client", "nosuch"},
      {"CLIENT", "NoSuch", "a"},
      {"cOnFiG", "get|x"},
      {"command", long_text},
      {"command", ""},
      {"config", "a\nb"},
      {"client", nul},
  };
  for (const auto& request : requests) ExpectSame(request);
}

TEST_F(Reference, CommandSubcommandsReplyTheSame) {
  const std::vector<std::vector<std::string>> requests = {
      {"COMMAND", "INFO", "nosuch", "get", "client|id", "client|nosuch", "get|x", "CONFIG|SET"},
      {"COMMAND", "DOCS", "nosuch", "client|nosuch"},
      {"COMMAND", "GETKEYS", "get", "k"},
      {"COMMAND", "GETKEYS", "GET"},
      {"COMMAND", "GETKEYS", "get", "k", "x"},
      {"COMMAND", "GETKEYS", "nosuch", "k"},
      {"COMMAND", "GETKEYS", "ping", "x"},
      {"COMMAND", "GETKEYS", "client", "id"},
      {"COMMAND", "GETKEYS", "client", "nosuch"},
      {"COMMAND", "GETKEYS", "mget", "a", "b", "c"},
      {"COMMAND", "GETKEYS", "mset", "a", "1", "b", "2"},
      {"COMMAND", "GETKEYS", "mset", "a", "1", "b"},
      {"COMMAND", "GETKEYS", "del", "a", "b"},
      {"COMMAND", "GETKEYS", "scan", "0"},
      {"COMMAND", "GETKEYSANDFLAGS", "set", "a", "b"},
      {"COMMAND", "GETKEYSANDFLAGS", "set", "a", "b", "ex", "1", "get"},
      {"COMMAND", "GETKEYSANDFLAGS", "set", "a", "get"},
      {"COMMAND", "GETKEYSANDFLAGS", "msetnx", "a", "1", "b", "2"},
      {"COMMAND", "GETKEYSANDFLAGS", "getex", "a"},
      {"COMMAND", "GETKEYSANDFLAGS", "unlink", "a", "b"},
      {"COMMAND", "LIST", "FILTERBY", "MODULE", "x"},
      {"COMMAND", "LIST", "FILTERBY", "ACLCAT", "nosuch"},
      {"COMMAND", "LIST", "FILTERBY", "NOSUCH", "x"},
      {"COMMAND", "LIST", "FILTERBY", "ACLCAT"},
      {"COMMAND", "LIST", "x"},
      {"COMMAND", "LIST", "FILTERBY", "PATTERN", "INCRBYF*"},
      {"COMMAND", "LIST", "FILTERBY", "PATTERN", "Client|Id"},
  };
  for (const auto& request : requests) ExpectSame(request);
}

}  // namespace
}  // namespace kdb::redis
