// What each command does to the catalog: pure functions of the state and the command, the same on
// every replica.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/meta_log.pb.h"

namespace kdb::meta {

// The newest semantics that this program applies, and those of a cluster at its birth.
inline constexpr uint32_t kApplyLevel = 1;
inline constexpr uint32_t kBirthLevel = 1;
// Of a catalog that was not changed since its birth: log index 1 is a leader's no-op, so changes
// come later.
inline constexpr uint64_t kBirthVersion = 1;

// The state of a cluster at its birth.
metalog::State InitialState(const catalog::BirthCertificate& birth);

// Executes `command`, logged at `index`. Every refusal is a result; the state is changed by nothing
// but successes, and the catalog's version becomes `index` exactly when the catalog changes.
// Repeating a command changes nothing.
metalog::Result ApplyCommand(const metalog::Command& command, uint64_t index,
                             metalog::State* state);

// The semantics that `command` needs: those that brought its kind, or the meaning that it has now.
uint32_t LevelOf(const metalog::Command& command);

// nullptr when there is none.
const catalog::Group* FindGroup(const metalog::State& state, uint64_t gid);
const catalog::BirthCertificate* FindBirth(const metalog::State& state, uint64_t gid);
// The address of a member; empty when the group has no such member.
std::string AddressOf(const catalog::Group& group, uint64_t member);
std::vector<std::string> AddressesOf(const catalog::Group& group);

}  // namespace kdb::meta
