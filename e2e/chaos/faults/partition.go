package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// partition drops what hosts send to one another, in the directions named.
type partition struct {
	kind    string
	wires   *cluster.Wires
	victims []*cluster.Server
	blocked []direction
}

type direction struct{ from, to []int }

// isolate cuts one server off, in one direction or both, from all others or only from its group's members: then the proxies
// still reach it.
func isolate(env *Env, kind string, victim *cluster.Server, hears, speaks bool) Fault {
	if env.Wires == nil || victim == nil {
		return nil
	}
	rest := others(env.Cluster, victim)
	if victim.Kind == cluster.KV && env.Random.Intn(2) == 0 {
		rest = nil
		for _, s := range env.Cluster.Of(cluster.KV, victim.Group) {
			if s != victim {
				rest = append(rest, s)
			}
		}
	}
	p := partition{kind: kind, wires: env.Wires, victims: []*cluster.Server{victim}}
	if !hears {
		p.blocked = append(p.blocked, direction{hosts(rest...), hosts(victim)})
	}
	if !speaks {
		p.blocked = append(p.blocked, direction{hosts(victim), hosts(rest...)})
	}
	return p
}

// IsolateLeader of a group, both ways.
func IsolateLeader(env *Env) Fault {
	return isolate(env, "leader isolated", env.leader(), false, false)
}

// LeaderWithProxy cuts a leader and a proxy off together: that proxy's clients must not read what is no longer so.
func LeaderWithProxy(env *Env) Fault {
	leader, proxy := env.leader(), env.shuffled(env.Cluster.Of(cluster.Proxy, 0))[0]
	if env.Wires == nil || leader == nil || !env.free(proxy) {
		return nil
	}
	victims := []*cluster.Server{leader, proxy}
	these, rest := hosts(victims...), hosts(others(env.Cluster, victims...)...)
	return partition{kind: "leader and a proxy cut off together", wires: env.Wires, victims: victims,
		blocked: []direction{{these, rest}, {rest, these}}}
}

// DeafLeader sends, but does not hear.
func DeafLeader(env *Env) Fault {
	return isolate(env, "leader sends, does not hear", env.leader(), false, true)
}

// MuteLeader hears, but cannot send.
func MuteLeader(env *Env) Fault {
	return isolate(env, "leader hears, cannot send", env.leader(), true, false)
}

// IsolateAny server of any kind.
func IsolateAny(env *Env) Fault {
	some := env.shuffled(env.Cluster.Servers)[0]
	if !env.free(some) {
		return nil
	}
	return isolate(env, "any server isolated", some, false, false)
}

// OneWay drops what one half of all hosts sends to the other.
func OneWay(env *Env) Fault { return split(env, "one-way partition in two", false) }

// Split cuts all hosts in two, both ways.
func Split(env *Env) Fault { return split(env, "partition in two", true) }

func split(env *Env, kind string, both bool) Fault {
	if env.Wires == nil {
		return nil
	}
	all := env.shuffled(env.Cluster.Servers)
	half := 1 + env.Random.Intn(len(all)/2)
	a, b := hosts(all[:half]...), hosts(all[half:]...)
	p := partition{kind: kind, wires: env.Wires, blocked: []direction{{a, b}}}
	if both {
		p.blocked = append(p.blocked, direction{b, a})
	}
	return p
}

func (p partition) Kind() string               { return p.kind }
func (p partition) Victims() []*cluster.Server { return p.victims }

func (p partition) Inject(context.Context) error {
	for _, d := range p.blocked {
		if err := p.wires.Block(d.from, d.to); err != nil {
			return err
		}
	}
	return nil
}

func (p partition) Heal(context.Context) error {
	for _, d := range p.blocked {
		if err := p.wires.Unblock(d.from, d.to); err != nil {
			return err
		}
	}
	return nil
}
