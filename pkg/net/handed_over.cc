#include "pkg/net/handed_over.h"

#include <sys/stat.h>

namespace kdb::net {
namespace {

// 0: not a socket. Inodes are of the one file system that has all sockets.
ino_t SocketInode(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

}  // namespace

void HandedOver::Add(int fd) { sockets_.push_back({fd, SocketInode(fd)}); }

void HandedOver::ForgetClosed() {
  std::erase_if(sockets_, [](const Socket& s) { return SocketInode(s.fd) != s.inode; });
}

}  // namespace kdb::net
