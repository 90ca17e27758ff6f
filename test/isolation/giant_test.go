package isolation

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
	"github.com/valkeybatch/valkeybatch/internal/servertest"
)

func repeated(n int, c *command) []*command {
	commands := make([]*command, n)
	for i := range commands {
		commands[i] = c
	}
	return commands
}

// giants are batches that ask for all that there is, with the limit that refuses them; empty: they
// are carried out when there is room.
func giants() map[string]struct {
	batch *request
	limit string
} {
	type giant = struct {
		batch *request
		limit string
	}
	many := []string{"DEL"}
	for i := range 90_000 {
		many = append(many, strconv.Itoa(i))
	}
	half := strings.Repeat("x", 8<<20)
	return map[string]giant{
		"commands":               {pipeline(repeated(50_000, cmd("PING"))...), ""},
		"atomic commands":        {atomicBatch(repeated(50_000, cmd("PING"))...), ""},
		"too many commands":      {pipeline(repeated(50_001, cmd("PING"))...), "max-commands"},
		"arguments":              {pipeline(cmd(many...)), ""},
		"empty arguments":        {pipeline(cmd(append([]string{"DEL"}, make([]string, 100_000)...)...)), "max-arguments"},
		"bytes":                  {pipeline(cmd("SET", "giant", half)), ""},
		"too many bytes":         {pipeline(cmd("SET", "giant", half), cmd("SET", "giant", half), cmd("SET", "giant", "x")), "max-request-bytes"},
		"far too many bytes":     {pipeline(repeated(4, cmd("SET", "giant", half))...), "max-request-bytes"},
		"a long reply":           {pipeline(cmd("GET", "long")), ""},
		"long replies":           {pipeline(repeated(3, cmd("GET", "long"))...), "max-reply-bytes"},
		"atomic long replies":    {atomicBatch(repeated(3, cmd("GET", "long"))...), "max-reply-bytes"},
		"amplified by GETRANGE":  {pipeline(repeated(20, cmd("GETRANGE", "long", "0", "-1"))...), "max-reply-bytes"},
		"amplified by LRANGE":    {pipeline(repeated(20, cmd("LRANGE", "list", "0", "-1"))...), "max-reply-bytes"},
		"amplified by KEYS":      {pipeline(repeated(60, cmd("KEYS", "*"))...), "max-reply-bytes"},
		"amplified by EVAL":      {pipeline(cmd("EVAL", "return string.rep('x', 64*1024*1024)", "0")), "max-reply-bytes"},
		"many elements":          {pipeline(repeated(2, cmd("EVAL", "local t = {} for i = 1, 1000000 do t[i] = i end return t", "0"))...), "max-reply-bytes"},
		"nested":                 {pipeline(cmd("EVAL", "local t = {1} for i = 1, 5000 do t = {t} end return t", "0")), "max-reply-depth"},
		"small and amplified":    {pipeline(append(repeated(1000, cmd("SET", "giant:s", "x")), repeated(4, cmd("GET", "long"))...)...), "max-reply-bytes"},
		"long and text":          {pipeline(text("GET", "long")), ""},
		"errors that are long":   {pipeline(repeated(20, cmd("EVAL", "return {err=string.rep('x', 1024*1024)}", "0"))...), "max-reply-bytes"},
		"a set of a long string": {atomicBatch(cmd("SET", "giant", half), cmd("GET", "giant")), ""},
	}
}

// Callers that ask for all that there is are refused what is over a limit, with both figures;
// what is within them is carried out or refused for load; memory stays within what the limits are.
func TestGiants(t *testing.T) {
	s, v := tightProcess(t, "--max-in-flight-batches", "64", "--max-commands", "50000", "--max-arguments", "100000")
	for i := range 2 {
		words := []string{"RPUSH", "list"}
		for j := range 30_000 {
			words = append(words, fmt.Sprintf("element %d %d", i, j))
		}
		v.MustDo(t, words...)
	}
	v.MustDo(t, "EVAL", "for i = 1, 20000 do redis.call('SET', 'many:keys:'..i, i) end", "0")
	canaries := release(t, s, false, true)
	var wg sync.WaitGroup
	load, done := 0, 0
	var mu sync.Mutex
	for i := range 2 {
		client := valkeybatchv1.NewBatchServiceClient(servertest.Dial(t, s.Target))
		stream := i == 1
		wg.Go(func() {
			for range scaled(1, 5) {
				n := 0
				for name, g := range giants() {
					if n++; !full && (n%2 == 1) != stream { // half each; the order is another each time
						continue
					}
					within(false, g.batch, patience, false)
					send := executeUnary
					if stream {
						send = executeStreamed
					}
					resp, err := send(client, g.batch)
					f := refusalOf(err)
					switch {
					case err == nil && g.limit == "":
						if wrong := answered(g.batch, resp, err); wrong != nil {
							t.Errorf("%s: %v", name, wrong)
						}
					case err == nil:
						t.Errorf("%s was carried out, over %s", name, g.limit)
					case f.reason == "DEPLOYMENT_UNAVAILABLE" && f.retry:
						// Valkey is at work on the other's for longer than a connection is waited for.
						mu.Lock()
						load++
						mu.Unlock()
						continue
					case f.code != codes.ResourceExhausted || f.metadata["actual"] == "" || f.metadata["allowed"] == "":
						t.Errorf("%s: %v", name, f)
					case f.reason == "OVERLOADED" && !f.retry:
						t.Errorf("%s: refused for load without RetryInfo: %v", name, f)
					case f.reason == "OVERLOADED" || f.metadata["setting"] == "max-in-flight-reply-bytes":
						mu.Lock()
						load++
						mu.Unlock()
						continue
					case f.metadata["setting"] != g.limit:
						t.Errorf("%s: %v, want a refusal by %q", name, f, g.limit)
					}
					mu.Lock()
					done++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	canaries.done(t)
	t.Logf("%d giants as they should, %d refused for load", done, load)
	wantMemory(t, s)
}

// executeUnary sends a batch on a call of its own, executeStreamed on a stream of its own.
func executeUnary(client valkeybatchv1.BatchServiceClient, r *request) (*response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return client.ExecuteBatch(ctx, r)
}

func executeStreamed(client valkeybatchv1.BatchServiceClient, r *request) (*response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := client.StreamBatches(ctx)
	if err != nil {
		return nil, err
	}
	// An error of sending is io.EOF, and the stream's own is what Recv returns.
	_ = stream.Send(&valkeybatchv1.StreamBatchesRequest{Id: 1, Request: r})
	answer, err := stream.Recv()
	switch {
	case err != nil:
		return nil, err
	case answer.GetResponse() == nil:
		return nil, errorIn(answer)
	}
	return answer.GetResponse(), nil
}
