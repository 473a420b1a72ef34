// What happened in a simulation: always hashed, printed when asked for.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "pkg/testing/sim_loop.h"

namespace kdb::sim {

// Not thread-safe. Equal hashes: the same events at the same times.
class Trace {
 public:
  // `loop` outlives the trace.
  Trace(const testing::SimLoop& loop, bool print) : loop_(loop), print_(print) {}

  // `who` did or saw what follows, now.
  template <typename... Args>
  void Note(std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
    Add(who, fmt::format(format, std::forward<Args>(args)...));
  }
  uint64_t hash() const { return hash_; }

 private:
  void Add(std::string_view who, std::string_view what);

  const testing::SimLoop& loop_;
  const bool print_;
  uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace kdb::sim
