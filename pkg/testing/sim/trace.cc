#include "pkg/testing/sim/trace.h"

#include <cstdio>

namespace kdb::sim {
namespace {

// FNV-1a.
uint64_t Mix(uint64_t hash, std::string_view bytes) {
  for (unsigned char c : bytes) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

}  // namespace

void Trace::Add(std::string_view who, std::string_view what) {
  // Tasks run, too: a step that nobody noted still makes a difference.
  hash_ = Mix(hash_, fmt::format("{} {} {} {}", loop_.Now().count(), loop_.tasks_run(), who, what));
  if (!print_) return;
  fmt::print("{:12.6f}  {:<8} {}\n", static_cast<double>(loop_.Now().count()) / 1e9, who, what);
}

}  // namespace kdb::sim
