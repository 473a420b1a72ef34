// INFO's sections.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/proxy/local_command.h"
#include "proto/meta.pb.h"

namespace kdb::proxy {

// Whether INFO with these lower-case arguments shows `section`: none, "default", "all" and
// "everything" show all.
bool InfoWants(const std::vector<std::string>& arguments, std::string_view section);
// The sections wanted that this process can answer itself, in Redis's order: "#
// Server\r\nname:value\r\n...", an empty line between two.
std::string InfoSections(const ProxyContext& proxy, const std::vector<std::string>& arguments);
// "# Meta": a block per meta server, as the original demo prints them; a line with the reason when
// meta does not answer.
std::string MetaSection(const absl::StatusOr<metapb::QueryReply>& meta);

}  // namespace kdb::proxy
