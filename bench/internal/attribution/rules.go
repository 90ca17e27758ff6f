package attribution

import "strings"

// Rules say who owns the samples of one program.
//
// The innermost function that belongs to an owner decides. What has no owner (the standard
// library, the runtime, generated code) works for whoever called it: so an allocation, with
// the garbage collector's share that it has to do, and waking a goroutine are the caller's.
type Rules struct {
	owners map[string]Category   // by package, for all packages below it too
	kernel map[Category]Category // what an owner's system calls are; where it has none they are its own
}

// product is the path of the product's module.
const product = "github.com/valkeybatch/valkeybatch/"

// Service are the rules of the service's process.
var Service = &Rules{
	owners: map[string]Category{
		product + "internal/wire":     Protobuf,
		product + "internal/executor": Executor,
		product + "internal/command":  Executor,
		product + "internal/slotmap":  Executor,
		product + "internal/service":  Executor,
		product + "internal/server":   Executor,
		product + "internal/node":     Nodes,
		product + "internal/resp":     Nodes,
		"google.golang.org/grpc":      GRPC,
		"golang.org/x/net/http2":      GRPC,
	},
	kernel: map[Category]Category{GRPC: KernelCalls, Nodes: KernelNodes},
}

// Client are the rules of a client that calls the service.
var Client = &Rules{
	owners: map[string]Category{
		"google.golang.org/protobuf": Protobuf,
		"google.golang.org/grpc":     GRPC,
		"golang.org/x/net/http2":     GRPC,
		product + "bench":            Benchmark,
	},
	kernel: map[Category]Category{GRPC: KernelCalls},
}

// Of returns the category of a stack of functions, the innermost first.
func (r *Rules) Of(stack []string) Category {
	call, idle := false, len(stack) > 0
	for _, function := range stack {
		pkg := packageOf(function)
		if c, ok := r.owner(pkg); ok {
			if kernel, ok := r.kernel[c]; ok && call {
				return kernel
			}
			return c
		}
		call = call || calls[pkg]
		idle = idle && ofRuntime(pkg)
	}
	if idle {
		return Runtime
	}
	return Other
}

// owner returns whose the package is.
func (r *Rules) owner(pkg string) (Category, bool) {
	for pkg != "" {
		if c, ok := r.owners[pkg]; ok {
			return c, true
		}
		pkg = pkg[:max(strings.LastIndexByte(pkg, '/'), 0)]
	}
	return "", false
}

// calls are the packages through which programs call the kernel. The runtime's own calls do
// not pass through them: they wait for work, wake threads and get memory.
var calls = map[string]bool{"syscall": true, "golang.org/x/sys/unix": true}

// ofRuntime says whether the package is the runtime's or one of those that it is built on,
// none of which has goroutines of its own. Assembly has no package.
func ofRuntime(pkg string) bool {
	return pkg == "" || pkg == "runtime" || strings.HasPrefix(pkg, "internal/")
}

// packageOf returns the import path in a function's name. Dots in its last element are
// escaped there, so the first one behind it ends it.
func packageOf(function string) string {
	function, _, _ = strings.Cut(function, "[") // type arguments have paths too
	last := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[last:], '.')
	if dot < 0 {
		return ""
	}
	return function[:last+dot]
}
