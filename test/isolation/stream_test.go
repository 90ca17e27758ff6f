package isolation

import (
	"context"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// blockOnStream sends blocking commands on one stream until the context ends.
func (d *deployment) blockOnStream(t *testing.T, ctx context.Context, n int) {
	stream, err := d.Client.StreamBatches(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range n {
		r := within(d.isCluster, pipeline(blockers(i)), patience, false)
		if err := stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: uint64(i), Request: r}); err != nil {
			t.Error(err)
			return
		}
	}
	if answer, err := stream.Recv(); err == nil {
		t.Errorf("a batch that waits for ever was answered: %v", answer)
	}
}
