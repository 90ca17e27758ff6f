package executor

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/valkeytest"
)

func TestMain(m *testing.M) { valkeytest.Main(m) }
