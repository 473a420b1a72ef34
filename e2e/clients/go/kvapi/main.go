// The KV API through grpc-go, as an application would use it.
// Usage: kvapi session|load DESCRIPTORS ADDRESS...
//
// DESCRIPTORS is what protoc --descriptor_set_out makes of proto/kv.proto. "load" calls all addresses in turn, without
// retries, until its input ends: no call may fail, whatever becomes of any one server.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// connect balances over all addresses. No call is ever made a second time by the library's own policy.
func connect(addresses []string) *grpc.ClientConn {
	servers := manual.NewBuilderWithScheme("static")
	state := resolver.State{}
	for _, address := range addresses {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	servers.InitialState(state)
	connection, err := grpc.NewClient("static:///kv",
		grpc.WithResolvers(servers),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithDisableRetry(),
		grpc.WithNoProxy())
	if err != nil {
		fail("connect: %v", err)
	}
	return connection
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: kvapi session|load DESCRIPTORS ADDRESS...")
		os.Exit(2)
	}
	connection := connect(os.Args[3:])
	defer connection.Close()
	client := newClient(connection, os.Args[2])
	if os.Args[1] == "load" {
		runLoad(client)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := session{client, ctx}
	s.calls()
	s.concurrency()
	s.deadlines()
	s.cancels()
	s.limits()
	s.calls()
	fmt.Println("ok")
}
