package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// transfer hands a group's leadership to another member.
type transfer struct {
	cluster *cluster.Cluster
	to      *cluster.Server
}

// Transfer in a random group.
func Transfer(env *Env) Fault {
	leader := env.leader()
	if leader == nil {
		return nil
	}
	for _, s := range env.shuffled(env.Cluster.Of(cluster.KV, leader.Group)) {
		if s != leader && env.free(s) {
			return transfer{env.Cluster, s}
		}
	}
	return nil
}

func (transfer) Kind() string                       { return "leader transfer" }
func (t transfer) Victims() []*cluster.Server       { return []*cluster.Server{t.to} }
func (t transfer) Planned()                         {}
func (t transfer) Inject(ctx context.Context) error { return t.cluster.TransferLeader(ctx, t.to) }
func (transfer) Heal(context.Context) error         { return nil }
