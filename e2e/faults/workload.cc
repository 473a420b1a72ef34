#include "e2e/faults/workload.h"

#include <fmt/format.h>

#include "e2e/faults/client.h"

namespace kdb::e2e {
namespace {

using testing::OpKind;

constexpr uint32_t kMostUnknown = 3;  // per key
constexpr uint32_t kMostUses = 600;
constexpr char kFamilies[] = {'s', 'n', 'l'};

}  // namespace

KeySpace::KeySpace(std::string prefix, size_t keys)
    : prefix_(std::move(prefix)), keys_(keys), slots_(std::size(kFamilies) * keys) {}

KeySpace::Choice KeySpace::Choose(OpKind kind, Random& random) {
  size_t family = random.Uniform(std::size(kFamilies));
  if (kind == OpKind::kSet || kind == OpKind::kDel) family = 0;
  if (kind == OpKind::kIncr) family = 1;
  if (kind == OpKind::kAppend) family = 2;
  size_t number = random.Uniform(keys_);
  size_t at = family * keys_ + number;
  Slot& slot = slots_[at];
  if (slot.uses.fetch_add(1) >= kMostUses) Retire(slot);
  return {at,
          fmt::format("{}:{}{}.{}", prefix_, kFamilies[family], number, slot.generation.load())};
}

void KeySpace::CountUnknown(size_t slot) {
  if (slots_[slot].unknown.fetch_add(1) + 1 >= kMostUnknown) Retire(slots_[slot]);
}

void KeySpace::Retire(Slot& slot) {
  slot.generation.fetch_add(1);
  slot.uses.store(0);
  slot.unknown.store(0);
}

std::vector<Workload::Call> Workload::Next() {
  size_t commands = 1;
  if (random_.OneIn(3)) commands = 2 + random_.Uniform(7);
  if (random_.OneIn(20)) commands = 9 + random_.Uniform(56);
  std::vector<Call> calls;
  for (size_t i = 0; i < commands; ++i) calls.push_back(NextCall());
  return calls;
}

Workload::Call Workload::NextCall() {
  static constexpr OpKind kMix[] = {OpKind::kGet, OpKind::kGet,  OpKind::kGet,  OpKind::kSet,
                                    OpKind::kSet, OpKind::kIncr, OpKind::kIncr, OpKind::kAppend};
  Call call;
  call.op.kind = random_.OneIn(30) ? OpKind::kDel : kMix[random_.Uniform(std::size(kMix))];
  KeySpace::Choice choice = keys_.Choose(call.op.kind, random_);
  call.slot = choice.slot;
  call.op.key = std::move(choice.key);
  call.op.client = client_;
  if (call.op.kind == OpKind::kIncr)
    call.op.argument = std::string("1");  // GCC 12 warns about assign(const char*)
  if (call.op.kind == OpKind::kSet || call.op.kind == OpKind::kAppend) {
    call.op.argument = fmt::format("{}-{},", client_, ++sequence_);
  }
  return call;
}

void Encode(const testing::Operation& op, std::string* out) {
  switch (op.kind) {
    case OpKind::kGet:
      return EncodeCommand({"GET", op.key}, out);
    case OpKind::kSet:
      return EncodeCommand({"SET", op.key, op.argument}, out);
    case OpKind::kDel:
      return EncodeCommand({"DEL", op.key}, out);
    case OpKind::kIncr:
      return EncodeCommand({"INCRBY", op.key, op.argument}, out);
    case OpKind::kAppend:
      return EncodeCommand({"APPEND", op.key, op.argument}, out);
  }
}

}  // namespace kdb::e2e
