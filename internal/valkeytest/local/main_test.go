package local

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/valkeybatch/valkeybatch/internal/leaktest"
)

// orphanVariable makes the test binary a process that starts a server, tells its id and
// hangs, for a test to kill.
const orphanVariable = "VALKEYTEST_BE_A_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		s, err := Start(context.Background(), Config{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.PID(), s.Dir())
		select {}
	}
	leaktest.Main(m)
}
