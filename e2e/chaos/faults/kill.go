package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// kill is kill -9 of servers at once; healed, they start again on their data.
type kill struct {
	kind    string
	servers []*cluster.Server
}

func newKill(kind string, servers ...*cluster.Server) Fault {
	if len(servers) == 0 || servers[0] == nil {
		return nil
	}
	return kill{kind, servers}
}

// KillLeader of a group.
func KillLeader(env *Env) Fault { return newKill("kill -9 of a leader", env.leader()) }

// KillMember of a group.
func KillMember(env *Env) Fault { return newKill("kill -9 of a member", env.members(1)...) }

// KillMajority of a group.
func KillMajority(env *Env) Fault { return newKill("kill -9 of a majority", env.members(2)...) }

// KillGroup is all of it.
func KillGroup(env *Env) Fault { return newKill("kill -9 of a group", env.members(3)...) }

// KillProxy is one of them.
func KillProxy(env *Env) Fault {
	proxy := env.shuffled(env.Cluster.Of(cluster.Proxy, 0))[0]
	if !env.free(proxy) {
		return nil
	}
	return newKill("kill -9 of a proxy", proxy)
}

// MetaDown is all of meta: groups and proxies go on without.
func MetaDown(env *Env) Fault {
	meta := env.Cluster.Of(cluster.Meta, 0)
	if !env.free(meta...) {
		return nil
	}
	return newKill("meta down", meta...)
}

func (k kill) Kind() string               { return k.kind }
func (k kill) Victims() []*cluster.Server { return k.servers }

func (k kill) Inject(context.Context) error {
	done := make(chan struct{})
	for _, s := range k.servers {
		s := s
		go func() {
			s.Kill()
			done <- struct{}{}
		}()
	}
	for range k.servers {
		<-done
	}
	return nil
}

func (k kill) Heal(context.Context) error {
	for _, s := range k.servers {
		if err := s.Start(); err != nil {
			return err
		}
	}
	return nil
}
