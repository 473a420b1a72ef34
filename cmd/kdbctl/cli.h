// kdbctl's command line: which words call what.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "pkg/ctl/cluster.h"
#include "pkg/ctl/demo.h"
#include "pkg/ctl/kv_commands.h"
#include "pkg/ctl/member_commands.h"

namespace kdb {

// Binds options and subcommands to `app`; after a parse, Run calls what was asked for.
class Cli {
 public:
  explicit Cli(CLI::App& app);
  absl::Status Run() { return action_(); }

 private:
  using Action = std::function<absl::Status()>;

  CLI::App* Command(CLI::App& parent, const std::string& name, const std::string& help,
                    Action action);
  void AddDemo(CLI::App& app);
  void AddShard(CLI::App& app);
  void AddMaintenance(CLI::App& app);
  void AddMembers(CLI::App& app);
  // All but list name their group.
  CLI::App* AddMemberCommand(CLI::App& member, const std::string& name, const std::string& help,
                             Action action);
  void AddKv(CLI::App& app);

  ctl::ClusterOptions ClusterOptions() const;
  ctl::MemberCommands Members() const { return {ClusterOptions(), member_args_}; }
  ctl::KvCommands Kv() const;

  Action action_;
  std::vector<std::string> meta_ = {"127.0.0.1:12326", "127.0.0.1:12327", "127.0.0.1:12328"};
  std::string proxy_ = "127.0.0.1:12316";
  std::string password_;
  std::string output_ = "text";
  uint64_t timeout_s_ = 10;

  ctl::DemoOptions demo_;
  bool no_supervise_ = false;
  uint64_t gid_ = 0;
  uint64_t member_ = 0;
  std::string servers_, slots_, address_, level_;
  ctl::MemberArgs member_args_;
  CLI::Option* listed_group_ = nullptr;
  std::string key_, value_;
  uint64_t ttl_ms_ = 0;
  ctl::ScanArgs scan_;
};

}  // namespace kdb
