package faults

import (
	"context"
	"fmt"
	"time"

	"eraftkdb/e2e/chaos/cluster"
)

var readyLimit = cluster.Scaled(60 * time.Second)

// rolling is a clean restart of one server after the other, each when all are ready.
type rolling struct {
	kind    string
	cluster *cluster.Cluster
	servers []*cluster.Server
	err     error // none may occur
}

// RollingRestart of all that hold data: every kv and meta.
func RollingRestart(env *Env) Fault {
	return newRolling(env, "rolling restart of all kv and meta", append(env.Cluster.Of(cluster.KV, 0), env.Cluster.Of(cluster.Meta, 0)...))
}

// RollingProxies restarts them, which clients see: their connections are closed once what is under way is answered.
func RollingProxies(env *Env) Fault {
	return newRolling(env, "rolling restart of all proxies", env.Cluster.Of(cluster.Proxy, 0))
}

func newRolling(env *Env, kind string, servers []*cluster.Server) Fault {
	if !env.free(env.Cluster.Servers...) {
		return nil
	}
	return &rolling{kind: kind, cluster: env.Cluster, servers: env.shuffled(servers)}
}

func (r *rolling) Kind() string               { return r.kind }
func (r *rolling) Victims() []*cluster.Server { return r.cluster.Servers }
func (r *rolling) Planned()                   {}
func (r *rolling) Heal(context.Context) error { return r.err }

func (r *rolling) Inject(ctx context.Context) error {
	for _, s := range r.servers {
		if r.err = r.restart(ctx, s); r.err != nil {
			break
		}
	}
	return nil
}

func (r *rolling) restart(ctx context.Context, s *cluster.Server) error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	if err := r.cluster.AwaitReady(ctx, readyLimit); err != nil {
		return fmt.Errorf("after the restart of %s: %w", s.Name, err)
	}
	return nil
}
