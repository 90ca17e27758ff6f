package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSum(t *testing.T) {
	of := func(addr string, reachable bool, n int) Stats {
		s := Stats{Addr: addr, Reachable: reachable, Dialled: uint64(n), DialFailures: uint64(2 * n), Lost: uint64(3 * n)}
		s.Lanes[Bulk] = LaneStats{Open: n, InUse: n, InFlight: 2 * n, Waiting: 3 * n, Bytes: int64(4 * n)}
		return s
	}
	for name, test := range map[string]struct{ pools, want []Stats }{
		"nothing":                     {nil, nil},
		"sums":                        {[]Stats{of("b", true, 1), of("a", true, 2), of("b", true, 4)}, []Stats{of("a", true, 2), of("b", true, 5)}},
		"one cannot reach it":         {[]Stats{of("a", true, 0), of("a", false, 0)}, []Stats{of("a", false, 0)}},
		"one of three cannot":         {[]Stats{of("a", true, 0), of("a", false, 0), of("a", true, 0)}, []Stats{of("a", false, 0)}},
		"one is connected":            {[]Stats{of("a", true, 3), of("a", false, 0)}, []Stats{of("a", true, 3)}},
		"the connected one cannot":    {[]Stats{of("a", true, 0), of("a", false, 3)}, []Stats{of("a", false, 3)}},
		"one is connected to another": {[]Stats{of("a", false, 0), of("b", true, 1)}, []Stats{of("a", false, 0), of("b", true, 1)}},
	} {
		var pools [][]Stats
		for i := range test.pools {
			pools = append(pools, test.pools[i:i+1])
		}
		if diff := cmp.Diff(test.want, Sum(pools...)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
