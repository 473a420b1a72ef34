// Package cluster runs a whole ERaftKDB of real processes: 3 meta, groups of 3 kv, proxies, each on a host of its own.
package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"eraftkdb/e2e/chaos/sandbox"
)

// Size of the cluster.
const (
	Groups  = 2
	Members = 3 // of a group, and of meta
	Proxies = 2
	Spares  = 2 // kv hosts that no server runs on at first

	hosts = Members + Groups*Members + Proxies + Spares
	slots = 1024
)

const (
	diskBytes = 256 << 20
	pollStep  = 50 * time.Millisecond
)

var startLimit = Scaled(60 * time.Second)

// Scaled is a limit for these servers: instrumented ones get KDB_SLOWDOWN times as long.
func Scaled(limit time.Duration) time.Duration {
	if factor, err := strconv.ParseFloat(os.Getenv("KDB_SLOWDOWN"), 64); err == nil && factor > 1 {
		return time.Duration(float64(limit) * factor)
	}
	return limit
}

// Options of a cluster.
type Options struct {
	Binaries   string // directory of the servers' programs
	Ctl        string // the kdbctl program
	Dir        string // data and logs
	SmallDisks bool   // a file system of its own for every kv: the program is inside package sandbox's namespaces
	OnEnd      func(string)
}

// Cluster is not changed after Start, the processes apart.
type Cluster struct {
	Options
	Network Network
	Servers []*Server
	spares  []*Server
}

// New lays the cluster out and makes its directories. Nothing runs yet.
func New(options Options, network Network) (*Cluster, error) {
	c := &Cluster{Options: options, Network: network}
	host := 0
	add := func(kind Kind, group int, name string) *Server {
		host++
		s := &Server{Name: name, Kind: kind, Group: group, Host: host,
			Address: fmt.Sprintf("%s:%d", network.Address(host), serverPort),
			Admin:   fmt.Sprintf("%s:%d", network.Address(host), adminPort),
			Dir:     filepath.Join(options.Dir, name),
			LogPath: filepath.Join(options.Dir, "logs", name+".log"),
			network: network, onEnd: options.OnEnd}
		return s
	}
	for i := 1; i <= Members; i++ {
		c.Servers = append(c.Servers, add(Meta, 0, fmt.Sprintf("meta-%d", i)))
	}
	for group := 1; group <= Groups; group++ {
		for i := 1; i <= Members; i++ {
			c.Servers = append(c.Servers, add(KV, group, fmt.Sprintf("kv-%d-%d", group, i)))
		}
	}
	for i := 1; i <= Proxies; i++ {
		c.Servers = append(c.Servers, add(Proxy, 0, fmt.Sprintf("proxy-%d", i)))
	}
	for i := 1; i <= Spares; i++ {
		c.spares = append(c.spares, add(KV, 0, fmt.Sprintf("kv-spare-%d", i)))
	}
	return c, c.prepare()
}

// Hosts is how many a network needs.
func Hosts() int { return hosts }

func (c *Cluster) prepare() error {
	if err := os.MkdirAll(filepath.Join(c.Dir, "logs"), 0o755); err != nil {
		return err
	}
	for _, s := range append(append([]*Server{}, c.Servers...), c.spares...) {
		s.argv = c.argv(s)
		if err := os.MkdirAll(s.Dir, 0o755); err != nil {
			return err
		}
		if s.Kind != KV || !c.SmallDisks {
			continue
		}
		if err := sandbox.MountSmallDisk(s.Dir, diskBytes); err != nil {
			return fmt.Errorf("mount %s: %w", s.Dir, err)
		}
	}
	return nil
}

func (c *Cluster) argv(s *Server) []string {
	argv := []string{filepath.Join(c.Binaries, "kdb-"+string(s.Kind)), "--instance", s.Name, "--listen", s.Address,
		"--admin-listen", s.Admin}
	meta := strings.Join(c.addresses(Meta, 0), ",")
	switch s.Kind {
	case Meta:
		argv = append(argv, "--data-dir", s.Data())
	case KV:
		// Small, so that in minutes memtables are flushed, segments are used again, and who was away for seconds fetches a snapshot.
		argv = append(argv, "--data-dir", s.Data(), "--meta", meta, "--segment-size", "2MiB", "--flush-log", "4MiB",
			"--log-keep", "1MiB", "--memtable", "4MiB")
	case Proxy:
		var kv []string
		for group := 1; group <= Groups; group++ {
			kv = append(kv, c.addresses(KV, group)...)
		}
		argv = append(argv, "--meta", meta, "--kv", strings.Join(kv, ","))
	}
	return argv
}

// Of returns the servers of a kind; group 0: of all groups.
func (c *Cluster) Of(kind Kind, group int) []*Server {
	var found []*Server
	for _, s := range c.Servers {
		if s.Kind == kind && (group == 0 || s.Group == group) {
			found = append(found, s)
		}
	}
	return found
}

func (c *Cluster) addresses(kind Kind, group int) []string {
	var found []string
	for _, s := range c.Of(kind, group) {
		found = append(found, s.Address)
	}
	return found
}

// ProxyAddresses are where Redis clients connect.
func (c *Cluster) ProxyAddresses() []string { return c.addresses(Proxy, 0) }

// Leader of a kv group, or of meta (group 0); nil: none that says so. Of two that do, the one of the newer term is
// unknown: either.
func (c *Cluster) Leader(group int) *Server {
	kind := KV
	if group == 0 {
		kind = Meta
	}
	for _, s := range c.Of(kind, group) {
		if s.Running() && s.Leads() {
			return s
		}
	}
	return nil
}

// Start brings the whole cluster up: meta bootstrapped, groups joined, slots owned, proxies ready.
func (c *Cluster) Start(ctx context.Context) error {
	for _, s := range c.Servers {
		if err := s.Start(); err != nil {
			return err
		}
	}
	if err := c.bringUp(ctx); err != nil {
		return fmt.Errorf("bringing the cluster up: %w", err)
	}
	return c.AwaitReady(ctx, startLimit)
}

func (c *Cluster) bringUp(ctx context.Context) error {
	commands := [][]string{{"bootstrap", strings.Join(c.addresses(Meta, 0), ",")}}
	for group := 1; group <= Groups; group++ {
		first, last := (group-1)*slots/Groups, group*slots/Groups-1
		commands = append(commands,
			[]string{"shard", "join", fmt.Sprint(group), strings.Join(c.addresses(KV, group), ",")},
			[]string{"shard", "move", fmt.Sprint(group), fmt.Sprintf("%d-%d", first, last)})
	}
	for _, command := range commands {
		if _, err := c.Admin(ctx, startLimit, command...); err != nil {
			return err
		}
	}
	return nil
}

// GroupOfSlot is the group that owns a slot.
func GroupOfSlot(slot int) int { return slot*Groups/slots + 1 }

// AwaitReady returns nil when every server is; an error that names those that are not when the limit is over.
func (c *Cluster) AwaitReady(ctx context.Context, limit time.Duration) error {
	patience := NewPatience(limit)
	for {
		waiting := c.notReady()
		if len(waiting) == 0 {
			return nil
		}
		if patience.Over() {
			return fmt.Errorf("not ready within %s: %s", limit, strings.Join(waiting, "; "))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollStep):
		}
	}
}

func (c *Cluster) notReady() []string {
	var waiting []string
	for _, s := range c.Servers {
		if !s.Ready() {
			waiting = append(waiting, s.Condition())
		}
	}
	return waiting
}

// Stop ends every server by SIGTERM: proxies first, meta last. Errors of servers that did not end cleanly.
func (c *Cluster) Stop() []error {
	var errs []error
	for _, kind := range []Kind{Proxy, KV, Meta} {
		servers := c.Of(kind, 0)
		ends := make(chan error, len(servers))
		for _, s := range servers {
			s := s
			go func() { ends <- s.Stop() }()
		}
		for range servers {
			if err := <-ends; err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// KillAll leaves no process.
func (c *Cluster) KillAll() {
	for _, s := range append(append([]*Server{}, c.Servers...), c.spares...) {
		s.Kill()
	}
}
