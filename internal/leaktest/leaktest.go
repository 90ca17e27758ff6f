// Package leaktest fails a package's tests when they leave something behind: goroutines, or
// things taken from a pool.
package leaktest

import (
	"fmt"
	"os"

	"go.uber.org/goleak"

	"github.com/valkeybatch/valkeybatch/internal/poison"
)

// M runs tests: a *testing.M, or what stands in for one.
type M interface{ Run() int }

// Main is the whole of a package's TestMain: it runs the tests and then looks for what they
// left behind. It does not return.
func Main(m M, opts ...goleak.Option) { goleak.VerifyTestMain(balanced{m}, opts...) }

type balanced struct{ M }

// Run runs the tests and fails when what was taken from a pool was not given back.
func (b balanced) Run() int {
	code := b.M.Run()
	if code != 0 {
		return code // a failed test leaves all sorts of things
	}
	if err := poison.Unbalanced(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
