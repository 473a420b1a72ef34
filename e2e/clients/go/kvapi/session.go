package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxValue = 16 << 20
	// More than a connection may have at a time: the library keeps the others back.
	concurrent = 3000
)

// session fails at the first answer that is not the one expected.
type session struct {
	client client
	ctx    context.Context
}

func expect(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fail("%s: %v, not %v", what, got, want)
	}
}

func (s session) calls() {
	c, ctx := s.client, s.ctx
	expect("put", c.put(ctx, "go/a", []byte("v")), nil)
	expect("put of nothing", c.put(ctx, "go/b", nil), nil)
	value, err := c.get(ctx, "go/a")
	expect("get", fmt.Sprintf("%s %v", value, err), "v <nil>")
	value, err = c.get(ctx, "go/none")
	expect("get of no key", fmt.Sprint(value == nil, err), "true <nil>")
	expect("no key", status.Code(c.put(ctx, "", nil)), codes.InvalidArgument)
	page, err := c.call(ctx, "Scan", fields{"prefix": []byte("go/"), "limit": uint32(1), "reverse": true})
	expect("scan", err, nil)
	expect("pairs of the page", page.get("pairs").List().Len(), 1)
	expect("there is another page", len(page.get("next_page_token").Bytes()) > 0, true)
	for _, key := range []string{"go/a", "go/b"} {
		deleted, err := c.call(ctx, "Delete", fields{"key": []byte(key)})
		expect("delete", fmt.Sprint(deleted.get("found").Bool(), err), "true <nil>")
	}
	expect("unknown method", status.Code(c.connection.Invoke(ctx, "/"+service+"/Bogus", page.message, page.message)),
		codes.Unimplemented)
}

func (s session) limits() {
	c, ctx := s.client, s.ctx
	value := bytes.Repeat([]byte("0123456789abcdef"), maxValue/16)
	expect("the largest value", c.put(ctx, "go/large", value), nil)
	got, err := c.get(ctx, "go/large")
	expect("get of the largest value", err, nil)
	expect("its bytes are the same", bytes.Equal(got, value), true)
	expect("one byte more", status.Code(c.put(ctx, "go/large", append(value, 'x'))), codes.InvalidArgument)
	expect("far too large", status.Code(c.put(ctx, "go/large", append(value, value...))), codes.ResourceExhausted)
	_, err = c.call(ctx, "Delete", fields{"key": []byte("go/large")})
	expect("delete of the largest value", err, nil)
}

// each runs f so many times, all at once.
func each(count int, f func(i int)) {
	var all sync.WaitGroup
	for i := 0; i < count; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			f(i)
		}(i)
	}
	all.Wait()
}

func (s session) concurrency() {
	c, ctx := s.client, s.ctx
	each(concurrent, func(i int) {
		key, value := fmt.Sprintf("go/k/%d", i), []byte(fmt.Sprint(i))
		expect("put", c.put(ctx, key, value), nil)
		got, err := c.get(ctx, key)
		expect("get", fmt.Sprintf("%s %v", got, err), fmt.Sprintf("%d <nil>", i))
	})
}

// oneOf fails unless the call ended well or with this code: not with one that tells of a broken connection.
func oneOf(what string, err error, code codes.Code) {
	if got := status.Code(err); got != codes.OK && got != code {
		fail("%s: %v", what, err)
	}
}

func (s session) deadlines() {
	each(1000, func(i int) {
		ctx, cancel := context.WithTimeout(s.ctx, time.Duration(i)*10*time.Microsecond)
		defer cancel()
		oneOf("a call with a deadline", s.client.put(ctx, "go/deadline", nil), codes.DeadlineExceeded)
	})
}

func (s session) cancels() {
	each(1000, func(i int) {
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		stop := time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
		defer stop.Stop()
		oneOf("a cancelled call", s.client.put(ctx, "go/cancelled", make([]byte, 100*i)), codes.Canceled)
	})
}
