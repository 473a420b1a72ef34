#include "pkg/proxy/local_shards.h"

#include <memory>
#include <utility>

namespace kdb::proxy {

void AskAllShards(routing::Router& router, Executor& executor, const redis::Command& command,
                  routing::RepliesDone done) {
  // Shared by the answer and the timer; null when one of them came.
  auto waiting = std::make_shared<routing::RepliesDone>(std::move(done));
  auto finish = [waiting](std::vector<std::string> replies) {
    if (routing::RepliesDone call = std::exchange(*waiting, nullptr)) call(std::move(replies));
  };
  executor.PostAfter(kShardsPatience, [finish] {
    finish({"-TIMEOUT no answer from every shard group in time\r\n"});
  });
  router.SubmitToAll(command, {command.name}, resp::Version::kResp2, finish);
}

}  // namespace kdb::proxy
