// INFO's sections.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/proxy/local_command.h"
#include "proto/meta.pb.h"

namespace kdb::proxy {

// Whether INFO with these lower-case arguments shows `section`: "all" and "everything" show all;
// none and "default" all but those of each command, commandstats and latencystats.
bool InfoWants(const std::vector<std::string>& arguments, std::string_view section);
// The sections wanted that this process can answer itself, in Redis's order: "#
// Server\r\nname:value\r\n...", an empty line between two. Counts of commands and bytes are as of a
// quarter of a second ago at most.
std::string InfoSections(const ProxyContext& proxy, const UsageTotals& usage,
                         const std::vector<std::string>& arguments);
// "# Keyspace" from each group's reply to redis::kKdbKeyspace. avg_ttl is 0, Redis's "not known".
std::string KeyspaceSection(const std::vector<std::string>& replies);
// "# Meta": a block per meta server, as the original demo prints them; a line with the reason when
// meta does not answer.
std::string MetaSection(const absl::StatusOr<metapb::QueryReply>& meta);

}  // namespace kdb::proxy
