// change_value DIR KEY: changes the value of a string in the engine of a kv server that does not
// run, as a program would that has a bug: all checksums are right. For hash_check_test.py.
#include <fmt/format.h>

#include <cstdio>

#include "pkg/base/status.h"
#include "pkg/env/file_system.h"
#include "pkg/exec/encoding.h"
#include "pkg/rocks/rocks_engine.h"
#include "pkg/shard/slot.h"

namespace kdb {
namespace {

absl::Status Change(const std::string& dir, const std::string& key) {
  std::unique_ptr<FileSystem> fs = NewPosixFileSystem();
  KDB_ASSIGN_OR_RETURN(auto engine, rocks::OpenRocksEngine(*fs, dir, rocks::Options()));
  std::string record_key, record;
  exec::HeadKey(shard::SlotOf(key), key, &record_key);
  KDB_ASSIGN_OR_RETURN(bool found, engine->Get(record_key, &record));
  if (!found) return absl::NotFoundError(fmt::format("{} is not in {}", key, dir));
  record.back() = static_cast<char>(record.back() ^ 1);
  auto batch = engine->NewBatch();
  batch->Put(record_key, record);
  KDB_RETURN_IF_ERROR(engine->Write(*batch));
  return engine->Flush();
}

}  // namespace
}  // namespace kdb

int main(int argc, char** argv) {
  absl::Status status = argc == 3 ? kdb::Change(argv[1], argv[2])
                                  : absl::InvalidArgumentError("usage: change_value DIR KEY");
  if (status.ok()) return 0;
  fmt::print(stderr, "change_value: {}\n", status.ToString());
  return 1;
}
