package server

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/valkeybatch/valkeybatch/internal/auth"
	"github.com/valkeybatch/valkeybatch/internal/service"
	"github.com/valkeybatch/valkeybatch/internal/wire"
)

// callLog logs calls through go-grpc-middleware's interceptor, behind the call's request id.
// That collects its fields before it knows whether there will be a line, which costs a small
// batch more than all else that is done for it; so where only failures are logged, a call that
// did not fail never meets it.
func callLog(logger *slog.Logger) grpc.UnaryServerInterceptor {
	every := logInterceptor(logger, logging.DurationToDurationField)
	samples := &sampler{}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		// Health checks and reflection are not logged: probes would drown everything else.
		if strings.HasPrefix(info.FullMethod, "/grpc.") {
			return handler(ctx, req)
		}
		if logger.Enabled(ctx, slog.LevelDebug) {
			return every(ctx, req, info, handler)
		}
		start := time.Now()
		answer, err := handler(ctx, req)
		if err == nil || !logger.Enabled(ctx, slog.Level(level(status.Code(err)))) {
			return answer, err
		}
		log, held := samples.take(status.Code(err), time.Now())
		if !log {
			return answer, err
		}
		if held > 0 {
			ctx = logging.InjectLogField(ctx, "not_logged_before", held)
		}
		took := time.Since(start)
		afterwards := logInterceptor(logger, func(time.Duration) logging.Fields { return logging.DurationToDurationField(took) })
		return afterwards(ctx, req, info, func(context.Context, any) (any, error) { return answer, err })
	}
}

// logInterceptor is go-grpc-middleware's interceptor as this server uses it.
func logInterceptor(logger *slog.Logger, duration logging.DurationToFields) grpc.UnaryServerInterceptor {
	return chain(
		// The request id comes before logging, which writes it.
		requestID,
		identityField,
		logging.UnaryServerInterceptor(logTo(logger),
			logging.WithLogOnEvents(logging.FinishCall),
			logging.WithLevels(level),
			logging.WithDurationField(duration),
			logging.WithErrorFields(reasonField),
			logging.WithDisableLoggingFields(logging.SystemTag[0], logging.ComponentFieldKey, logging.MethodTypeFieldKey),
		),
		batchFields(logger),
	)
}

// identityField adds who calls, where that is known.
func identityField(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if who := auth.From(ctx); who != nil {
		ctx = logging.InjectLogField(ctx, "identity", who.Name)
	}
	return handler(ctx, req)
}

// errorField is the field under which the logging interceptor gives a call's error, and reasonKey
// the one of reasonField.
const (
	errorField = "grpc.error"
	reasonKey  = "reason"
)

// logTo adapts slog to the logging interceptor. Of errors whose texts may quote arguments, which
// no log line shows, only the reason is logged: of those that are the callers' own, which stand at
// debug, and of those in which Valkey's words are passed on, which a script can choose, and with
// them the level.
func logTo(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(ctx context.Context, level logging.Level, message string, fields ...any) {
		if level <= logging.LevelDebug || quotesValkey(fields) {
			for i := 0; i+1 < len(fields); i += 2 {
				if fields[i] == errorField {
					fields = append(fields[:i:i], fields[i+2:]...)
					break
				}
			}
		}
		logger.Log(ctx, slog.Level(level), message, fields...)
	})
}

// quotesValkey reports whether a failed call's fields say that its error is one of Valkey's.
func quotesValkey(fields []any) bool {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == reasonKey {
			return fields[i+1] == service.ReasonCommandFailed || fields[i+1] == service.ReasonTransaction
		}
	}
	return false
}

// batchFields adds to the log line of a batch what it was, when there will be a line for
// every batch: figures only, nothing of what its commands or replies hold.
func batchFields(logger *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		request, ok := req.(*wire.Request)
		if !ok || !logger.Enabled(ctx, slog.LevelDebug) {
			return handler(ctx, req)
		}
		// Of a malformed request these are what was read until there.
		size, _ := request.Measure()
		logging.AddFields(ctx, logging.Fields{
			"commands", size.Commands,
			"atomic", size.Atomic,
			"request_bytes", size.CommandBytes,
		})
		answer, err := handler(ctx, req)
		if response, ok := answer.(*wire.Response); ok && err == nil {
			logging.AddFields(ctx, logging.Fields{"failed_count", response.Failed})
		}
		return answer, err
	}
}

// reasonField is the reason that a failed call's status gives to programs.
func reasonField(err error) logging.Fields {
	if reason := reasonOf(err); reason != "" {
		return logging.Fields{reasonKey, reason}
	}
	return nil
}

// reasonOf is the reason in a status; empty: there is none.
func reasonOf(err error) string {
	st, _ := status.FromError(err)
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
