// A whole cluster on one machine: servers as supervised child processes (kdbctl demo).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/ctl/supervisor.h"

namespace kdb::ctl {

struct DemoOptions {
  std::string dir = "kdb-demo";
  uint64_t port = 12306;  // of the first proxy; the others follow at fixed offsets (DemoLayout)
  uint64_t replicas = 3;  // of kv; meta has three
  uint64_t proxies = 1;
  bool fresh = false;  // remove the directory first
  bool supervise = true;
  std::string script;                 // a transcript to play (transcript.h); empty: none
  bool check = false;                 // stop after the script; an error unless it matched
  std::string binaries;               // directory of the servers' programs
  std::vector<std::string> kv_flags;  // more flags for every kv
};

struct DemoProcess {
  std::string name;     // "kv-0"
  std::string kind;     // "meta", "kv", "proxy"
  std::string address;  // gRPC; proxies: RESP
  std::string admin;    // HTTP
  std::string kv_api;   // proxies: gRPC
  std::string dir;      // data; proxies: none
  ChildSpec spec;
};

// All ports are offsets from `port`: proxies +0.., KV API +10.., meta +20.., kv +30.., admin of
// proxies, meta and kv +40.., +50.., +60.. . INVALID_ARGUMENT when the options do not fit.
absl::StatusOr<std::vector<DemoProcess>> DemoLayout(const DemoOptions& options);

// What is printed when the cluster serves: every address that a user may want.
std::string HowToConnect(const DemoOptions& options, const std::vector<DemoProcess>& processes);

// Runs in the foreground until SIGINT or SIGTERM (blocked by the caller, with SIGCHLD), or with
// `check` until the script is played. Prints progress to stdout.
absl::Status RunDemo(const DemoOptions& options);

}  // namespace kdb::ctl
