// DEL UNLINK EXISTS TOUCH TYPE.
#include "pkg/exec/call.h"

namespace kdb::exec {
namespace {

absl::Status Del(Call& call) {
  int64_t deleted = 0;
  Entry entry;
  for (std::string_view key : call.args.subspan(1)) {
    KDB_RETURN_IF_ERROR(call.keys.FindForWrite(key, &entry));
    if (!entry.found()) continue;
    call.keys.Erase(entry);
    ++deleted;
  }
  call.reply.Integer(deleted);
  return absl::OkStatus();
}

// EXISTS and TOUCH: a key named twice counts twice.
absl::Status Exists(Call& call) {
  int64_t found = 0;
  Entry entry;
  for (std::string_view key : call.args.subspan(1)) {
    KDB_RETURN_IF_ERROR(call.keys.Find(key, &entry));
    if (entry.found()) ++found;
  }
  call.reply.Integer(found);
  return absl::OkStatus();
}

absl::Status TypeOf(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.Find(call.args[1], &entry));
  call.reply.Simple(entry.found() ? TypeName(entry.head().type) : "none");
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"del", Del}, {"unlink", Del}, {"exists", Exists}, {"touch", Exists}, {"type", TypeOf},
};

}  // namespace

std::span<const ExecutorRow> GenericKeyExecutors() { return kRows; }

}  // namespace kdb::exec
