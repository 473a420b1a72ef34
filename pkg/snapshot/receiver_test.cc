// A whole transfer, without a connection: the receiver's questions are put to another member's
// copies.
#include "pkg/snapshot/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "pkg/env/memory_file_system.h"
#include "pkg/snapshot/checkpoints.h"
#include "pkg/testing/manual.h"

namespace kdb::snapshot {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class ReceiverTest : public ::testing::Test {
 protected:
  ReceiverTest() {
    EXPECT_TRUE(CreateDirs(theirs_, "/copies").ok());
    EXPECT_TRUE(CreateDirs(ours_, paths_.dir).ok());
    NewSender();
    NewReceiver();
  }
  // As after a restart of the sender: it has no copy any more.
  void NewSender() {
    copies_ = nullptr;
    copies_ = *Checkpoints::Open(
        theirs_, clock_, {.dir = "/copies", .cluster_id = "c", .gid = 1},
        [this](const std::string& dir) { return Make(dir); }, Random(++seeds_));
  }
  // As after a restart of the one who fetches.
  void NewReceiver() {
    receiver_ = std::make_unique<Receiver>(
        ours_, ReceiverOptions{.paths = paths_,
                               .cluster_id = "c",
                               .gid = 1,
                               .part_bytes = 100,
                               .window = 3,
                               .verify = [this](const std::string& dir, const Manifest&) {
                                 EXPECT_EQ(dir, paths_.incoming());
                                 return verdict_;
                               }});
  }
  absl::StatusOr<raftpb::SnapshotMeta> Make(const std::string& dir) {
    EXPECT_TRUE(theirs_.CreateDir(dir).ok());
    for (const auto& [name, content] : files_) {
      EXPECT_TRUE(WriteFileDurably(theirs_, dir + "/" + name, content).ok());
    }
    raftpb::SnapshotMeta meta;
    meta.set_index(50);
    meta.set_term(4);
    return meta;
  }

  absl::StatusOr<raftpb::SnapshotReply> Answer(const raftpb::SnapshotRequest& request) {
    raftpb::SnapshotReply reply;
    if (request.has_open()) {
      auto manifest = copies_->Acquire(request.open().min_index(), request.open().resume_id());
      if (!manifest.ok()) return manifest.status();
      *reply.mutable_manifest() = *manifest;
      return reply;
    }
    const raftpb::SnapshotPart& part = request.part();
    auto content =
        copies_->Read(part.id(), static_cast<int>(part.file()), part.offset(), part.bytes());
    if (!content.ok()) return content.status();
    *reply.mutable_data()->mutable_part() = part;
    reply.mutable_data()->set_content(*content);
    return reply;
  }
  // One connection, which breaks after so many answers.
  absl::Status Connect(int answers = 1'000'000, uint64_t min_index = 40) {
    auto asked = receiver_->Open(min_index);
    if (!asked.ok()) return asked.status();
    std::deque<raftpb::SnapshotRequest> waiting(asked->begin(), asked->end());
    while (!waiting.empty() && answers-- > 0) {
      most_waiting_ = std::max(most_waiting_, waiting.size());
      auto reply = Answer(waiting.front());
      if (!reply.ok()) return reply.status();
      parts_ += reply->has_data();
      waiting.pop_front();
      auto more = receiver_->OnReply(*reply);
      if (!more.ok()) return more.status();
      waiting.insert(waiting.end(), more->begin(), more->end());
    }
    return absl::OkStatus();
  }
  void ExpectFetched() {
    EXPECT_TRUE(receiver_->done());
    for (const auto& [name, content] : files_) {
      auto fetched = ReadFile(ours_, paths_.incoming() + "/" + name);
      EXPECT_EQ(fetched.value_or(fetched.status().ToString()), content);
    }
    auto intent = Read(ours_, paths_.intent());
    ASSERT_TRUE(intent.ok() && intent->has_value()) << intent.status();
    EXPECT_EQ((*intent)->meta().index(), 50u);
  }

  const Paths paths_{.dir = "/m", .state = "/m/db", .log = "/m/log"};
  std::map<std::string, std::string> files_ = {
      {"a", std::string(250, 'a')}, {"b", ""}, {"c", std::string(100, 'c')}, {"d", "d"}};
  MemoryFileSystem theirs_, ours_;
  testing::ManualClock clock_;
  uint64_t seeds_ = 0;
  std::unique_ptr<Checkpoints> copies_;
  std::unique_ptr<Receiver> receiver_;
  absl::Status verdict_;
  size_t most_waiting_ = 0;
  int parts_ = 0;
};

TEST_F(ReceiverTest, FetchesAllInPartsWithinTheWindow) {
  ASSERT_EQ(Connect(), absl::OkStatus());
  ExpectFetched();
  EXPECT_EQ(parts_, 5);
  EXPECT_EQ(most_waiting_, 3u);
  EXPECT_EQ(receiver_->progress().staged_bytes, 351u);
  EXPECT_EQ(receiver_->progress().total_bytes, 351u);
}

TEST_F(ReceiverTest, GoesOnAfterEveryInterruption) {
  for (int connections = 0; !receiver_->done(); ++connections) {
    ASSERT_LT(connections, 10);
    ASSERT_EQ(Connect(2), absl::OkStatus());  // the manifest, and a part
  }
  ExpectFetched();
  EXPECT_EQ(parts_, 5);
}

TEST_F(ReceiverTest, GoesOnBehindWholeFilesAfterARestart) {
  ASSERT_EQ(Connect(1 + 3), absl::OkStatus());  // the manifest, and all of "a"
  ours_.Crash();
  NewReceiver();
  parts_ = 0;
  ASSERT_EQ(Connect(), absl::OkStatus());
  EXPECT_EQ(parts_, 2);
  ExpectFetched();
}

TEST_F(ReceiverTest, BeginsAnewWhenTheCopyIsGone) {
  ASSERT_EQ(Connect(1 + 3), absl::OkStatus());
  NewSender();
  parts_ = 0;
  ASSERT_EQ(Connect(), absl::OkStatus());
  EXPECT_EQ(parts_, 5);
  ExpectFetched();
}

TEST_F(ReceiverTest, WhatIsNotTheStateItShouldBeIsThrownAway) {
  verdict_ = absl::DataLossError("a bit flipped");
  EXPECT_EQ(Connect(), verdict_);
  EXPECT_FALSE(receiver_->done());
  EXPECT_FALSE(*ours_.Exists(paths_.incoming()));
  EXPECT_FALSE(*ours_.Exists(paths_.intent()));

  verdict_ = absl::OkStatus();
  ASSERT_EQ(Connect(), absl::OkStatus());
  ExpectFetched();
}

TEST_F(ReceiverTest, AnOldCopyIsNotResumed) {
  ASSERT_EQ(Connect(1 + 3), absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(Connect(100, 51)));
  EXPECT_FALSE(receiver_->done());
}

TEST_F(ReceiverTest, WhatWasNotAskedForEndsTheConnection) {
  auto asked = *receiver_->Open(40);
  raftpb::SnapshotReply data;
  data.mutable_data()->set_content("x");
  EXPECT_TRUE(absl::IsInvalidArgument(receiver_->OnReply(data).status()));

  raftpb::SnapshotReply manifest = *Answer(asked[0]);
  asked = *receiver_->OnReply(manifest);
  ASSERT_THAT(asked, SizeIs(3));
  EXPECT_TRUE(absl::IsInvalidArgument(receiver_->OnReply(manifest).status()));
  auto second = receiver_->OnReply(*Answer(asked[1]));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("from byte 0 was asked for"));

  ASSERT_EQ(Connect(), absl::OkStatus());
  ExpectFetched();
}

TEST_F(ReceiverTest, AnotherGroupsSnapshotIsRefused) {
  raftpb::SnapshotReply reply = *Answer((*receiver_->Open(40))[0]);
  reply.mutable_manifest()->set_gid(2);
  EXPECT_THAT(std::string(receiver_->OnReply(reply).status().message()),
              HasSubstr("a snapshot of group 2"));
  reply = *Answer((*receiver_->Open(40))[0]);
  reply.mutable_manifest()->mutable_files(0)->set_name("../identity");
  EXPECT_TRUE(absl::IsInvalidArgument(receiver_->OnReply(reply).status()));
  reply = *Answer((*receiver_->Open(40))[0]);
  reply.mutable_manifest()->mutable_meta()->set_index(39);
  EXPECT_THAT(std::string(receiver_->OnReply(reply).status().message()), HasSubstr("at least 40"));
}

TEST_F(ReceiverTest, AFullDiskEndsTheConnectionAndLaterItGoesOn) {
  ours_.faults().Fail(FsOp::kWrite, "/c.part", 0, absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(absl::IsResourceExhausted(Connect()));
  EXPECT_FALSE(receiver_->done());
  ASSERT_EQ(Connect(), absl::OkStatus());
  ExpectFetched();
}

TEST_F(ReceiverTest, AnEmptyStateIsASnapshotToo) {
  files_.clear();
  ASSERT_EQ(Connect(), absl::OkStatus());
  ExpectFetched();
}

}  // namespace
}  // namespace kdb::snapshot
