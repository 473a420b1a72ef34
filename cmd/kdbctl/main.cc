// kdbctl: the administrator's command line, and a whole cluster on one machine (kdbctl demo).

#include <signal.h>

#include "cmd/kdbctl/cli.h"
#include "cmd/process/process.h"

int main(int argc, char** argv) {
  kdb::process::BlockSignals();
  // For the supervisor: its thread waits for ended children.
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &chld, nullptr);

  CLI::App app("Administers an ERaftKDB cluster.", "kdbctl");
  app.set_version_flag("--version", std::string("kdbctl ") + kdb::process::kVersion);
  kdb::Cli cli(app);
  CLI11_PARSE(app, argc, argv);
  absl::Status status = cli.Run();
  return status.ok() ? 0 : kdb::process::Fail("kdbctl", status);
}
