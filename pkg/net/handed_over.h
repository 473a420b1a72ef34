// Connections that somebody else closes, and does not tell.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace kdb::net {

// Counts descriptors of sockets that were given away. Not thread-safe.
class HandedOver {
 public:
  // Still open here.
  void Add(int fd);
  // Forgets those that were closed meanwhile; a system call for each.
  void ForgetClosed();
  size_t size() const { return sockets_.size(); }

 private:
  // No two sockets have one inode, however often a descriptor's number comes again.
  struct Socket {
    int fd;
    ino_t inode;
  };

  std::vector<Socket> sockets_;
};

}  // namespace kdb::net
