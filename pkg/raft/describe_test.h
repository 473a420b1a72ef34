// Raft's values as text for golden files.
#pragma once

#include <string>
#include <vector>

#include "pkg/raft/raft.h"

namespace kdb::raft {

std::string Describe(const Entry& e);
std::string Describe(const std::vector<Entry>& entries);
std::string Describe(const ConfState& conf);
std::string Describe(const Message& m);
std::string Describe(const ProgressStatus& p);
// One line: role, term, leader.
std::string DescribeRole(const RaftStatus& s);
// Lines, indented.
std::string Describe(const Ready& r);

}  // namespace kdb::raft
