#include "pkg/meta/catalog_text_test.h"

#include <fmt/format.h>

#include <map>
#include <sstream>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/status.h"
#include "pkg/shard/slot.h"

namespace kdb::meta {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

class Words {
 public:
  explicit Words(const std::string& line) {
    std::vector<std::string> words = Split(line, ' ');
    if (!words.empty()) kind_ = words[0];
    for (size_t i = 1; i < words.size(); ++i) {
      size_t eq = words[i].find('=');
      if (eq != std::string::npos) values_[words[i].substr(0, eq)] = words[i].substr(eq + 1);
    }
  }
  const std::string& kind() const { return kind_; }
  const std::string& Text(const std::string& key) { return values_[key]; }
  uint64_t Number(const std::string& key) { return std::stoull(Text(key)); }
  // "id@address/uuid"; without ids they count from 1 in the order given.
  void Servers(google::protobuf::RepeatedPtrField<catalog::Member>* members) {
    for (std::string server : Split(Text("servers"), ',')) {
      catalog::Member* member = members->Add();
      member->set_id(static_cast<uint64_t>(members->size()));
      if (size_t at = server.find('@'); at != std::string::npos) {
        member->set_id(std::stoull(server.substr(0, at)));
        server.erase(0, at + 1);
      }
      size_t slash = server.find('/');
      member->set_address(server.substr(0, slash));
      member->set_uuid(server.substr(slash + 1));
    }
  }

 private:
  std::string kind_;
  std::map<std::string, std::string> values_;
};

std::string MembersText(const catalog::Group& group) {
  std::string text;
  for (const catalog::Member& m : group.members()) {
    text += fmt::format(" {}={}/{}", m.id(), m.address(), m.uuid());
    if (m.role() == catalog::Member::LEARNER) text += "(learner)";
  }
  if (group.members_index() != 0) text += fmt::format(" since {}", group.members_index());
  return text;
}

}  // namespace

absl::StatusOr<metalog::Command> ParseCommand(const std::string& line) {
  Words words(line);
  metalog::Command command;
  const std::string& kind = words.kind();
  if (kind == "nothing") return command;
  if (kind == "register") {
    command.mutable_register_group()->set_gid(words.Number("gid"));
    words.Servers(command.mutable_register_group()->mutable_members());
  } else if (kind == "birth") {
    catalog::BirthCertificate* birth = command.mutable_decide_birth()->mutable_certificate();
    birth->set_cluster_id(words.Text("cluster"));
    birth->set_gid(words.Number("gid"));
    for (const std::string& word : Split(words.Text("seed"), ',')) {
      birth->add_hash_seed(std::stoull(word));
    }
    words.Servers(birth->mutable_members());
  } else if (kind == "joined") {
    command.mutable_mark_joined()->set_gid(words.Number("gid"));
  } else if (kind == "leave") {
    command.mutable_leave()->set_gid(words.Number("gid"));
  } else if (kind == "assign") {
    command.mutable_assign_slots()->set_gid(words.Number("gid"));
    for (const std::string& part : Split(words.Text("slots"), ',')) {
      std::vector<std::string> ends = Split(part, '-');
      for (uint64_t s = std::stoull(ends.front()); s <= std::stoull(ends.back()); ++s) {
        command.mutable_assign_slots()->add_slots(static_cast<uint32_t>(s));
      }
    }
  } else if (kind == "owned") {
    command.mutable_slots_owned()->set_gid(words.Number("gid"));
    command.mutable_slots_owned()->set_assignment(words.Number("assignment"));
  } else if (kind == "leader") {
    command.mutable_report_leader()->set_gid(words.Number("gid"));
    command.mutable_report_leader()->set_leader(words.Number("member"));
    command.mutable_report_leader()->set_term(words.Number("term"));
  } else if (kind == "members") {
    command.mutable_report_members()->set_gid(words.Number("gid"));
    command.mutable_report_members()->set_index(words.Number("index"));
    words.Servers(command.mutable_report_members()->mutable_members());
  } else {
    return absl::InvalidArgumentError(fmt::format("unknown command: {}", line));
  }
  return command;
}

std::string ResultText(const metalog::Result& result) {
  std::string code = absl::StatusCodeToString(static_cast<absl::StatusCode>(result.code()));
  return result.code() == 0 ? fmt::format("OK version {}\n", result.version())
                            : fmt::format("{}: {}\n", code, result.message());
}

std::string StateText(const metalog::State& state) {
  const catalog::Catalog& catalog = state.catalog();
  std::string text =
      fmt::format("cluster {} version {}\n", catalog.cluster_id(), catalog.version());
  if (catalog.meta().members_index() != 0) {
    text += fmt::format("meta{}\n", MembersText(catalog.meta()));
  }
  for (const catalog::Group& group : catalog.groups()) {
    text += fmt::format("group {} {}{}", group.gid(), catalog::Group::State_Name(group.state()),
                        MembersText(group));
    if (group.leader() != 0) {
      text += fmt::format(" leader {} term {}", group.leader(), group.leader_term());
    }
    text += "\n";
  }
  for (const catalog::SlotRange& range : catalog.slots()) {
    text += fmt::format("slots {}-{} group {} epoch {}\n", range.first(), range.last(), range.gid(),
                        range.epoch());
  }
  for (const catalog::BirthCertificate& birth : state.births()) {
    text += fmt::format("birth of {}: {} members\n", birth.gid(), birth.members_size());
  }
  for (const metalog::Assignment& a : state.assignments()) {
    std::vector<shard::Slot> slots(a.slots().begin(), a.slots().end());
    text += fmt::format("assignment {} to group {} epoch {}: {}\n", a.index(), a.gid(), a.epoch(),
                        shard::FormatSlots(slots));
  }
  for (uint64_t gid : state.retired()) text += fmt::format("retired {}\n", gid);
  return text;
}

catalog::BirthCertificate MetaBirth() {
  catalog::BirthCertificate birth;
  birth.set_cluster_id("c1");
  birth.add_hash_seed(1);
  birth.add_hash_seed(2);
  for (uint64_t id = 1; id <= 3; ++id) {
    catalog::Member* member = birth.add_members();
    member->set_id(id);
    member->set_uuid(fmt::format("m{}", id));
    member->set_address(fmt::format("10.0.0.{}:8088", id));
  }
  return birth;
}

}  // namespace kdb::meta
