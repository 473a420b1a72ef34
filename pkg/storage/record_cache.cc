#include "pkg/storage/record_cache.h"

#include <utility>

namespace kdb::storage {
namespace {

constexpr size_t kMaxValueBytes = 1 << 10;
constexpr size_t kOverhead = 96;  // of two strings in a hash table that is not full

size_t Cost(std::string_view key, std::string_view value) {
  return key.size() + value.size() + kOverhead;
}

}  // namespace

const std::string* RecordCache::Find(std::string_view key) {
  if (auto it = young_.records.find(key); it != young_.records.end()) return &it->second;
  auto it = old_.records.find(key);
  if (it == old_.records.end()) return nullptr;
  std::string value = std::move(it->second);
  old_.bytes -= Cost(key, value);
  old_.records.erase(it);
  Add(key, value);
  auto moved = young_.records.find(key);
  return moved == young_.records.end() ? nullptr : &moved->second;
}

void RecordCache::Add(std::string_view key, std::string_view value) {
  Erase(key);
  size_t cost = Cost(key, value);
  if (value.size() > kMaxValueBytes || cost > max_generation_bytes_) return;
  if (young_.bytes + cost > max_generation_bytes_) {
    old_ = std::exchange(young_, {});
  }
  young_.records.emplace(key, value);
  young_.bytes += cost;
}

void RecordCache::Update(std::string_view key, std::string_view value) {
  for (Generation* generation : {&young_, &old_}) {
    auto it = generation->records.find(key);
    if (it == generation->records.end()) continue;
    if (value.size() > kMaxValueBytes) return Erase(key);
    generation->bytes += value.size();
    generation->bytes -= it->second.size();
    it->second = value;
    return;
  }
}

void RecordCache::Erase(std::string_view key) {
  Drop(young_, key);
  Drop(old_, key);
}

void RecordCache::Drop(Generation& generation, std::string_view key) {
  auto it = generation.records.find(key);
  if (it == generation.records.end()) return;
  generation.bytes -= Cost(it->first, it->second);
  generation.records.erase(it);
}

void RecordCache::Clear() {
  young_ = {};
  old_ = {};
}

}  // namespace kdb::storage
