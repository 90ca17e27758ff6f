package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/testing/protocmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// TestCodec checks that everything but a request is coded as gRPC does by itself.
func TestCodec(t *testing.T) {
	standard := encoding.GetCodecV2("proto")
	if Codec().Name() != standard.Name() {
		t.Errorf("name %q", Codec().Name())
	}
	want := sample()
	data, err := Codec().Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := &valkeybatchv1.ExecuteBatchRequest{}
	if err := Codec().Unmarshal(data, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if _, err := Codec().Marshal("no message"); err == nil {
		t.Error("what is no message was encoded")
	}
	if err := Codec().Unmarshal(data, new(string)); err == nil {
		t.Error("what is no message was decoded")
	}
}
