package result

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine is what a run was made on, with nothing that tells whose it is.
type Machine struct {
	CPU    string // the model's name
	Cores  int
	Memory uint64 // bytes
	Kernel string
}

// ThisMachine describes the machine that this process runs on.
func ThisMachine() Machine {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU()}
	if cpu := procLine("/proc/cpuinfo", "model name"); cpu != "" {
		m.CPU = cpu
	}
	var kib uint64
	if _, err := fmt.Sscanf(procLine("/proc/meminfo", "MemTotal"), "%d kB", &kib); err == nil {
		m.Memory = kib << 10
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		// Only the version proper: what distributors append may name the machine's kind.
		m.Kernel, _, _ = strings.Cut(strings.TrimSpace(string(release)), "-")
	}
	return m
}

// procLine returns what stands behind the colon in the first line with the name.
func procLine(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(b) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && string(bytes.TrimSpace(key)) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// peers are the modules whose versions are of interest.
var peers = []struct{ module, name string }{
	{"google.golang.org/grpc", "grpc-go"},
	{"github.com/valkey-io/valkey-glide/go/v2", "GLIDE Go"},
	{"github.com/redis/go-redis/v9", "go-redis"},
	{"github.com/valkey-io/valkey-go", "valkey-go"},
}

// TheseVersions says what this program was built with and what servers it finds.
func TheseVersions() []Version {
	versions := []Version{{"Go", strings.TrimPrefix(runtime.Version(), "go")}}
	if out, err := exec.Command("valkey-server", "--version").Output(); err == nil {
		for word := range strings.FieldsSeq(string(out)) {
			if v, ok := strings.CutPrefix(word, "v="); ok {
				versions = append(versions, Version{"valkey-server", v})
			}
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return versions
	}
	for _, peer := range peers {
		for _, dep := range info.Deps {
			if dep.Path == peer.module {
				versions = append(versions, Version{peer.name, strings.TrimPrefix(dep.Version, "v")})
			}
		}
	}
	return versions
}
