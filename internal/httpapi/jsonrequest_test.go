package httpapi

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// TestWeigh: JSON that holds too much is refused before it is decoded, and what a batch within the
// limits needs is never too much.
func TestWeigh(t *testing.T) {
	limits := Limits{Commands: 10, Arguments: 100}
	full := &valkeybatchv1.ExecuteBatchRequest{Batch: &valkeybatchv1.Batch{}, RaiseOnError: true,
		Options: &valkeybatchv1.ExecuteBatchRequest_ClusterOptions{ClusterOptions: &valkeybatchv1.ClusterBatchOptions{
			RetryStrategy: &valkeybatchv1.BatchRetryStrategy{RetryServerError: true},
			Route: &valkeybatchv1.Route{Kind: &valkeybatchv1.Route_SlotKey{SlotKey: &valkeybatchv1.SlotKeyRoute{
				TextKey: "k", SlotType: valkeybatchv1.SlotType_SLOT_TYPE_PRIMARY}}},
		}}}
	for range limits.Commands {
		full.Batch.Commands = append(full.Batch.Commands, &valkeybatchv1.Command{TextArgs: strings.Split("a,{,b\",[c,\\", ",")[:5]})
		full.Batch.Commands = append(full.Batch.Commands[:len(full.Batch.Commands)-1], &valkeybatchv1.Command{TextArgs: make([]string, 10)})
	}
	b, err := protojson.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	if weight, err := weigh(b, limits); err != nil || weight < int64(len(b)+10*commandWeight+100*argumentWeight) {
		t.Errorf("all that is allowed: %d, %v", weight, err)
	}
	if _, err := weigh([]byte(`{"batch": {"commands": [{"text_args": ["`+strings.Repeat(`{,[\"`, 1000)+`"]}]}}`), limits); err != nil {
		t.Errorf("within a string: %v", err)
	}
	for name, b := range map[string]string{
		"objects":  strings.Repeat("{", 43),
		"elements": strings.Repeat(",", 200),
		"lists":    strings.Repeat("[", 200),
	} {
		var limit *service.LimitError
		if _, err := weigh([]byte(b), limits); !errors.As(err, &limit) || limit.Actual <= limit.Allowed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFromJSON: JSON that protojson takes becomes the same message, and all else an error of the
// request.
func FuzzFromJSON(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"batch":{"isAtomic":true,"commands":[{"textArgs":["GET","k"]},{"args":["AA=="]}]},"clusterOptions":{"timeout":"1s"}}`,
		`{"batch":{"commands":[{"text_args":[1]}]}}`, `{"bach":{}}`, `{"batch":{"commands":[{"args":["!"]}]}}`, `nul`, `"\ud800"`, "\xff", `{"a":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := weigh(b, Limits{Commands: math.MaxInt32, Arguments: math.MaxInt32}); err != nil {
			t.Fatal(err)
		}
		encoded, err := fromJSON(b, &valkeybatchv1.ExecuteBatchRequest{})
		want := &valkeybatchv1.ExecuteBatchRequest{}
		if theirs := protojson.Unmarshal(b, want); (theirs == nil) != (err == nil) {
			t.Fatalf("protojson says %v, and this %v", theirs, err)
		}
		if err != nil {
			var wrong *wire.RequestError
			if !errors.As(err, &wrong) || wrong.Reason != wire.ReasonMalformed || wrong.Message == "" {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		got := &valkeybatchv1.ExecuteBatchRequest{}
		if err := proto.Unmarshal(encoded, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	})
}
