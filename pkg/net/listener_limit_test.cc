// The limit of open connections.
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "pkg/net/fixture_test.h"

namespace kdb::net {
namespace {

using Event = Listener::Event;

constexpr size_t kLimit = 3;

class ListenerLimitTest : public ::testing::Test {
 protected:
  // A connection that is served once `index` others were.
  RawSocket ServedPeer(size_t index) {
    RawSocket peer;
    peer.Connect(served_.port());
    peer.Send(PrefaceOf(Service::kRaft) + ToFrame("hello"));
    served_.record().Frames(index + 1);
    return peer;
  }
  std::vector<RawSocket> Fill() {
    std::vector<RawSocket> peers;
    for (size_t i = 0; i < kLimit; ++i) peers.push_back(ServedPeer(i));
    return peers;
  }
  bool IsRefused() {
    const size_t refused = too_many_, accepted = accepted_;
    RawSocket peer;
    peer.Connect(served_.port());
    Await(loop_, [&] { return too_many_ > refused || accepted_ > accepted; });
    if (too_many_ == refused) return false;
    EXPECT_EQ(peer.Read(), "");
    return true;
  }

  Loop loop_{"server"};
  std::atomic<size_t> accepted_ = 0, displaced_ = 0, too_many_ = 0;
  std::atomic<size_t> handed_over_ = 0;
  std::array<int, kLimit> descriptors_{};  // of those handed over
  Served served_{loop_,
                 {.address = "",
                  .services = {},
                  .others =
                      [this](int fd, std::string_view) {
                        descriptors_.at(handed_over_) = fd;
                        ++handed_over_;
                      },
                  .max_connections = kLimit,
                  .on_event =
                      [this](Event event) {
                        if (event == Event::kAccepted) ++accepted_;
                        if (event == Event::kDisplaced) ++displaced_;
                        if (event == Event::kTooMany) ++too_many_;
                      }}};
};

TEST_F(ListenerLimitTest, OneMoreIsClosedUntilAnotherEnds) {
  std::vector<RawSocket> peers = Fill();
  EXPECT_TRUE(IsRefused());
  EXPECT_TRUE(IsRefused());
  peers.front().Close();
  Await(loop_, [this] { return !IsRefused(); });
}

TEST_F(ListenerLimitTest, WhoHasSaidNothingMakesRoom) {
  std::array<RawSocket, kLimit> peers;
  for (RawSocket& peer : peers) peer.Connect(served_.port());
  Await(loop_, [this] { return accepted_ == kLimit; });
  for (size_t i = 0; i < kLimit; ++i) {
    RawSocket late = ServedPeer(i);
    EXPECT_EQ(peers.at(i).Read(), "");
    peers.at(i) = std::move(late);
  }
  EXPECT_EQ(displaced_, kLimit);
  EXPECT_TRUE(IsRefused());
}

TEST_F(ListenerLimitTest, WhoWasHandedOverCountsUntilItsSocketIsClosed) {
  std::vector<RawSocket> peers(kLimit);
  for (RawSocket& peer : peers) {
    peer.Connect(served_.port());
    peer.Send("PRI");
  }
  Await(loop_, [this] { return handed_over_ == kLimit; });
  EXPECT_TRUE(IsRefused());
  // The number of the descriptor is another socket's now.
  RawSocket other;
  ASSERT_EQ(::dup2(other.fd(), descriptors_[0]), descriptors_[0]);
  Await(loop_, [this] { return !IsRefused(); });
  for (int fd : descriptors_) ::close(fd);
}

}  // namespace
}  // namespace kdb::net
