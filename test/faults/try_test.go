package faults

import (
	"os"
	"strings"
	"testing"
)

func TestTry(t *testing.T) {
	for _, n := range strings.Split(os.Getenv("TRY"), ",") {
		t.Run(n, func(t *testing.T) { endure(t, n) })
	}
}
