// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kdb {

using SipKey = std::array<uint64_t, 2>;

uint64_t SipHash24(const SipKey& key, std::string_view data);

}  // namespace kdb
