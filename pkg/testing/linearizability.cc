#include "pkg/testing/linearizability.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "pkg/testing/register_model.h"

namespace kdb::testing {
namespace {

using Id = uint32_t;  // of an operation on the key: its position in KeyHistory::ops
constexpr Id kNone = UINT32_MAX;
using State = RegisterModel::State;

struct Event {
  int64_t time;
  bool is_return;  // calls come first at the same time
  Id op;

  bool operator<(const Event& o) const {
    return std::tie(time, is_return, op) < std::tie(o.time, o.is_return, o.op);
  }
};

// The operations of one key, prepared for the search.
struct KeyHistory {
  std::vector<const Operation*> ops;
  std::vector<Id> previous;  // the client's last operation before this one that returned, or kNone
  std::vector<Event> events;
  // By event, for returns: the operations under way, closed ones by their return, then the open.
  std::vector<std::vector<Id>> pending;

  explicit KeyHistory(std::vector<const Operation*> operations) : ops(std::move(operations)) {
    std::unordered_map<std::string_view, Id> last;
    for (Id id = 0; id < ops.size(); ++id) {
      auto [at, is_new] = last.try_emplace(ops[id]->client, kNone);
      previous.push_back(at->second);
      events.push_back({ops[id]->call, false, id});
      if (ops[id]->open()) continue;
      at->second = id;
      events.push_back({ops[id]->ret, true, id});
    }
    std::sort(events.begin(), events.end());
    FindPending();
  }

 private:
  void FindPending() {
    std::set<std::pair<int64_t, Id>> under_way;
    for (const Event& event : events) {
      pending.emplace_back();
      std::pair<int64_t, Id> entry{ops[event.op]->ret, event.op};
      if (!event.is_return) {
        under_way.insert(entry);
        continue;
      }
      for (const auto& [ret, id] : under_way) pending.back().push_back(id);
      under_way.erase(entry);
    }
  }
};

// The search for one key.
class Search {
 public:
  Search(const KeyHistory& history, uint64_t limit) : h_(history), limit_(limit) {}

  Verdict Run() {
    if (Visit({})) return Verdict::kLinearizable;
    while (!stack_.empty()) {
      if (visited_.size() > limit_) return Verdict::kGaveUp;
      Frame& frame = stack_.back();
      if (frame.next == h_.pending[frame.config.event].size()) {
        stack_.pop_back();
        continue;
      }
      Id op = h_.pending[frame.config.event][frame.next++];
      std::optional<Configuration> child = Linearize(frame.config, op);
      if (child.has_value() && Visit(*std::move(child))) return Verdict::kLinearizable;
    }
    return Verdict::kNotLinearizable;
  }

  uint64_t visited() const { return visited_.size(); }

  // The first return that could not be reached past, and the states there.
  std::string Explain() const {
    if (furthest_ == h_.events.size()) return "the first operation has no explanation";
    const Operation& op = *h_.ops[h_.events[furthest_].op];
    std::vector<std::string> states;
    for (State state : furthest_states_) states.push_back(model_.Describe(state));
    return fmt::format("no order explains\n  {}\n  possible values just before: {}",
                       FormatOperation(op), fmt::join(states, ", "));
  }

 private:
  static constexpr size_t kShownStates = 8;

  // Before `event`, which is the return of an operation that is not linearized yet.
  struct Configuration {
    size_t event = 0;
    State state = RegisterModel::kAbsent;
    std::vector<Id> taken;  // linearized and not returned, sorted
    // The last step was an open blind write, at this event.
    bool after_open_write = false;

    bool Took(Id op) const { return std::binary_search(taken.begin(), taken.end(), op); }
  };
  struct Frame {
    Configuration config;
    size_t next = 0;  // in h_.pending[event]
  };

  // The return that the configuration stands before comes first in its list of pending operations,
  // and its effect is tried first: most operations take effect in the order of their returns.
  std::optional<Configuration> Linearize(const Configuration& from, Id id) {
    const Operation& op = *h_.ops[id];
    if (from.Took(id) || !PreviousTaken(from, id)) return std::nullopt;
    // An open write that the next write buries may as well never happen: that branch is searched.
    if (from.after_open_write && RegisterModel::IsBlindWrite(op)) return std::nullopt;
    if (op.open() && op.kind == OpKind::kGet) return std::nullopt;
    std::optional<State> state = model_.Step(op, from.state);
    if (!state.has_value()) return std::nullopt;
    Configuration to{from.event, *state, from.taken, op.open() && RegisterModel::IsBlindWrite(op)};
    to.taken.insert(std::lower_bound(to.taken.begin(), to.taken.end(), id), id);
    return to;
  }

  bool PreviousTaken(const Configuration& from, Id id) const {
    Id previous = h_.previous[id];
    if (previous == kNone || from.Took(previous)) return true;
    const std::vector<Id>& pending = h_.pending[from.event];
    return std::find(pending.begin(), pending.end(), previous) == pending.end();
  }

  // Moves on to the next return of an operation that is not linearized, and pushes that
  // configuration unless it was visited. True: there is none, all are linearized.
  bool Visit(Configuration config) {
    for (; config.event < h_.events.size(); ++config.event) {
      const Event& event = h_.events[config.event];
      if (!event.is_return) continue;
      auto at = std::lower_bound(config.taken.begin(), config.taken.end(), event.op);
      if (at == config.taken.end() || *at != event.op) break;
      config.taken.erase(at);
      config.after_open_write = false;
    }
    if (config.event == h_.events.size()) return true;
    if (!visited_.insert(Key(config)).second) return false;
    Remember(config);
    stack_.push_back({std::move(config)});
    return false;
  }

  static std::string Key(const Configuration& config) {
    std::vector<uint32_t> words{static_cast<uint32_t>(config.event), config.state};
    words.insert(words.end(), config.taken.begin(), config.taken.end());
    return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(uint32_t)};
  }

  void Remember(const Configuration& config) {
    if (furthest_ != h_.events.size() && config.event < furthest_) return;
    if (config.event != furthest_) furthest_states_.clear();
    furthest_ = config.event;
    if (furthest_states_.size() < kShownStates) furthest_states_.insert(config.state);
  }

  const KeyHistory& h_;
  const uint64_t limit_;
  RegisterModel model_;
  std::vector<Frame> stack_;
  std::unordered_set<std::string> visited_;
  size_t furthest_ = h_.events.size();  // that: none yet
  std::set<State> furthest_states_;
};

}  // namespace

CheckReport CheckLinearizable(const std::vector<Operation>& history, const CheckOptions& options) {
  std::map<std::string_view, std::vector<const Operation*>> by_key;
  for (const Operation& op : history) by_key[op.key].push_back(&op);
  CheckReport report;
  report.keys = by_key.size();
  for (auto& [key, ops] : by_key) {
    KeyHistory key_history(std::move(ops));
    Search search(key_history, options.max_configurations);
    Verdict verdict = search.Run();
    report.configurations += search.visited();
    if (verdict == Verdict::kLinearizable) continue;
    bool gave_up = verdict == Verdict::kGaveUp;
    report.problems.push_back(fmt::format("key {}: {} after {} configurations: {}", key,
                                          gave_up ? "gave up" : "not linearizable",
                                          search.visited(), search.Explain()));
    if (!gave_up || report.verdict == Verdict::kLinearizable) report.verdict = verdict;
  }
  return report;
}

}  // namespace kdb::testing
