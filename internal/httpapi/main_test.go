package httpapi

import (
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
