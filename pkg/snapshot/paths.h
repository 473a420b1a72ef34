// Where a member keeps its state, and what is between a snapshot and that (FORMAT.md).
#pragma once

#include <string>

namespace kdb::snapshot {

struct Paths {
  std::string dir;    // the data directory
  std::string state;  // the engine's directory, in `dir`
  std::string log;    // the raft log's, in `dir`

  std::string incoming() const { return dir + "/incoming"; }  // being fetched
  std::string intent() const { return dir + "/install"; }     // `incoming` is whole and wanted
  std::string replaced() const { return dir + "/replaced"; }  // the state before it
};

}  // namespace kdb::snapshot
