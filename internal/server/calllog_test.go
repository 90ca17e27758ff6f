package server

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestFailuresAreLoggedAlone: where calls that succeed are not logged, one that fails for a
// reason that operators can change is logged in full.
func TestFailuresAreLoggedAlone(t *testing.T) {
	for _, test := range []struct {
		level slog.Level
		err   error
		lines int
	}{
		{slog.LevelInfo, nil, 0},
		{slog.LevelInfo, status.Error(codes.InvalidArgument, "theirs"), 0},
		{slog.LevelInfo, status.Error(codes.ResourceExhausted, "too much"), 1},
		{slog.LevelError, status.Error(codes.ResourceExhausted, "too much"), 0},
		{slog.LevelError, status.Error(codes.Internal, "a defect"), 1},
		{slog.LevelDebug, nil, 1},
	} {
		l := &log{}
		logger := slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: test.level}))
		const took = 30 * time.Millisecond
		_, err := callLog(logger)(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/valkeybatch.v1.BatchService/ExecuteBatch"},
			func(context.Context, any) (any, error) {
				time.Sleep(took)
				return nil, test.err
			})
		if status.Code(err) != status.Code(test.err) {
			t.Errorf("got %v", err)
		}
		text := l.String()
		if strings.Count(text, "\n") != test.lines {
			t.Errorf("%v at %v: logged %q", test.err, test.level, text)
			continue
		}
		if test.lines == 0 {
			continue
		}
		for _, part := range []string{"request_id=", "grpc.method=ExecuteBatch", "grpc.duration="} {
			if !strings.Contains(text, part) {
				t.Errorf("no %s in %q", part, text)
			}
		}
		_, after, _ := strings.Cut(text, "grpc.duration=")
		if d, err := time.ParseDuration(strings.Fields(after)[0]); err != nil || d < took {
			t.Errorf("a call of %v took %v, %v", took, d, err)
		}
	}
	l := &log{}
	logger := slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, _ = callLog(logger)(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"},
		func(context.Context, any) (any, error) { return nil, nil })
	if l.String() != "" {
		t.Errorf("a probe is logged: %s", l.String())
	}
}

// TestFailuresAreSampled: a flood of failures leaves few lines, which say how many they stand for.
func TestFailuresAreSampled(t *testing.T) {
	l := &log{}
	call := callLog(slog.New(slog.NewTextHandler(l, nil)))
	fail := func(code codes.Code) {
		_, _ = call(context.Background(), nil, &grpc.UnaryServerInfo{FullMethod: "/valkeybatch.v1.BatchService/ExecuteBatch"},
			func(context.Context, any) (any, error) { return nil, status.Error(code, "no") })
	}
	for range 1000 {
		fail(codes.ResourceExhausted)
	}
	fail(codes.Unavailable) // has its own lines
	time.Sleep(time.Second)
	fail(codes.ResourceExhausted)
	text := l.String()
	if n := strings.Count(text, "\n"); n < linesPerSecond+2 || n > 3*linesPerSecond {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(text, "grpc.code=Unavailable") || !strings.Contains(text, "not_logged_before=") {
		t.Errorf("logged %s", text)
	}
}
