package docs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSteps(t *testing.T) {
	got, err := Steps("$ one '\n  two' x\nout\nput\n$ three \\\n  four\n$ five\nend\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{{"one '\n  two' x\n", "out\nput\n"}, {"three \\\n  four\n", ""}, {"five\n", "end\n"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"output\n", "$ one '\n", "$ one '\n$ two'\n"} {
		if steps, err := Steps(bad); err == nil {
			t.Errorf("Steps(%q) = %v, want an error", bad, steps)
		}
	}
}

func TestBlocks(t *testing.T) {
	got, err := Blocks("# A\n```sh\nx\n```\ntext\n## B c\n```console\n$ y\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{{"A", 2, "sh", "x\n"}, {"B c", 7, "console", "$ y\n"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks (-want +got):\n%s", diff)
	}
	if _, err := Blocks("```sh\n"); err == nil {
		t.Error("an open block is no error")
	}
}
