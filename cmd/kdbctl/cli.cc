#include "cmd/kdbctl/cli.h"

#include <filesystem>

#include "cmd/process/process.h"
#include "pkg/config/addresses.h"

namespace kdb {
namespace {

std::string OwnDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

// Of a list, too: CLI11 checks before it splits what has a delimiter.
const CLI::Validator kAddresses(
    [](std::string& text) {
      std::string error;
      for (const std::string& address : CLI::detail::split(text, ',')) {
        if (error.empty()) error = std::string(config::IsPeerAddress(address).message());
      }
      return error;
    },
    "host:port", "addresses");

}  // namespace

Cli::Cli(CLI::App& app) {
  app.require_subcommand(1);
  app.add_option("--meta", meta_,
                 "host:port of meta servers, comma-separated (default: the demo's)")
      ->delimiter(',')
      ->check(kAddresses)
      ->envname("KDB_META");
  app.add_option("--proxy", proxy_, "host:port of a proxy's KV API")
      ->check(kAddresses)
      ->envname("KDB_PROXY")
      ->capture_default_str();
  app.add_option("--password", password_,
                 "One of the proxy's passwords, for get, put, del and scan (metadata kdb-password)")
      ->envname("KDB_PASSWORD");
  app.add_option("-o,--output", output_, "text or json")->check(CLI::IsMember({"text", "json"}));
  app.add_option("--timeout", timeout_s_, "Seconds")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  AddDemo(app);
  AddShard(app);
  AddMembers(app);
  AddMaintenance(app);
  AddKv(app);
}

CLI::App* Cli::Command(CLI::App& parent, const std::string& name, const std::string& help,
                       Action action) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->fallthrough();
  command->callback([this, action = std::move(action)] { action_ = action; });
  return command;
}

void Cli::AddDemo(CLI::App& app) {
  demo_.binaries = OwnDirectory();
  CLI::App* demo =
      Command(app, "demo", "Run a whole cluster on this machine, in the foreground", [this] {
        demo_.supervise = !no_supervise_;
        return ctl::RunDemo(demo_);
      });
  demo->add_option("--dir", demo_.dir, "Data, logs and demo.json")->capture_default_str();
  demo->add_option("--port", demo_.port, "Port of the first proxy")->capture_default_str();
  demo->add_option("--replicas", demo_.replicas, "kv servers")->capture_default_str();
  demo->add_option("--proxies", demo_.proxies, "Proxies")->capture_default_str();
  demo->add_flag("--fresh", demo_.fresh, "Remove the data of earlier runs first");
  demo->add_flag("--no-supervise", no_supervise_, "Do not restart a server that dies");
  demo->add_option("--script", demo_.script,
                   "Transcript to play; it joins the group and moves the slots itself");
  demo->add_flag("--check", demo_.check,
                 "Stop after the script; exit code 0 only when its output matched");
  demo->add_option("--binaries", demo_.binaries, "Directory of the servers' programs")
      ->capture_default_str();
  demo->add_option("--kv-flag", demo_.kv_flags, "One more argument for every kv server");
}

void Cli::AddShard(CLI::App& app) {
  CLI::App* shard = app.add_subcommand("shard", "Shard groups and slots");
  shard->require_subcommand(1);
  shard->fallthrough();
  Command(*shard, "query", "List groups, members and slots",
          [this] { return ctl::Cluster(ClusterOptions()).Query(); });
  CLI::App* join = Command(*shard, "join", "Make servers a group", [this] {
    return ctl::Cluster(ClusterOptions()).Join(gid_, CLI::detail::split(servers_, ','));
  });
  join->add_option("gid", gid_, "Group")->required();
  join->add_option("servers", servers_, "host:port, comma-separated")
      ->required()
      ->check(kAddresses);
  CLI::App* add =
      Command(*shard, "register", "Make a group's servers known, without joining it", [this] {
        return ctl::Cluster(ClusterOptions()).Register(gid_, CLI::detail::split(servers_, ','));
      });
  add->add_option("gid", gid_, "Group")->required();
  add->add_option("servers", servers_, "host:port, comma-separated")->required()->check(kAddresses);
  CLI::App* leave = Command(*shard, "leave", "Remove a group that owns no slots",
                            [this] { return ctl::Cluster(ClusterOptions()).Leave(gid_); });
  leave->add_option("gid", gid_, "Group")->required();
  CLI::App* move = Command(*shard, "move", "Give slots to a group",
                           [this] { return ctl::Cluster(ClusterOptions()).Move(gid_, slots_); });
  move->add_option("gid", gid_, "Group")->required();
  move->add_option("slots", slots_, "0-1023, or a list 1,5,9-20")->required();
}

CLI::App* Cli::AddMemberCommand(CLI::App& member, const std::string& name, const std::string& help,
                                Action action) {
  CLI::App* command = Command(member, name, help, std::move(action));
  command->add_option("gid", gid_, "Group; 0: meta")->required();
  return command;
}

void Cli::AddMembers(CLI::App& app) {
  constexpr const char* kMember = "Its id, as list shows it";
  constexpr const char* kNewServer =
      "host:port of a running server on an empty directory: the directory makes a member, so one "
      "that was wiped is a new member, at whichever address";
  CLI::App* member = app.add_subcommand(
      "member",
      "Members of a group: one change at a time, carried out by the group's leader; a call may be "
      "repeated");
  member->require_subcommand(1);
  member->fallthrough();
  member
      ->add_option("--server", member_args_.server,
                   "host:port of a member of the group, to ask it and not meta")
      ->check(kAddresses);
  member->add_option("--cluster", member_args_.cluster_id,
                     "Cluster id: servers of another cluster refuse the call");
  CLI::App* list = Command(*member, "list", "Show members as their leader sees them", [this] {
    return listed_group_->count() > 0 ? Members().List(gid_) : Members().ListAll();
  });
  listed_group_ = list->add_option("gid", gid_, "Group; 0: meta; without it: all");
  CLI::App* add = AddMemberCommand(
      *member, "add", "Add a server as a learner, which votes as soon as it has caught up",
      [this] { return Members().Add(gid_, address_); });
  add->add_option("server", address_, kNewServer)->required()->check(kAddresses);
  CLI::App* replace =
      AddMemberCommand(*member, "replace",
                       "Add a server as a learner, which takes a member's place in one step when "
                       "it has caught up; for members that are dead, damaged or wiped",
                       [this] { return Members().Replace(gid_, member_, address_); });
  replace->add_option("member", member_, kMember)->required();
  replace->add_option("server", address_, kNewServer)->required()->check(kAddresses);
  for (CLI::App* command : {add, replace}) {
    command->add_flag("--wait", member_args_.wait, "Until the new member votes, or --timeout");
  }
  AddMemberCommand(*member, "remove", "Remove a member; its server is to be stopped then",
                   [this] { return Members().Remove(gid_, member_); })
      ->add_option("member", member_, kMember)
      ->required();
  CLI::App* update =
      AddMemberCommand(*member, "update", "Say that a member's server is at another address now",
                       [this] { return Members().Update(gid_, member_, address_); });
  update->add_option("member", member_, kMember)->required();
  update->add_option("server", address_, "host:port where its server runs, on its directory")
      ->required()
      ->check(kAddresses);
}

void Cli::AddMaintenance(CLI::App& app) {
  Command(app, "status", "Show groups, members, leader, term, lag, slots, keys, bytes",
          [this] { return ctl::Cluster(ClusterOptions()).Status(); });
  CLI::App* bootstrap =
      Command(app, "bootstrap", "Make servers the meta group, once in a cluster's life", [this] {
        return ctl::Cluster(ClusterOptions()).Bootstrap(CLI::detail::split(servers_, ','));
      });
  bootstrap->add_option("servers", servers_, "host:port of all meta servers, comma-separated")
      ->required()
      ->check(kAddresses);
  CLI::App* transfer =
      Command(app, "transfer-leader", "Hand leadership of a group to a member",
              [this] { return ctl::Cluster(ClusterOptions()).TransferLeader(gid_, member_); });
  transfer->add_option("gid", gid_, "Group; 0: meta")->required();
  transfer->add_option("member", member_, "Member id, as status shows it")->required();
  CLI::App* level = Command(app, "log-level", "Change a server's log level", [this] {
    return ctl::Cluster(ClusterOptions()).SetLogLevel(address_, level_);
  });
  level->add_option("server", address_, "host:port of its gRPC port")
      ->required()
      ->check(kAddresses);
  level->add_option("level", level_, "trace, debug, info, warn, error")->required();
}

void Cli::AddKv(CLI::App& app) {
  CLI::App* get = Command(app, "get", "Print a key's value", [this] { return Kv().Get(key_); });
  get->add_option("key", key_)->required();
  CLI::App* put = Command(app, "put", "Set a key",
                          [this] { return Kv().Put(key_, value_, static_cast<int64_t>(ttl_ms_)); });
  put->add_option("key", key_)->required();
  put->add_option("value", value_)->required();
  put->add_option("--ttl-ms", ttl_ms_, "Expires after so many milliseconds");
  CLI::App* del = Command(app, "del", "Delete a key", [this] { return Kv().Delete(key_); });
  del->add_option("key", key_)->required();
  CLI::App* scan = Command(app, "scan", "Print keys and values in key order",
                           [this] { return Kv().Scan(scan_); });
  scan->add_option("--start", scan_.start, "First key");
  scan->add_option("--end", scan_.end, "Key to stop before");
  scan->add_option("--prefix", scan_.prefix, "Only keys that begin with it");
  scan->add_flag("--reverse", scan_.reverse, "Descending");
  scan->add_flag("--keys-only", scan_.keys_only, "Without values");
  scan->add_option("--limit", scan_.limit, "At most so many; 0: all");
}

ctl::ClusterOptions Cli::ClusterOptions() const {
  return {.meta = meta_,
          .timeout = std::chrono::seconds(timeout_s_),
          .output = output_ == "json" ? ctl::Output::kJson : ctl::Output::kText};
}

ctl::KvCommands Cli::Kv() const {
  return {proxy_, password_, std::chrono::seconds(timeout_s_),
          output_ == "json" ? ctl::Output::kJson : ctl::Output::kText};
}

}  // namespace kdb
