package scenario

// Profiled is one of whom it is told where the time goes: a subject that calls the service.
type Profiled struct {
	Scenario *Scenario
	Subject  string
}

// AllProfiled are those, in the order of the page.
var AllProfiled = profiled()

func profiled() []Profiled {
	var all []Profiled
	for _, p := range []struct{ scenario, subject string }{
		{"cluster/get-1000", "unary"},
		{"cluster/set-1000", "unary"},
		{"cluster/get-100", "unary"},
		{"cluster/get-100-64", "unary"},
		{"standalone/get-1000", "unary"},
		{"one/64-callers", "stream"},
	} {
		all = append(all, Profiled{ByName(p.scenario), p.subject})
	}
	return all
}
