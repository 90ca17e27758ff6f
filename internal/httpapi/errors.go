package httpapi

import (
	"errors"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// typePrefix begins the type URLs of details.
const typePrefix = "type.googleapis.com/"

// connectError returns a status as connect-go's error, with all its details. The codes are the
// same.
func connectError(err error) *connect.Error {
	st := status.Convert(err)
	out := connect.NewError(connect.Code(st.Code()), errors.New(st.Message()))
	for _, detail := range st.Proto().GetDetails() {
		if d, err := connect.NewErrorDetail(detail); err == nil {
			out.AddDetail(d)
		}
	}
	return out
}

// grpcError returns an error of connect-go's stream as one of gRPC's.
func grpcError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	var known *connect.Error
	if !errors.As(err, &known) {
		return status.Convert(err).Err()
	}
	st := status.New(codes.Code(known.Code()), known.Message()).Proto()
	for _, detail := range known.Details() {
		st.Details = append(st.Details, &anypb.Any{TypeUrl: typePrefix + detail.Type(), Value: detail.Bytes()})
	}
	return status.FromProto(st).Err()
}
