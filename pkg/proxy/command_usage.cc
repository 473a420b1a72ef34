#include "pkg/proxy/command_usage.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <utility>

#include "pkg/base/check.h"

namespace kdb::proxy {
namespace {

using std::chrono::nanoseconds;

constexpr auto kSpan = std::chrono::milliseconds(250);

constexpr int kStepBits = 4;  // steps of each power of two
constexpr uint64_t kSteps = 1u << kStepBits;
constexpr uint64_t kMostNanos = (uint64_t{1} << 37) - 1;  // 137 s

size_t BucketOf(uint64_t ns) {
  ns = std::min(ns, kMostNanos);
  if (ns < kSteps) return static_cast<size_t>(ns);
  int shift = static_cast<int>(std::bit_width(ns)) - 1 - kStepBits;
  return static_cast<size_t>((static_cast<uint64_t>(shift) + 1) * kSteps +
                             ((ns >> shift) & (kSteps - 1)));
}

const size_t kBuckets = BucketOf(kMostNanos) + 1;

// The largest value of a bucket.
uint64_t UpperBound(size_t bucket) {
  if (bucket < kSteps) return bucket;
  uint64_t shift = bucket / kSteps - 1;
  return ((kSteps + bucket % kSteps + 1) << shift) - 1;
}

// Errors by which the proxy or a group says that a command was not executed.
bool IsRejection(std::string_view reply) {
  constexpr std::string_view kBeginnings[] = {"-NOAUTH ",    "-OOM ",  "-TIMEOUT ",
                                              "-CROSSSLOT ", "-BUSY ", "-ERR wrong number of "};
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings),
                     [reply](std::string_view begin) { return reply.starts_with(begin); });
}

bool IsNull(std::string_view reply) {
  return reply.starts_with("$-1\r\n") || reply.starts_with("_\r\n");
}

}  // namespace

// --- LatencyHistogram.

void LatencyHistogram::Observe(nanoseconds latency) {
  if (counts_.empty()) counts_.resize(kBuckets);
  ++counts_[BucketOf(static_cast<uint64_t>(std::max<int64_t>(latency.count(), 0)))];
  ++total_;
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  if (other.total_ == 0) return;
  if (counts_.empty()) counts_.resize(kBuckets);
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

nanoseconds LatencyHistogram::Percentile(double quantile) const {
  auto rank = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen > 0 && seen >= rank) return nanoseconds(UpperBound(i));
  }
  return nanoseconds(0);
}

// --- Sums.

void CommandUse::Add(const CommandUse& other) {
  calls += other.calls;
  failed += other.failed;
  rejected += other.rejected;
  spent += other.spent;
  latency.Add(other.latency);
}

void CommandUsage::Add(const CommandUsage& other) {
  commands.resize(std::max(commands.size(), other.commands.size()));
  for (size_t i = 0; i < other.commands.size(); ++i) commands[i].Add(other.commands[i]);
  for (const auto& [code, n] : other.errors) {
    bool room = errors.size() < kMostErrorCodes || errors.contains(code);
    errors[room ? code : "OTHER"] += n;
  }
  error_replies += other.error_replies;
  hits += other.hits;
  misses += other.misses;
}

// --- CommandIndex.

CommandIndex::CommandIndex() {
  for (const redis::Command* command : redis::AllCommands()) AddAll(std::span(command, 1));
}

void CommandIndex::AddAll(std::span<const redis::Command> commands) {
  for (const redis::Command& command : commands) {
    KDB_CHECK(commands_.size() <= UINT8_MAX, "more commands than a reply's place can number");
    index_.emplace(&command, static_cast<uint8_t>(commands_.size()));
    commands_.push_back(&command);
    AddAll(command.subcommands);
  }
}

uint8_t CommandIndex::Of(const redis::Command* command) const {
  auto it = index_.find(command);
  return it == index_.end() ? 0 : it->second;
}

// --- UsageCounter.

UsageCounter::UsageCounter(const CommandIndex& index) : tells_(index.size()) {
  constexpr std::pair<std::string_view, Tells> kTelling[] = {
      {"get", Tells::kNull},      {"getdel", Tells::kNull},
      {"getex", Tells::kNull},    {"getset", Tells::kNull},
      {"mget", Tells::kNulls},    {"ttl", Tells::kMinusTwo},
      {"pttl", Tells::kMinusTwo}, {"expiretime", Tells::kMinusTwo},
      {"type", Tells::kNone},     {"pexpiretime", Tells::kMinusTwo},
  };
  for (auto [name, tells] : kTelling) tells_[index.Of(redis::FindCommand(name))] = tells;
  usage_.commands.resize(index.size());
}

void UsageCounter::Note(uint8_t command, nanoseconds latency, std::string_view reply) {
  CommandUse& use = usage_.commands[command];
  if (reply.starts_with('-')) {
    NoteError(reply);
    if (command == 0 || IsRejection(reply)) {
      ++use.rejected;
      return;
    }
    ++use.failed;
  } else if (tells_[command] != Tells::kNothing) {
    NoteLookup(tells_[command], reply);
  }
  ++use.calls;
  use.spent += latency;
  use.latency.Observe(latency);
}

void UsageCounter::NoteError(std::string_view reply) {
  ++usage_.error_replies;
  std::string_view code = reply.substr(1, reply.find_first_of(" \r", 1) - 1);
  auto it = usage_.errors.find(code);
  if (it == usage_.errors.end()) {
    if (usage_.errors.size() >= kMostErrorCodes) code = "OTHER";
    it = usage_.errors.emplace(std::string(code), 0).first;
  }
  ++it->second;
}

void UsageCounter::NoteLookup(Tells tells, std::string_view reply) {
  bool missed = false;
  switch (tells) {
    case Tells::kNothing:
      return;
    case Tells::kNulls:
      return CountElements(reply);
    case Tells::kNull:
      missed = IsNull(reply);
      break;
    case Tells::kMinusTwo:
      missed = reply == ":-2\r\n";
      break;
    case Tells::kNone:
      missed = reply == "+none\r\n";
      break;
  }
  ++(missed ? usage_.misses : usage_.hits);
}

// Bulk strings and nulls; stops at anything else.
void UsageCounter::CountElements(std::string_view array) {
  size_t at = array.find('\n') + 1;
  while (at != 0 && at < array.size()) {
    std::string_view element = array.substr(at);
    size_t head = element.find('\n') + 1;
    if (IsNull(element)) {
      ++usage_.misses;
      at += head;
      continue;
    }
    size_t bytes = 0;
    auto parsed = std::from_chars(element.data() + 1, element.data() + element.size(), bytes);
    bool whole = head > 0 && parsed.ec == std::errc() && bytes <= element.size();
    if (element[0] != '$' || !whole) return;
    ++usage_.hits;
    at += head + bytes + 2;
  }
}

CommandUsage UsageCounter::Take() {
  CommandUsage taken = std::exchange(usage_, {});
  usage_.commands.resize(taken.commands.size());
  return taken;
}

// --- UsageTotals.

void UsageTotals::Add(const CommandUsage& share, const Traffic& traffic, Clock::Duration now) {
  int64_t number = now / kSpan;
  MutexLock lock(mu_);
  usage_.Add(share);
  Span& span = spans_[static_cast<size_t>(number) % spans_.size()];
  if (span.number > number) return;  // a thread that had nothing to do for long
  if (span.number < number) span = {number, {}};
  span.traffic.commands += traffic.commands;
  span.traffic.received += traffic.received;
  span.traffic.sent += traffic.sent;
}

CommandUsage UsageTotals::Get() const {
  MutexLock lock(mu_);
  return usage_;
}

Traffic UsageTotals::Rate(Clock::Duration now) const {
  int64_t number = now / kSpan;
  MutexLock lock(mu_);
  auto size = static_cast<int64_t>(spans_.size());
  Traffic sum;
  for (const Span& span : spans_) {
    if (span.number > number || span.number <= number - size) continue;
    sum.commands += span.traffic.commands;
    sum.received += span.traffic.received;
    sum.sent += span.traffic.sent;
  }
  auto seconds = static_cast<uint64_t>(size * kSpan / std::chrono::seconds(1));
  return {sum.commands / seconds, sum.received / seconds, sum.sent / seconds};
}

void UsageTotals::Reset() {
  MutexLock lock(mu_);
  usage_ = {};
  spans_ = {};
}

}  // namespace kdb::proxy
