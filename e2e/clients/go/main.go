// A session of go-redis, as an application would have it. Usage: go run . ADDRESS
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

// session fails at the first answer that is not the one expected.
type session struct {
	client *redis.Client
	ctx    context.Context
}

func (s session) expect(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Fprintf(os.Stderr, "%s: %v, not %v\n", what, got, want)
		os.Exit(1)
	}
}

func (s session) strings() {
	c, ctx := s.client, s.ctx
	s.expect("set", c.Set(ctx, "go:s", "v", 0).Val(), "OK")
	s.expect("get", c.Get(ctx, "go:s").Val(), "v")
	s.expect("get of nothing", c.Get(ctx, "go:none").Err(), redis.Nil)
	s.expect("setnx", c.SetNX(ctx, "go:s", "w", time.Minute).Val(), false)
	s.expect("set with expiry", c.Set(ctx, "go:e", "v", time.Hour).Val(), "OK")
	s.expect("ttl", c.TTL(ctx, "go:e").Val() > 59*time.Minute, true)
	s.expect("persist", c.Persist(ctx, "go:e").Val(), true)
	s.expect("mset", c.MSet(ctx, "go:a", 1, "go:b", 2).Val(), "OK")
	s.expect("mget", c.MGet(ctx, "go:a", "go:none", "go:b").Val(), "[1 <nil> 2]")
	s.expect("incrby", c.IncrBy(ctx, "go:n", 5).Val(), 5)
	s.expect("incrbyfloat", c.IncrByFloat(ctx, "go:f", 1.25).Val(), 1.25)
	s.expect("getdel", c.GetDel(ctx, "go:f").Val(), "1.25")
	s.expect("wrong type of value", c.Incr(ctx, "go:s").Err(), "ERR value is not an integer or out of range")
}

func (s session) pipelines() {
	c, ctx := s.client, s.ctx
	pipe := c.Pipeline()
	for i := 0; i < 1000; i++ {
		pipe.Set(ctx, fmt.Sprintf("go:k:%d", i), i, 0)
		pipe.Incr(ctx, "go:count")
	}
	commands, err := pipe.Exec(ctx)
	s.expect("pipeline", err, nil)
	s.expect("last of the pipeline", commands[1999].(*redis.IntCmd).Val(), 1000)
}

func (s session) scans() {
	seen := map[string]bool{}
	walk := s.client.Scan(s.ctx, 0, "go:k:*", 100).Iterator()
	for walk.Next(s.ctx) {
		seen[walk.Val()] = true
	}
	s.expect("scan", walk.Err(), nil)
	s.expect("keys of the scan", len(seen), 1000)
}

func (s session) server(protocol int) {
	c, ctx := s.client, s.ctx
	hello := c.Do(ctx, "HELLO").Val()
	if fields, ok := hello.(map[any]any); ok {
		s.expect("protocol", fields["proto"], protocol)
	}
	info, err := c.Info(ctx, "server").Result()
	s.expect("info", err, nil)
	s.expect("info is there", len(info) > 0, true)
	config, err := c.ConfigGet(ctx, "maxclients").Result()
	s.expect("config", err, nil)
	s.expect("settings", len(config), 1)
	s.expect("dbsize", c.DBSize(ctx).Val() > 1000, true)
	commands, err := c.Command(ctx).Result()
	s.expect("command", err, nil)
	s.expect("arity of get", commands["get"].Arity, 2)
	s.expect("unknown command", errors.Is(c.Do(ctx, "BOGUS").Err(), redis.Nil), false)
	s.expect("flushall", c.FlushAll(ctx).Val(), "OK")
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . ADDRESS")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, protocol := range []int{2, 3} {
		client := redis.NewClient(&redis.Options{Addr: os.Args[1], Protocol: protocol})
		s := session{client, ctx}
		s.strings()
		s.pipelines()
		s.scans()
		s.server(protocol)
		client.Close()
	}
	fmt.Println("ok")
}
