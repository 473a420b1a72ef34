package main

import (
	"context"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const service = "kdb.kv.v1.KV"

// client calls the methods of proto/kv.proto without generated code.
type client struct {
	connection *grpc.ClientConn
	methods    protoreflect.MethodDescriptors
}

func newClient(connection *grpc.ClientConn, descriptors string) client {
	bytes, err := os.ReadFile(descriptors)
	if err != nil {
		fail("%v", err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(bytes, &set); err != nil {
		fail("%s: %v", descriptors, err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		fail("%s: %v", descriptors, err)
	}
	found, err := files.FindDescriptorByName(service)
	if err != nil {
		fail("%s: %v", descriptors, err)
	}
	return client{connection, found.(protoreflect.ServiceDescriptor).Methods()}
}

type fields map[protoreflect.Name]any

// reply reads a response's fields.
type reply struct{ message *dynamicpb.Message }

func (r reply) get(name protoreflect.Name) protoreflect.Value {
	return r.message.Get(r.message.Descriptor().Fields().ByName(name))
}

func (c client) call(ctx context.Context, method protoreflect.Name, request fields) (reply, error) {
	descriptor := c.methods.ByName(method)
	in := dynamicpb.NewMessage(descriptor.Input())
	for name, value := range request {
		in.Set(descriptor.Input().Fields().ByName(name), protoreflect.ValueOf(value))
	}
	out := dynamicpb.NewMessage(descriptor.Output())
	err := c.connection.Invoke(ctx, "/"+service+"/"+string(method), in, out)
	return reply{out}, err
}

func (c client) put(ctx context.Context, key string, value []byte) error {
	_, err := c.call(ctx, "Put", fields{"key": []byte(key), "value": value})
	return err
}

// get returns nil when there is no such key.
func (c client) get(ctx context.Context, key string) ([]byte, error) {
	reply, err := c.call(ctx, "Get", fields{"key": []byte(key)})
	if err != nil || !reply.get("found").Bool() {
		return nil, err
	}
	return append([]byte{}, reply.get("value").Bytes()...), nil
}
