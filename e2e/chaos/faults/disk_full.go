package faults

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"eraftkdb/e2e/chaos/cluster"
)

// diskFull leaves no room on the disks of some kv: a ballast file takes it, while the server goes on writing.
type diskFull struct {
	kind    string
	servers []*cluster.Server
}

const (
	roomLeft  = 256 << 10
	leastStep = 64 << 10
)

// DiskFull of one member of a group.
func DiskFull(env *Env) Fault { return newDiskFull(env, "disk full", env.members(1)) }

// DisksFull of all members of a group.
func DisksFull(env *Env) Fault { return newDiskFull(env, "disks of a group full", env.members(3)) }

func newDiskFull(env *Env, kind string, servers []*cluster.Server) Fault {
	if !env.Cluster.SmallDisks || servers == nil {
		return nil
	}
	return diskFull{kind, servers}
}

func (d diskFull) Kind() string               { return d.kind }
func (d diskFull) Victims() []*cluster.Server { return d.servers }

func (d diskFull) Inject(ctx context.Context) error {
	for _, s := range d.servers {
		if err := fill(s.Dir); err != nil {
			_ = d.Heal(ctx)
			return err
		}
	}
	return nil
}

func (d diskFull) Heal(context.Context) error {
	for _, s := range d.servers {
		if err := os.Remove(ballast(s.Dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func ballast(directory string) string { return filepath.Join(directory, "ballast") }

func fill(directory string) error {
	file, err := os.Create(ballast(directory))
	if err != nil {
		return err
	}
	defer file.Close()
	size := int64(0)
	for {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(directory, &disk); err != nil {
			return err
		}
		room := int64(disk.Bavail)*disk.Bsize - roomLeft
		if room <= 0 {
			return nil
		}
		step := room / 2
		if step < leastStep {
			step = leastStep
		}
		if err := syscall.Fallocate(int(file.Fd()), 0, size, step); errors.Is(err, syscall.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
		size += step
	}
}
