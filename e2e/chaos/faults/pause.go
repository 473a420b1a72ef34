package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// pause is SIGSTOP: a server that neither answers nor closes a connection, and wakes up in another time.
type pause struct {
	kind    string
	servers []*cluster.Server
}

func newPause(kind string, servers ...*cluster.Server) Fault {
	if len(servers) == 0 || servers[0] == nil {
		return nil
	}
	return pause{kind, servers}
}

// PauseLeader of a group.
func PauseLeader(env *Env) Fault { return newPause("SIGSTOP of a leader", env.leader()) }

// PauseMajority of a group.
func PauseMajority(env *Env) Fault { return newPause("SIGSTOP of a majority", env.members(2)...) }

// PauseAny server of any kind.
func PauseAny(env *Env) Fault {
	some := env.shuffled(env.Cluster.Servers)[0]
	if !env.free(some) {
		return nil
	}
	return newPause("SIGSTOP of any server", some)
}

func (p pause) Kind() string               { return p.kind }
func (p pause) Victims() []*cluster.Server { return p.servers }

func (p pause) Inject(context.Context) error {
	for _, s := range p.servers {
		s.Pause()
	}
	return nil
}

func (p pause) Heal(context.Context) error {
	for _, s := range p.servers {
		s.Resume()
	}
	return nil
}
