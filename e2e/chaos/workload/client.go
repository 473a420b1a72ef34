package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"eraftkdb/e2e/chaos/history"
)

// Outcome of an operation, as far as its client can know.
type Outcome int

// The outcomes.
const (
	Done    Outcome = iota
	Unknown         // may have been executed, or may yet be
	Refused         // was not executed, and will not be
	Wrong           // an answer that nobody may get
)

const (
	dialLimit    = time.Second
	patience     = 15 * time.Second // longer than the proxies' deadline, so that they have the last word
	impatience   = 2 * time.Second
	longestThink = 30 * time.Millisecond
	afterRefusal = 50 * time.Millisecond
)

// habits of a client.
type habits struct {
	limit     time.Duration // of one command
	readsOnly bool          // nothing that waits for a majority keeps it from seeing what a former leader answers
}

// client is one application thread with a connection of its own. Not thread-safe.
type client struct {
	habits
	load     *Load
	redis    *redis.Client
	random   *rand.Rand
	number   int // in histories; another one after every open operation, for a client does one thing at a time
	name     string
	sequence int
}

func newClient(load *Load, proxy string, seed int64, name string, h habits) *client {
	return &client{habits: h, load: load, random: rand.New(rand.NewSource(seed)), number: load.nextNumber(), name: name,
		redis: redis.NewClient(&redis.Options{Addr: proxy, PoolSize: 1, MaxRetries: -1, DialTimeout: dialLimit,
			ReadTimeout: h.limit, WriteTimeout: h.limit, PoolTimeout: 2 * h.limit})}
}

// run works until the context ends.
func (c *client) run(ctx context.Context) {
	defer c.redis.Close()
	for ctx.Err() == nil {
		pause := time.Duration(c.random.Int63n(int64(longestThink)))
		if s := c.load.subjects.pick(c.random, c.readsOnly); s != nil && c.operate(s) == Refused {
			pause = afterRefusal
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// operate does one command on a subject that was entered, and records it.
func (c *client) operate(s *subject) Outcome {
	op := c.next(s)
	op.Call = c.load.now()
	result, err := c.send(s, op)
	op.Return = c.load.now()
	outcome, reason := classify(err)
	c.load.count(s.group, op, outcome, reason)
	switch {
	case outcome == Done:
		op.Result = result
		s.leave(&op)
	case outcome == Refused || op.Verb.Reads():
		s.leave(nil)
	default:
		op.Return = history.Open
		s.leave(&op)
		c.number = c.load.nextNumber()
	}
	return outcome
}

var verbs = map[history.Family][]history.Verb{
	history.Register: {history.Get, history.Get, history.Set, history.Set, history.Set, history.Delete},
	history.Counter:  {history.Get, history.Increment, history.Increment},
	history.Log:      {history.Get, history.Append, history.Append},
	history.Pair:     {history.GetBoth, history.GetBoth, history.SetBoth, history.SetBoth, history.SetFirst, history.SetSecond},
}

func (c *client) next(s *subject) history.Operation {
	choices := verbs[s.family]
	op := history.Operation{Subject: s.name, Family: s.family, Client: c.number, Verb: choices[c.random.Intn(len(choices))]}
	if c.readsOnly {
		op.Verb = history.ReadOf(s.family)
	}
	switch op.Verb {
	case history.Set, history.SetBoth, history.SetFirst, history.SetSecond, history.Append:
		c.sequence++
		op.Argument = fmt.Sprintf("%s.%d,", c.name, c.sequence)
	}
	return op
}

func (c *client) send(s *subject, op history.Operation) (string, error) {
	ctx, key := context.Background(), s.keys[0]
	switch op.Verb {
	case history.Get:
		value, err := c.redis.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			return history.None, nil
		}
		return value, err
	case history.Set, history.SetFirst:
		return c.redis.Set(ctx, key, op.Argument, 0).Result()
	case history.SetSecond:
		return c.redis.Set(ctx, s.keys[1], op.Argument, 0).Result()
	case history.Delete:
		return number(c.redis.Del(ctx, key).Result())
	case history.Increment:
		return number(c.redis.Incr(ctx, key).Result())
	case history.Append:
		return number(c.redis.Append(ctx, key, op.Argument).Result())
	case history.SetBoth:
		return c.redis.MSet(ctx, key, op.Argument, s.keys[1], op.Argument).Result()
	case history.GetBoth:
		return both(c.redis.MGet(ctx, s.keys...).Result())
	}
	return "", fmt.Errorf("unknown verb %s", op.Verb)
}

func number(n int64, err error) (string, error) { return fmt.Sprint(n), err }

func both(values []interface{}, err error) (string, error) {
	if err != nil {
		return "", err
	}
	texts := make([]string, 2)
	for i := range texts {
		texts[i] = history.None
		if text, ok := values[i].(string); ok {
			texts[i] = text
		}
	}
	return history.Both(texts[0], texts[1]), nil
}

// classify says what an error means, and its short name for counting.
func classify(err error) (Outcome, string) {
	var reply redis.Error
	var network *net.OpError
	switch {
	case err == nil:
		return Done, ""
	case errors.As(err, &reply):
		code, _, _ := strings.Cut(reply.Error(), " ")
		switch code {
		case "TIMEOUT", "OOM":
			return Refused, code
		case "UNKNOWN":
			return Unknown, code
		}
		return Wrong, reply.Error()
	case errors.As(err, &network) && network.Op == "dial":
		return Refused, "cannot connect"
	case errors.As(err, &network) && network.Timeout():
		return Unknown, "no answer in time"
	}
	return Unknown, "connection broken"
}
