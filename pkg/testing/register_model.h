// What one key does: the sequential specification for the linearizability checker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pkg/testing/history.h"

namespace kdb::testing {

// A string that may be absent, with GET, SET, DEL, INCR and APPEND as in Redis. States are
// numbered, so that configurations compare by number. Not thread-safe.
class RegisterModel {
 public:
  using State = uint32_t;
  static constexpr State kAbsent = 0;

  RegisterModel() { values_.emplace_back(); }

  // The state after `op`, which is executed in `state`; nullopt when its result shows that it was
  // not, or when it is an error there.
  std::optional<State> Step(const Operation& op, State state);

  // Replaces the value and says nothing about the old one.
  static bool IsBlindWrite(const Operation& op) {
    return op.kind == OpKind::kSet || (op.kind == OpKind::kDel && op.open());
  }

  // For people.
  std::string Describe(State state) const;

 private:
  State Number(std::string value);
  std::optional<State> Incr(const Operation& op, State state);

  std::vector<std::string> values_;  // by state; kAbsent's is not used
  std::unordered_map<std::string, State> numbers_;
};

}  // namespace kdb::testing
