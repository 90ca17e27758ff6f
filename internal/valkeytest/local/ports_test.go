package local

import (
	"errors"
	"net"
	"testing"
)

func TestReserveTakenPorts(t *testing.T) {
	r, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}
	port := r.port
	wantTaken := func(taken int) {
		t.Helper()
		again, err := reserve(port)
		var portErr *PortError
		if !errors.As(err, &portErr) || portErr.Port != taken {
			again.release()
			t.Errorf("reserving it again gives %v, want a PortError about %d", err, taken)
		}
	}
	wantTaken(port)
	r.release()
	for _, taken := range []int{port, port + busPortOffset} {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: taken})
		if err != nil {
			t.Fatal(err)
		}
		wantTaken(taken)
		l.Close()
	}
}
