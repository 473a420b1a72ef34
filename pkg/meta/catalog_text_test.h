// Commands and states of the catalog as text, for golden tests.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/meta_log.pb.h"

namespace kdb::meta {

// A command from one line: a kind and key=value words.
//   register gid=1 servers=10.0.0.1:80/u1,10.0.0.2:80/u2
//   birth gid=1 servers=... cluster=c1 seed=1,2
//   joined gid=1 | leave gid=1 | assign gid=1 slots=0-3,9 | owned gid=1 assignment=7
//   leader gid=1 member=2 term=3 | nothing
absl::StatusOr<metalog::Command> ParseCommand(const std::string& line);

std::string ResultText(const metalog::Result& result);
// The catalog and what is beside it, one fact per line.
std::string StateText(const metalog::State& state);

// The certificate of a meta group of three for cluster "c1".
catalog::BirthCertificate MetaBirth();

}  // namespace kdb::meta
