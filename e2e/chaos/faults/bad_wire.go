package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// badWire loses packets, or holds them back, at some hosts.
type badWire struct {
	kind    string
	set     func(host, amount int) error
	amount  int
	servers []*cluster.Server
}

// Loss of 5 to 30 percent of what up to three servers receive.
func Loss(env *Env) Fault {
	if env.Wires == nil {
		return nil
	}
	return newBadWire(env, "packet loss", env.Wires.Lose, 5+env.Random.Intn(26))
}

// Delay of 10 to 200 ms on what up to three servers send.
func Delay(env *Env) Fault {
	if env.Wires == nil || env.Wires.CanDelay() != nil {
		return nil
	}
	return newBadWire(env, "packet delay", env.Wires.Delay, 10+env.Random.Intn(191))
}

func newBadWire(env *Env, kind string, set func(host, amount int) error, amount int) Fault {
	some := env.shuffled(env.Cluster.Servers)[:1+env.Random.Intn(3)]
	if !env.free(some...) {
		return nil
	}
	return badWire{kind, set, amount, some}
}

func (b badWire) Kind() string               { return b.kind }
func (b badWire) Victims() []*cluster.Server { return b.servers }

func (b badWire) Inject(context.Context) error { return b.all(b.amount) }

func (b badWire) Heal(context.Context) error { return b.all(0) }

func (b badWire) all(amount int) error {
	for _, s := range b.servers {
		if err := b.set(s.Host, amount); err != nil {
			return err
		}
	}
	return nil
}
