package acceptance

import (
	"context"
	"strings"
	"testing"
	"time"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

// Replies of very many elements are received in a time that follows their size, and beside them
// others are served. EXEC's reply is one frame, whatever the batch.
func TestAcceptance125_LargeReplies(t *testing.T) {
	srv := valkeytest.StartServer(t)
	s := serve(t, []string{srv.Addr()})
	const elements = 300_000
	s.must(t, pipeline(cmd("EVAL", "for i=1,ARGV[1] do redis.call('RPUSH', KEYS[1], 'element:'..i) end return 1", "1", "list", "300000"),
		cmd("SET", "k", strings.Repeat("x", 4096))).within(false, patience))

	ctx, stop := context.WithCancel(context.Background())
	beside := make(chan int)
	go func() {
		n := 0
		defer func() { beside <- n }()
		for ctx.Err() == nil {
			if _, err := s.send(pipeline(cmd("GET", "a")).within(false, patience/2)); err != nil {
				t.Errorf("beside it: %s", describe(err))
				return
			}
			n++
			time.Sleep(time.Millisecond)
		}
	}()
	results := s.must(t, pipeline(cmd("LRANGE", "list", "0", "-1")).within(false, patience/2))
	if got := results[0].GetArrayValue().GetElements(); len(got) != elements || string(got[elements-1].GetBytesValue())+got[elements-1].GetStringValue() != "element:300000" {
		t.Errorf("%d elements", len(got))
	}
	var gets []*valkeybatchv1.Command
	for range 4000 {
		gets = append(gets, cmd("GET", "k"))
	}
	for i, v := range s.must(t, atomicBatch(gets...).within(false, patience/2)) {
		if n := len(v.GetBytesValue()) + len(v.GetStringValue()); n != 4096 {
			t.Fatalf("result %d has %d bytes", i, n)
		}
	}
	stop()
	if n := <-beside; n == 0 {
		t.Error("nobody else was served")
	}
}
