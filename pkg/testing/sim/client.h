// A client of a proxy: closed-loop, with some commands under way at once and random pauses.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/routing/client_order.h"
#include "pkg/testing/sim/op_log.h"
#include "pkg/testing/sim/sim_proxy.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {

// Not thread-safe. Keys by their first letters, for the checks:
//   r  registers: SET, GET, DEL, APPEND      n  numbers: INCR, INCRBY, GET, SET, DEL
//   c  counters: INCR and GET only           a  logs: APPEND of unique words and GET only
//   p  pairs, "p<i>{p}x" and "...y": MSET of one value, MGET
//   t  SET with a TTL by one client each, never twice the same value; GET
class Client {
 public:
  // All outlive it. `number`: unique in the simulation.
  Client(World& world, OpLog& log, SimProxy& proxy, int number);

  // Sends until Stop; again with each life of the proxy.
  void Start();
  void Stop() { stopped_ = true; }
  // Its connection breaks: what is under way is in doubt.
  void Reconnect();

  // GETs every key of the workload.
  void ReadAll();

  size_t under_way() const { return under_way_; }
  // Answers that are not errors.
  uint64_t successes() const { return successes_; }

 private:
  void ScheduleNext();
  void Next();
  void Send(std::vector<std::string> args);
  void OnReply(uint64_t connection, size_t number, std::string_view reply);
  std::vector<std::string> DrawCommand();
  std::vector<std::string> Draw();
  std::vector<std::string> DrawRegister();
  std::vector<std::string> DrawNumber();
  std::vector<std::string> DrawMany();
  std::vector<std::string> DrawPair();
  std::vector<std::string> DrawExpiring();
  std::string Unique();

  World& world_;
  OpLog& log_;
  SimProxy& proxy_;
  const int number_;
  const std::string name_;
  const bool reads_only_;
  Random random_;
  routing::ClientOrder order_;
  uint64_t proxy_life_ = 0;
  uint64_t connection_ = 0;  // replies to an earlier one are not heard
  size_t under_way_ = 0;
  bool scheduled_ = false;
  bool stopped_ = false;
  uint64_t values_ = 0;
  uint64_t successes_ = 0;
};

}  // namespace kdb::sim
