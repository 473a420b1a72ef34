// Package sandbox runs this program again in namespaces of its own: processes, mounts and network. When that program ends,
// however it ends, the kernel ends all its processes and takes back its mounts and interfaces: nothing is left to tear down.
package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

const variable = "KDB_CHAOS_SANDBOX" // set inside

// Inside reports whether this program is the one that runs in the namespaces.
func Inside() bool { return os.Getenv(variable) == "1" }

// Run starts this program inside, with `run` and these arguments, and waits for it; signals are passed on. An error: this machine does not permit it, and
// nothing was run.
func Run(args []string) (exitCode int, err error) {
	runtime.LockOSThread() // Pdeathsig goes by the thread that started the child
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	inner := command(args)
	if err := inner.Start(); err != nil {
		return 0, fmt.Errorf("cannot have namespaces of my own: %w", err)
	}
	go func() {
		for s := range signals {
			_ = inner.Process.Signal(s)
		}
	}()
	err = inner.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if status := inner.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return inner.ProcessState.ExitCode(), nil
}

func command(args []string) *exec.Cmd {
	inner := exec.Command("/proc/self/exe", append([]string{"run"}, args...)...)
	inner.Args[0] = os.Args[0]
	inner.Stdin, inner.Stdout, inner.Stderr = nil, os.Stdout, os.Stderr
	inner.Env = append(os.Environ(), variable+"=1")
	inner.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // Ctrl-C comes by way of the outer program, once
	}
	if os.Geteuid() != 0 {
		inner.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		inner.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		inner.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return inner
}

// Prepare is for the inner program's start: mounts that nobody outside sees, and a place for names of network namespaces.
func Prepare() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	// Where iproute2 and nftables are, which is not in every user's PATH.
	return os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
}

// MountSmallDisk puts an empty file system of so many bytes on a directory.
func MountSmallDisk(directory string, bytes int64) error {
	return syscall.Mount("tmpfs", directory, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
}
