package cluster

import (
	"bytes"
	"fmt"
	"os/exec"
	"sort"
	"strings"
	"sync"
)

// Network is where servers run: each has a host of its own, by number from 1.
type Network interface {
	// IPv4 address of a host, which servers and clients alike can reach.
	Address(host int) string
	// The command, to be run on that host.
	Command(host int, argv ...string) *exec.Cmd
	// The faults of Wires, or nil and why there are none.
	Wires() (*Wires, string)
}

// Loopback has no faults: all hosts are addresses of this machine's loopback.
type Loopback struct{ Reason string }

func (Loopback) Address(host int) string { return fmt.Sprintf("127.77.7.%d", host) }

func (Loopback) Command(_ int, argv ...string) *exec.Cmd { return exec.Command(argv[0], argv[1:]...) }

func (l Loopback) Wires() (*Wires, string) { return nil, l.Reason }

// Namespaces gives every host a network namespace, joined by a bridge. The program must be inside package sandbox's
// namespaces, and ends up with the address of host 254 there.
type Namespaces struct{ wires Wires }

const (
	bridge     = "bridge0"
	clientHost = 254
	rules      = "inet chaos" // nftables' table
)

// NewNamespaces makes hosts 1 to n.
func NewNamespaces(n int) (*Namespaces, error) {
	network := &Namespaces{wires: Wires{blocked: map[link]int{}, loss: map[int]int{}}}
	steps := [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "addr", "add", address(clientHost) + "/24", "dev", bridge},
		{"ip", "link", "set", bridge, "up"},
	}
	for host := 1; host <= n; host++ {
		steps = append(steps, hostSteps(host)...)
	}
	for _, step := range steps {
		if err := run(nil, step...); err != nil {
			return nil, err
		}
	}
	network.wires.delays = probeDelay()
	return network, nil
}

func hostSteps(host int) [][]string {
	name, port := namespace(host), fmt.Sprintf("port%d", host)
	return [][]string{
		{"ip", "netns", "add", name},
		{"ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name},
		{"ip", "link", "set", port, "master", bridge, "up"},
		{"ip", "-n", name, "addr", "add", address(host) + "/24", "dev", "eth0"},
		{"ip", "-n", name, "link", "set", "eth0", "up"},
		{"ip", "-n", name, "link", "set", "lo", "up"},
		inHost(host, "nft", "add table "+rules),
		inHost(host, "nft", "add chain "+rules+" input { type filter hook input priority 0 ; }"),
	}
}

func namespace(host int) string { return fmt.Sprintf("host%d", host) }

func address(host int) string { return fmt.Sprintf("10.77.7.%d", host) }

// nsenter becomes the command: its process id is the command's.
func inHost(host int, argv ...string) []string {
	return append([]string{"nsenter", "--net=/run/netns/" + namespace(host), "--"}, argv...)
}

func run(stdin []byte, argv ...string) error {
	command := exec.Command(argv[0], argv[1:]...)
	command.Stdin = bytes.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(output))
	}
	return nil
}

// Address implements Network.
func (*Namespaces) Address(host int) string { return address(host) }

// Command implements Network.
func (*Namespaces) Command(host int, argv ...string) *exec.Cmd {
	full := inHost(host, argv...)
	return exec.Command(full[0], full[1:]...)
}

// Wires implements Network.
func (n *Namespaces) Wires() (*Wires, string) { return &n.wires, "" }

type link struct{ from, to int }

// Wires are what can be wrong between hosts. Thread-safe. What several callers block is open again when all have unblocked it.
type Wires struct {
	delays  error // nil: this kernel can delay packets
	mu      sync.Mutex
	blocked map[link]int
	loss    map[int]int // percent of what the host receives
}

// Block drops all that goes from any host of `from` to any of `to`, the direction back excepted.
func (w *Wires) Block(from, to []int) error { return w.change(from, to, +1) }

// Unblock takes back one Block.
func (w *Wires) Unblock(from, to []int) error { return w.change(from, to, -1) }

func (w *Wires) change(from, to []int, by int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range to {
		for _, f := range from {
			if f != t {
				w.blocked[link{f, t}] += by
			}
		}
		if err := w.apply(t); err != nil {
			return err
		}
	}
	return nil
}

// Lose drops so many percent of the packets that the host receives, at random; 0: none.
func (w *Wires) Lose(host, percent int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss[host] = percent
	return w.apply(host)
}

// apply makes the host's rules those that are wanted, in one transaction. w.mu is held.
func (w *Wires) apply(host int) error {
	var sources []string
	for l, count := range w.blocked {
		if l.to == host && count > 0 {
			sources = append(sources, address(l.from))
		}
	}
	sort.Strings(sources)
	text := fmt.Sprintf("flush chain %s input\n", rules)
	if len(sources) > 0 {
		text += fmt.Sprintf("add rule %s input ip saddr { %s } drop\n", rules, strings.Join(sources, ", "))
	}
	if percent := w.loss[host]; percent > 0 {
		text += fmt.Sprintf("add rule %s input iifname eth0 numgen random mod 100 < %d drop\n", rules, percent)
	}
	return run([]byte(text), inHost(host, "nft", "-f", "-")...)
}

// CanDelay is nil, or says why Delay cannot work here.
func (w *Wires) CanDelay() error { return w.delays }

// Delay holds back all that the host sends for so many milliseconds, give or take a quarter; 0: no more.
func (w *Wires) Delay(host, milliseconds int) error {
	if milliseconds == 0 {
		return run(nil, "tc", "-n", namespace(host), "qdisc", "del", "dev", "eth0", "root")
	}
	return run(nil, "tc", "-n", namespace(host), "qdisc", "replace", "dev", "eth0", "root", "netem", "delay",
		fmt.Sprintf("%dms", milliseconds), fmt.Sprintf("%dms", milliseconds/4))
}

func probeDelay() error {
	err := run(nil, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
	if err != nil {
		return fmt.Errorf("this kernel has no netem (CONFIG_NET_SCH_NETEM): %w", err)
	}
	return run(nil, "tc", "qdisc", "del", "dev", "lo", "root")
}
