package httpapi

import (
	"context"
	"strconv"

	"google.golang.org/grpc/mem"

	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// pool is where bytes of answers are put together.
var pool = mem.DefaultBufferPool()

// What stands around an answer as JSON on a stream, in which it is one field of two.
const (
	beforeID     = `{"id":"`
	beforeAnswer = `"response":`
	aroundAnswer = len(beforeID) + len(`18446744073709551615`) + len(`",`) + len(beforeAnswer)
)

// encoder is a handler that encodes answers as their callers want them. It does so inside of the
// interceptors: that an answer cannot be encoded is what came of its batch, to whoever counts
// and logs it.
type encoder struct {
	service.Handler
	answers *budget
}

// ExecuteBatch implements [service.Handler].
func (e encoder) ExecuteBatch(ctx context.Context, req *wire.Request) (*wire.Response, error) {
	resp, err := e.Handler.ExecuteBatch(ctx, req)
	call := callOf(ctx)
	if err != nil || !call.json {
		return resp, err
	}
	room := 0
	if call.method == pathStreamBatches {
		room = aroundAnswer
	}
	// Its error is a status.
	if err := resp.Recode(func(data mem.BufferSlice) (*wire.Text, error) { return e.text(data, room) }); err != nil {
		return nil, err
	}
	return resp, nil
}

// text returns an ExecuteBatchResponse as JSON, with so much room before it. What it takes is
// counted until it is freed.
func (e encoder) text(data mem.BufferSlice, room int) (*wire.Text, error) {
	b := data.MaterializeToBuffer(pool)
	defer b.Free()
	w := jsonWriter{budget: e.answers}
	_, err := w.write(b.ReadOnlyData(), jsonExecuteBatchResponse, room)
	if err == nil {
		err = w.need(len("}\n")) // for what ends it
	}
	if err != nil {
		w.free()
		return nil, err
	}
	return &wire.Text{Data: w.out, Free: w.free}, nil
}

// answerOf returns the bytes of the answer to a call of its own, which are valid until free is called.
func answerOf(resp *wire.Response) (data []byte, free func()) {
	if text := resp.TakeText(); text != nil {
		return append(text.Data, '\n'), text.Free
	}
	return marshal(resp)
}

// answerOn is answerOf for an answer on a stream, which may be a status.
func answerOn(resp *wire.Response, json bool) (data []byte, free func(), err error) {
	if text := resp.TakeText(); text != nil {
		return around(text), text.Free, nil
	}
	data, free = marshal(resp)
	if !json {
		return data, free, nil
	}
	defer free()
	// A status, which is of bounded length, and has to be sent whatever else there is.
	w := jsonWriter{}
	if data, err = w.write(data, jsonStreamBatchesResponse, 0); err == nil {
		err = w.put("\n")
	}
	return w.out, func() {}, err
}

// around makes a StreamBatchesResponse of a text, in the room before it.
func around(text *wire.Text) []byte {
	var fields [aroundAnswer]byte
	b := append(fields[:0], '{')
	if text.ID != 0 {
		b = strconv.AppendUint(append(b[:0], beforeID...), text.ID, 10)
		b = append(b, `",`...)
	}
	b = append(b, beforeAnswer...)
	data := text.Data[aroundAnswer-len(b):]
	copy(data, b)
	return append(data, "}\n"...)
}

// marshal returns the bytes of a response in protobuf.
func marshal(resp *wire.Response) (data []byte, free func()) {
	// It has no errors.
	encoded, _ := wire.Codec().Marshal(resp)
	return encoded.Materialize(), encoded.Free
}
