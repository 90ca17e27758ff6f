package wire

// RefusedRequest returns a request that was found wrong before it was encoded, for listeners that
// are sent something else than protobuf: Measure returns err, and so the request fails where a
// malformed one does, with all that is done for a call around it.
func RefusedRequest(err error) *Request {
	r := GetRequest()
	r.measured, r.err = true, err
	return r
}
