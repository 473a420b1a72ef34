// Package faults harms a cluster, and heals it. Every kind of fault is a small type in a file of its own.
package faults

import (
	"context"
	"math/rand"
	"strings"

	"eraftkdb/e2e/chaos/cluster"
)

// Fault is one thing that goes wrong, with its victims chosen.
type Fault interface {
	Kind() string // a row of the report
	// No other fault touches these servers meanwhile.
	Victims() []*cluster.Server
	// An error: it could not be done, and nothing is to be healed.
	Inject(ctx context.Context) error
	// An error: the cluster cannot be healed.
	Heal(ctx context.Context) error
}

// Planned is implemented by what an administrator does. Injected alone, no client may see an error.
type Planned interface{ Planned() }

// Maker chooses the victims of a fault among `env`'s free servers; nil: it cannot be done now.
type Maker func(env *Env) Fault

// Env is what faults are made of.
type Env struct {
	Cluster *cluster.Cluster
	Wires   *cluster.Wires // nil: the network has no faults
	Random  *rand.Rand
	busy    map[*cluster.Server]bool
}

// NewEnv is one in which no server is busy.
func NewEnv(c *cluster.Cluster, wires *cluster.Wires, random *rand.Rand) *Env {
	return &Env{Cluster: c, Wires: wires, Random: random, busy: map[*cluster.Server]bool{}}
}

// Claim keeps other faults away from the fault's victims until Release.
func (e *Env) Claim(fault Fault) {
	for _, s := range fault.Victims() {
		e.busy[s] = true
	}
}

// Release ends what Claim began.
func (e *Env) Release(fault Fault) {
	for _, s := range fault.Victims() {
		delete(e.busy, s)
	}
}

func (e *Env) free(servers ...*cluster.Server) bool {
	for _, s := range servers {
		if e.busy[s] || !s.Running() {
			return false
		}
	}
	return len(servers) > 0
}

// shuffled is a copy in random order.
func (e *Env) shuffled(servers []*cluster.Server) []*cluster.Server {
	copied := append([]*cluster.Server{}, servers...)
	e.Random.Shuffle(len(copied), func(i, j int) { copied[i], copied[j] = copied[j], copied[i] })
	return copied
}

// group is one at random.
func (e *Env) group() int { return 1 + e.Random.Intn(cluster.Groups) }

// members of a random group, so many; nil: not that many are free.
func (e *Env) members(n int) []*cluster.Server {
	some := e.shuffled(e.Cluster.Of(cluster.KV, e.group()))[:n]
	if !e.free(some...) {
		return nil
	}
	return some
}

// leader of a random group, if it is free.
func (e *Env) leader() *cluster.Server {
	leader := e.Cluster.Leader(e.group())
	if leader == nil || !e.free(leader) {
		return nil
	}
	return leader
}

func names(servers []*cluster.Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

func hosts(servers ...*cluster.Server) []int {
	var all []int
	for _, s := range servers {
		all = append(all, s.Host)
	}
	return all
}

// others are all servers but these.
func others(c *cluster.Cluster, these ...*cluster.Server) []*cluster.Server {
	chosen := map[*cluster.Server]bool{}
	for _, s := range these {
		chosen[s] = true
	}
	var rest []*cluster.Server
	for _, s := range c.Servers {
		if !chosen[s] {
			rest = append(rest, s)
		}
	}
	return rest
}
