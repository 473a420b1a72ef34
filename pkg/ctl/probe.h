// Small questions to a running server.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace kdb::ctl {

// GET http://address/path: OK on 200, UNAVAILABLE with the body's first line otherwise.
absl::Status ProbeHttp(const std::string& address, const std::string& path);

// OK when a TCP port of the loopback address can be bound; ALREADY_EXISTS when something listens
// there.
absl::Status ProbePortFree(uint16_t port);

}  // namespace kdb::ctl
