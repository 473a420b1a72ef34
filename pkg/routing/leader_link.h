// Finds the leader of one shard group and keeps a link to it: follows hints, tries the members in
// turn, reconnects with backoff and jitter, and leaves a member that stops answering.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/executor.h"
#include "pkg/base/random.h"
#include "pkg/routing/router_metrics.h"
#include "pkg/routing/shard_link.h"

namespace kdb::routing {

class LeaderLinkEvents {
 public:
  virtual ~LeaderLinkEvents() = default;
  // A new link: it may turn out not to be the leader's.
  virtual void OnLinkUp() = 0;
  // Nothing that was sent and not answered will be answered.
  virtual void OnLinkLost() = 0;
  // Whether a link is worth looking for now.
  virtual bool WantsLink() const = 0;
  virtual void OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms) = 0;
  virtual void OnWriteReply(std::string_view batch_reply) = 0;
  virtual void OnReadReply(std::string_view batch_reply) = 0;
};

// Not thread-safe: used on `executor`.
class LeaderLink {
 public:
  LeaderLink(uint64_t gid, ShardLinkFactory& links, Executor& executor, const Clock& clock,
             uint64_t seed, RouterMetrics& metrics, LeaderLinkEvents& events);
  ~LeaderLink();
  LeaderLink(const LeaderLink&) = delete;
  LeaderLink& operator=(const LeaderLink&) = delete;

  // Where members are; `leader`, if not empty, is tried first.
  void SetMembers(std::vector<std::string> members, const std::string& leader);
  // Starts to look for the leader unless that is under way.
  void Want();
  // nullptr when there is none now.
  ShardLink* link() const;

  // Requests were sent; an answer is due in time.
  void Expect();
  // An answer came; `more` are due.
  void Answered(bool more);
  // The member answered as leaders do.
  void Confirm();
  bool confirmed() const { return confirmed_; }
  // This member does not lead: on to `hint`, or to the next one.
  void Leave(std::string_view hint);

 private:
  struct Guarded;  // a link with its handler, which is cut off when the link is left

  void Drop();
  void ScheduleConnect(Clock::Duration delay);
  void Connect();
  void ChooseNext(std::string_view hint, Clock::Duration* delay);
  Clock::Duration Backoff();
  Clock::Duration AnswerTimeout() const;
  void ArmAnswerTimer(Clock::Duration delay);
  void CheckAnswer();

  const uint64_t gid_;
  ShardLinkFactory& links_;
  Executor& executor_;
  const Clock& clock_;
  Random random_;
  RouterMetrics& metrics_;
  LeaderLinkEvents& events_;
  // Shared with posted tasks, which outlive this object: null when it is gone.
  std::shared_ptr<LeaderLink*> self_;

  std::vector<std::string> members_;
  size_t next_member_ = 0;
  std::string next_address_;  // a hint; empty: the next member
  std::string address_;       // of the link, or of the last one
  std::string last_leader_;   // the last confirmed
  std::shared_ptr<Guarded>
      current_;              // shared with the task that destroys it outside its own callback
  bool connecting_ = false;  // a connect is scheduled
  bool confirmed_ = false;
  int hints_followed_ = 0;  // since a leader was confirmed or a round of members ended
  size_t tried_ = 0;        // members in this round
  int rounds_ = 0;          // without a confirmed leader
  int suspicions_ = 0;      // time-outs of confirmed leaders, in a row

  bool expecting_ = false;
  bool answer_timer_ = false;
  uint64_t link_number_ = 0;  // a timer of an earlier link is void
  Clock::Duration last_progress_{};
};

}  // namespace kdb::routing
