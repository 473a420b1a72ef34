#include "pkg/testing/sim/scenario.h"

#include "pkg/base/random.h"

namespace kdb::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

template <typename T>
T OneOf(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random.Uniform(choices.size())];
}

server::ReplicaOptions DrawReplica(Random& random) {
  server::ReplicaOptions options;
  options.raft.wal_dir = "/data/log";
  options.raft.wal.segment_bytes = OneOf<uint64_t>(random, {1 << 14, 1 << 16, 1 << 20});
  options.raft.wal.spare_segments = OneOf(random, {0, 2});
  options.raft.log_cache_bytes = OneOf<size_t>(random, {1 << 12, 32 << 20});
  options.raft.flush_log_bytes = OneOf<size_t>(random, {1 << 12, 1 << 15, 32 << 20});
  options.raft.flush_interval = OneOf(random, {seconds(1), seconds(5), seconds(120)});
  options.shard.session_window_batches = OneOf<size_t>(random, {2, 4, 64});
  options.shard.session_window_bytes = OneOf<size_t>(random, {64, 4 << 20});
  options.hash_check = {.every = seconds(2), .bytes_per_second = 1 << 20};
  options.expire_keys_every = OneOf(random, {milliseconds(100), milliseconds(5000)});
  if (random.OneIn(3)) {
    options.session_silence = OneOf(random, {milliseconds(500), milliseconds(1500)});
    options.check_sessions_every = milliseconds(200);
  }
  return options;
}

routing::RouterOptions DrawRouter(Random& random) {
  routing::RouterOptions options;
  options.deadline = OneOf(random, {milliseconds(700), milliseconds(3000), milliseconds(10'000)});
  options.max_batch_ops = OneOf<size_t>(random, {1, 3, 512});
  return options;
}

}  // namespace

Scenario Scenario::FromSeed(uint64_t seed) {
  Random random(seed);
  Scenario s;
  s.seed = seed;
  s.proxies = OneOf(random, {1, 2, 2});
  s.clients_per_proxy = OneOf(random, {2, 3, 4});
  s.quiet = random.OneIn(6);
  s.pipeline = OneOf(random, {1, 3, 8});
  s.think = OneOf(random, {milliseconds(5), milliseconds(20), milliseconds(60)});
  // Each with the same chance as not, but never none.
  while (s.faults.empty()) {
    for (int i = 0; i < kFaults; ++i) {
      if (random.OneIn(2)) s.faults.push_back(static_cast<Fault>(i));
    }
  }
  s.fault_gap = OneOf(random, {milliseconds(150), milliseconds(500), milliseconds(1500)});
  s.fault_time = seconds(6 + random.Uniform(7));
  s.calm.max_delay = OneOf(random, {microseconds(500), microseconds(5000)});
  s.replica = DrawReplica(random);
  s.router = DrawRouter(random);
  return s;
}

}  // namespace kdb::sim
