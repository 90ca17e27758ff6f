package isolation

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of the tests wait: for what blocks, and for what stands still to be ended.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	valkeytest.Main(m)
}

// patience bounds whatever a test waits for.
const patience = 60 * time.Second

// full says that all is tested, not a part.
var full = os.Getenv("ISOLATION") == "full"

// scaled returns n, or fewer where only a part is tested.
func scaled(part, n int) int {
	if full {
		return n
	}
	return part
}
