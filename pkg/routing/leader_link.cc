#include "pkg/routing/leader_link.h"

#include <algorithm>
#include <utility>

namespace kdb::routing {
namespace {

using std::chrono::milliseconds;

constexpr auto kMinBackoff = milliseconds(20);
constexpr auto kMaxBackoff = milliseconds(500);
// An election lasts seconds at most: until then backoff stays short, so that probing adds little to
// it.
constexpr auto kElectionBackoff = milliseconds(80);
constexpr int kElectionRounds = 40;
constexpr int kMaxHintsFollowed = 3;
// For the first answer of a member not known to lead, and for a leader's next one. Both double.
constexpr auto kProbeTimeout = milliseconds(250);
constexpr auto kMaxProbeTimeout = milliseconds(2000);
constexpr auto kLeaderTimeout = milliseconds(1000);
constexpr auto kMaxLeaderTimeout = milliseconds(8000);

Clock::Duration Doubled(milliseconds base, int times, milliseconds limit) {
  return std::min(base * (1 << std::min(times, 10)), limit);
}

}  // namespace

struct LeaderLink::Guarded final : ShardLinkHandler {
  explicit Guarded(LeaderLink& owner) : owner(&owner) {}

  void OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms,
                       std::string_view /*refusal*/, std::string_view leader_address) override {
    if (owner == nullptr) return;
    if (session == 0) return owner->Leave(leader_address);
    owner->Confirm();
    owner->events_.OnSessionOpened(request_id, session, log_time_ms);
  }
  void OnWriteReply(std::string_view batch_reply) override {
    if (owner != nullptr) owner->events_.OnWriteReply(batch_reply);
  }
  void OnReadReply(std::string_view batch_reply) override {
    if (owner != nullptr) owner->events_.OnReadReply(batch_reply);
  }
  void OnProgress() override {
    if (owner != nullptr) owner->last_progress_ = owner->clock_.Monotonic();
  }
  void OnLeaderChanged(std::string_view leader_address) override {
    if (owner != nullptr) owner->Leave(leader_address);
  }
  void OnBroken(const absl::Status& /*why*/) override {
    if (owner != nullptr) owner->Leave({});
  }

  LeaderLink* owner;  // nullptr: left
  std::unique_ptr<ShardLink> link;
};

LeaderLink::LeaderLink(uint64_t gid, ShardLinkFactory& links, Executor& executor,
                       const Clock& clock, uint64_t seed, RouterMetrics& metrics,
                       LeaderLinkEvents& events)
    : gid_(gid),
      links_(links),
      executor_(executor),
      clock_(clock),
      random_(seed),
      metrics_(metrics),
      events_(events),
      self_(std::make_shared<LeaderLink*>(this)) {}

LeaderLink::~LeaderLink() {
  *self_ = nullptr;
  if (current_ != nullptr) current_->owner = nullptr;
}

void LeaderLink::SetMembers(std::vector<std::string> members, const std::string& leader) {
  members_ = std::move(members);
  if (current_ == nullptr && !leader.empty()) next_address_ = leader;
  if (events_.WantsLink()) Want();
}

void LeaderLink::Want() {
  if (current_ != nullptr || connecting_) return;
  ScheduleConnect(Clock::Duration::zero());
}

ShardLink* LeaderLink::link() const { return current_ == nullptr ? nullptr : current_->link.get(); }

void LeaderLink::ScheduleConnect(Clock::Duration delay) {
  connecting_ = true;
  auto task = [self = self_] {
    if (*self != nullptr) (*self)->Connect();
  };
  if (delay == Clock::Duration::zero()) return executor_.Post(std::move(task));
  executor_.PostAfter(delay, std::move(task));
}

void LeaderLink::Connect() {
  connecting_ = false;
  if (current_ != nullptr || !events_.WantsLink()) return;
  if (!next_address_.empty()) {
    address_ = std::exchange(next_address_, {});
  } else if (!members_.empty()) {
    address_ = members_[next_member_++ % members_.size()];
    ++tried_;
  } else {
    return;  // SetMembers goes on
  }
  metrics_.connects.Increment();
  current_ = std::make_shared<Guarded>(*this);
  confirmed_ = false;
  // The handler may be called from within Connect: hold on to it.
  std::shared_ptr<Guarded> guarded = current_;
  guarded->link = links_.Connect(gid_, address_, *guarded);
  if (current_ == guarded) events_.OnLinkUp();
}

void LeaderLink::Confirm() {
  if (confirmed_) return;
  confirmed_ = true;
  hints_followed_ = 0;
  tried_ = 0;
  rounds_ = 0;
  if (address_ == last_leader_) return;
  if (!last_leader_.empty()) metrics_.leader_changes.Increment();
  last_leader_ = address_;
  suspicions_ = 0;
}

void LeaderLink::Drop() {
  current_->owner = nullptr;
  // Not here: this may be a callback of the very link.
  executor_.Post([dropped = std::move(current_)]() mutable { dropped.reset(); });
  current_ = nullptr;
  confirmed_ = false;
  expecting_ = false;
  answer_timer_ = false;
  ++link_number_;
}

void LeaderLink::Leave(std::string_view hint) {
  if (current_ == nullptr) return;
  std::string next(hint);  // it may point into what Drop destroys
  Drop();
  Clock::Duration delay;
  ChooseNext(next, &delay);
  ScheduleConnect(delay);
  events_.OnLinkLost();
}

void LeaderLink::ChooseNext(std::string_view hint, Clock::Duration* delay) {
  *delay = Clock::Duration::zero();
  if (!hint.empty() && hint != address_ && hints_followed_ < kMaxHintsFollowed) {
    ++hints_followed_;
    next_address_ = hint;
    return;
  }
  // A member that just failed is tried again only after the others.
  if (members_.size() > 1 && members_[next_member_ % members_.size()] == address_) {
    ++next_member_;
    ++tried_;
  }
  if (tried_ < members_.size()) return;
  tried_ = 0;
  hints_followed_ = 0;
  ++rounds_;
  *delay = Backoff();
}

Clock::Duration LeaderLink::Backoff() {
  milliseconds limit = rounds_ <= kElectionRounds ? kElectionBackoff : kMaxBackoff;
  Clock::Duration full = Doubled(kMinBackoff, rounds_ - 1, limit);
  return full / 2 + Clock::Duration(random_.Uniform(static_cast<uint64_t>(full.count())));
}

Clock::Duration LeaderLink::AnswerTimeout() const {
  return confirmed_ ? Doubled(kLeaderTimeout, suspicions_, kMaxLeaderTimeout)
                    : Doubled(kProbeTimeout, rounds_, kMaxProbeTimeout);
}

void LeaderLink::Expect() {
  if (expecting_) return;
  expecting_ = true;
  last_progress_ = clock_.Monotonic();
  ArmAnswerTimer(AnswerTimeout());
}

void LeaderLink::Answered(bool more) {
  last_progress_ = clock_.Monotonic();
  if (confirmed_) suspicions_ = 0;
  expecting_ = more;
}

void LeaderLink::ArmAnswerTimer(Clock::Duration delay) {
  if (answer_timer_) return;
  answer_timer_ = true;
  executor_.PostAfter(delay, [self = self_, link_number = link_number_] {
    if (*self != nullptr && (*self)->link_number_ == link_number) (*self)->CheckAnswer();
  });
}

void LeaderLink::CheckAnswer() {
  answer_timer_ = false;
  if (!expecting_ || current_ == nullptr) return;
  Clock::Duration due = last_progress_ + AnswerTimeout() - clock_.Monotonic();
  if (due > Clock::Duration::zero()) return ArmAnswerTimer(due);
  metrics_.answer_timeouts.Increment();
  if (confirmed_) ++suspicions_;
  Leave({});
}

}  // namespace kdb::routing
