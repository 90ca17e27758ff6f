package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/valkeybatch/valkeybatch/internal/service"
)

// example is what hints show.
const example = `-H 'Content-Type: application/json' -d '{"batch": {"commands": [{"text_args": ["PING"]}]}}'`

// guarded makes calls of requests: it refuses, with a hint, what is no call of the contract's methods, and has
// the others read and answered within the limits.
func (a *api) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A deadline of the call before on this connection would hold for what net/http writes by itself.
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Time{})
		kind := kindOf(r)
		if status, hint := misuse(r, kind); status != 0 {
			refuse(w, r, status, hint)
			return
		}
		c := &call{
			method: r.URL.Path,
			json:   jsonOf(kind),
			body: &body{ReadCloser: r.Body, control: control, limits: a.limits, requests: a.requests,
				framed: framed(kind), stream: r.URL.Path == pathStreamBatches, timed: -1},
			writer: &writer{ResponseWriter: w, control: control, stall: a.limits.Stall},
		}
		ctx := c.context(r)
		if !c.body.stream {
			c.body.length = r.ContentLength
			c.body.refuse = func(why error) error {
				leave(w, r)
				return c.failed(service.Refused(ctx, a.batches, a.batch, why))
			}
		}
		defer c.body.release()
		defer c.release()
		r = r.WithContext(ctx)
		r.Body = c.body
		next.ServeHTTP(c.writer, r)
	})
}

// begin is what a call of its own passes before anything of its request is read.
func (a *api) begin(ctx context.Context, _ connect.Spec, _ connect.Peer, _ http.Header) (context.Context, error) {
	call := callOf(ctx)
	arrived, err := a.batches.AwaitCall(ctx)
	if err != nil {
		return nil, call.body.fail(err)
	}
	call.arrived = sync.OnceFunc(arrived)
	return nil, call.body.begin()
}

// lingerTime is how long a caller whose request is not read to its end may go on sending it before
// its connection ends: what is closed with bytes unread takes back what the caller has not read.
const lingerTime = time.Second

// leave lets what remains of a request's body be nobody's to read.
func leave(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor > 1 {
		return // the call alone ends
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTime))
}

// misuse returns why a request is no call, if it is none; status is zero otherwise.
func misuse(r *http.Request, kind string) (status int, hint string) {
	switch {
	case r.URL.Path != pathExecuteBatch && r.URL.Path != pathStreamBatches:
		return http.StatusNotFound, "there is nothing at this path: batches are sent by POST to " + pathExecuteBatch
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "the method " + clean(r.Method) + " is not allowed: send a batch by POST, such as curl " + example + " URL"
	case r.URL.Path == pathStreamBatches && r.ProtoMajor < 2:
		return http.StatusHTTPVersionNotSupported, "streams need HTTP/2: send the batch by POST to " + pathExecuteBatch + ", or use a client that speaks HTTP/2"
	case kind == "":
		return http.StatusUnsupportedMediaType, "the content type " + quoted(r.Header.Get("Content-Type")) +
			" is not one of this method: " + accepted(r) + "; with curl: " + example
	case r.URL.Path == pathExecuteBatch && r.Header.Get("Content-Encoding") != "" && r.Header.Get("Content-Encoding") != "identity":
		return http.StatusUnsupportedMediaType, "the body is compressed (Content-Encoding), which this server does not take: send it as it is"
	}
	return 0, ""
}

// refuse answers a request that is no call as the Connect protocol writes errors.
func refuse(w http.ResponseWriter, r *http.Request, status int, hint string) {
	code := connect.CodeUnimplemented
	if status == http.StatusForbidden {
		code = connect.CodePermissionDenied
	}
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Post", strings.Join(unaryTypes, ", "))
		code = connect.CodeInvalidArgument
	}
	leave(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorBody(connect.NewError(code, errors.New(hint))))
}
