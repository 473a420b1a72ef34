package faults

import (
	"context"

	"eraftkdb/e2e/chaos/cluster"
)

// restart is a clean stop of one server; healed, it starts again.
type restart struct {
	server *cluster.Server
	err    error // of the stop: it must end, and cleanly
}

// Restart of any server that has come so far as to know what SIGTERM means.
func Restart(env *Env) Fault {
	some := env.shuffled(env.Cluster.Servers)[0]
	if !env.free(some) || !some.Live() {
		return nil
	}
	return &restart{server: some}
}

func (*restart) Kind() string                 { return "clean restart" }
func (r *restart) Victims() []*cluster.Server { return []*cluster.Server{r.server} }

func (r *restart) Inject(context.Context) error {
	r.err = r.server.Stop()
	return nil
}

func (r *restart) Heal(context.Context) error {
	if r.err != nil {
		return r.err
	}
	return r.server.Start()
}
