#include "pkg/redis/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "pkg/base/check.h"
#include "pkg/redis/ascii.h"
#include "pkg/redis/parse.h"
#include "pkg/redis/rows.h"

namespace kdb::redis {
namespace {

std::string_view UpToNul(std::string_view text) { return text.substr(0, text.find('\0')); }

// All rows in order, and an open-addressed hash of their names. Built once, then constant.
class Table {
 public:
  Table() {
    for (const Subcommands family : {ConnectionCommands(), GenericCommands(), ServerCommands(),
                                     ShardgroupCommands(), StringCommands()}) {
      for (const Command& command : family) rows_.push_back(&command);
    }
    std::sort(rows_.begin(), rows_.end(),
              [](const Command* a, const Command* b) { return a->name < b->name; });
    KDB_CHECK(rows_.size() * 2 <= kBuckets, "{} commands", rows_.size());
    for (const Command* row : rows_) {
      size_t bucket = Bucket(row->name);
      while (buckets_[bucket] != nullptr) bucket = (bucket + 1) % kBuckets;
      buckets_[bucket] = row;
    }
  }

  const std::vector<const Command*>& rows() const { return rows_; }

  const Command* Find(std::string_view name) const {
    for (size_t bucket = Bucket(name);; bucket = (bucket + 1) % kBuckets) {
      const Command* row = buckets_[bucket];
      if (row == nullptr || EqualsIgnoreCase(row->name, name)) return row;
    }
  }

 private:
  static constexpr int kBucketBits = 9;
  static constexpr size_t kBuckets = size_t{1} << kBucketBits;

  // By the first eight bytes, their case bits set, and the length: cheap, and nearly without
  // collisions.
  static size_t Bucket(std::string_view name) {
    uint64_t head = 0;
    if (!name.empty()) std::memcpy(&head, name.data(), std::min(name.size(), sizeof(head)));
    head = (head | 0x2020202020202020u) + name.size();
    return (head * 0x9e3779b97f4a7c15u) >> (64 - kBucketBits);
  }

  std::vector<const Command*> rows_;
  std::array<const Command*, kBuckets> buckets_{};
};

const Table& TheTable() {
  static const Table kTable;
  return kTable;
}

// In Redis's words; it takes arguments for C strings.
absl::Status UnknownCommand(std::span<const std::string_view> args) {
  constexpr size_t kShown = 128;
  std::string shown;
  for (size_t i = 1; i < args.size() && shown.size() < kShown; ++i) {
    shown += fmt::format("'{}' ", UpToNul(args[i]).substr(0, kShown - shown.size()));
  }
  return absl::InvalidArgumentError(
      fmt::format("ERR unknown command '{}', with args beginning with: {}",
                  UpToNul(args[0]).substr(0, kShown), shown));
}

absl::Status UnknownSubcommand(std::string_view container, std::string_view name) {
  return absl::InvalidArgumentError(fmt::format("ERR unknown subcommand '{}'. Try {} HELP.",
                                                UpToNul(name).substr(0, 128),
                                                ToUpper(UpToNul(container))));
}

// MSET and MSETNX: judged before the keys are looked for, which lie elsewhere when one is missing.
bool LacksAValue(const Command& command, size_t arguments) {
  return command.last_key < 0 && command.key_step == 2 && arguments % 2 == 0;
}

}  // namespace

std::span<const Command* const> AllCommands() { return TheTable().rows(); }

const Command* FindCommand(std::string_view name) { return TheTable().Find(name); }

const Command* FindSubcommand(const Command& container, std::string_view name) {
  for (const Command& row : container.subcommands) {
    if (EqualsIgnoreCase(row.name.substr(container.name.size() + 1), name)) return &row;
  }
  return nullptr;
}

const Command* FindByFullName(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == name.npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

absl::Status Resolve(std::span<const std::string_view> args, const Command** command) {
  KDB_DCHECK(!args.empty());
  const Command* row = FindCommand(args[0]);
  if (row == nullptr) return UnknownCommand(args);
  if (!row->subcommands.empty() && args.size() > 1) {
    row = FindSubcommand(*row, args[1]);
    if (row == nullptr) return UnknownSubcommand(args[0], args[1]);
  }
  *command = row;
  if (!ArityMatches(*row, args.size()) || LacksAValue(*row, args.size())) {
    return WrongArgumentCount(row->name);
  }
  return absl::OkStatus();
}

bool ArityMatches(const Command& command, size_t arguments) {
  const auto n = static_cast<int64_t>(arguments);
  return command.arity >= 0 ? n == command.arity : n >= -command.arity;
}

void KeyPositions(const Command& command, std::span<const std::string_view> args,
                  std::vector<int>* positions) {
  positions->clear();
  if (command.first_key == 0) return;
  const int count = static_cast<int>(args.size());
  const int last = command.last_key >= 0 ? command.last_key : count + command.last_key;
  for (int i = command.first_key; i <= last; i += command.key_step) positions->push_back(i);
}

}  // namespace kdb::redis
