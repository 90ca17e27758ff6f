package config

// Admin is the HTTP listener for operators: metrics, probes, profiles.
type Admin struct {
	// Listen is the address of that listener: host:port, or unix:///path for a socket. Empty:
	// there is none, and no metrics are kept. It has no TLS and asks nobody who they are.
	Listen string `name:"admin-listen" env:"VALKEYBATCH_ADMIN_LISTEN" placeholder:"ADDR" help:"Address of the HTTP listener for /metrics, /healthz and /readyz, such as 127.0.0.1:7401. Without it no metrics are kept. It asks nobody who they are: keep callers away from it." group:"Observability"`
	// PProf serves Go's profiles under /debug/pprof/ too. A heap or goroutine profile says
	// nothing of what commands hold, but taking one costs the server time.
	PProf bool `name:"admin-pprof" env:"VALKEYBATCH_ADMIN_PPROF" help:"Serve Go's profiles under /debug/pprof/ of the admin listener too." group:"Observability"`
}

// check checks what ranges do not.
func (a *Admin) check() error {
	if a.Listen == "" {
		if a.PProf {
			return wrong("admin-pprof", "is set, but admin-listen is not: there is no listener to serve profiles on")
		}
		return nil
	}
	if err := checkAddress(a.Listen, 0); err != nil {
		return wrong("admin-listen", "%w", err)
	}
	return nil
}
