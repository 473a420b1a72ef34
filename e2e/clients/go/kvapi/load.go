package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const loadWorkers = 64

// runLoad writes and reads until standard input ends, and says how often.
func runLoad(c client) {
	var calls int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := 0; i < loadWorkers; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			work(c, fmt.Sprintf("go/load/%d", i), &calls, stop)
		}(i)
	}
	for atomic.LoadInt64(&calls) < loadWorkers {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("running")
	io.Copy(io.Discard, os.Stdin)
	close(stop)
	all.Wait()
	fmt.Println(calls)
}

func work(c client, key string, calls *int64, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		// Large ones now and then: they are on their way for some time.
		value := make([]byte, 100+(n%50/49)*200_000)
		if err := c.put(ctx, key, value); err != nil {
			fail("put %d of %s: %v", n, key, err)
		}
		got, err := c.get(ctx, key)
		if err != nil || len(got) != len(value) {
			fail("get %d of %s: %d bytes, %v", n, key, len(got), err)
		}
		cancel()
		atomic.AddInt64(calls, 2)
	}
}
