package scenario

import "github.com/valkeybatch/valkeybatch/bench/internal/result"

// hundredMB is the size of the batch whose memory is looked at.
const hundredMB = 1_000 * 100_000

// Bars are what the service is held to.
var Bars = bars()

func bars() []Bar {
	var all []Bar
	add := func(b ...Bar) { all = append(all, b...) }
	for _, command := range []string{"get", "set"} {
		add(in(Large, againstGlide("cluster/"+command+"-1000", 2.5, 0.4)...)...)
	}
	for _, command := range []string{"get", "set"} {
		add(in(Large, againstGlide("cluster/"+command+"-10000", 3.0, 0.33)...)...)
	}
	for _, command := range []string{"get", "set"} {
		add(in(Large, againstGlide("cluster/"+command+"-100", 1.8, 0.6)...)...)
	}
	for _, command := range []string{"get", "set"} {
		add(in(Small, rate("cluster/"+command+"-10", "streams", "glide", 1.0))...)
	}
	for _, command := range []string{"get", "set"} {
		add(in(Large, againstGlide("standalone/"+command+"-1000", 2.0, 0.5)...)...)
	}
	for _, command := range []string{"get", "set"} {
		add(in(Large, rate("cluster/"+command+"-1000", "unary", "go-redis", 1.2),
			rate("cluster/"+command+"-1000", "unary", "valkey-go", 0.9))...)
	}
	for _, name := range []string{"cluster/get-1000", "cluster/set-1000", "cluster/get-10000", "cluster/set-10000"} {
		add(Bar{
			What: title(name) + ": the service's own CPU against the RESP floor's",
			Over: term(name, "unary", result.ServiceCPU), Under: term(name, "floor", result.CPU), Limit: 2.5,
		}, Bar{
			What: title(name) + ": heap allocations of the service per command", Group: Allocations,
			Over: term(name, "unary", result.ServiceAllocs), Limit: 0.05,
		})
	}
	for _, name := range []string{"observed/get-1000", "observed/set-1000"} {
		for _, subject := range observed {
			add(in(Observed, rate(name, subject, "unary", 0.95))...)
		}
	}
	const one, many = "one/1-caller", "one/64-callers"
	add(Bar{
		What: title(one) + ": unary p50 against an empty unary call's and the RESP floor's together", Group: Hop,
		Over:  term(one, "unary", result.P50),
		Under: append(term(one, "empty", result.P50), term(one, "floor", result.P50)...), Limit: 1.25,
	})
	add(in(Messages, rate(many, "stream", "unary", 4), rate(many, "stream", "glide", 1.0))...)
	add(Bar{
		What: title("cluster/get-100-64") + ": p99 against GLIDE's", Group: Tail,
		Over: term("cluster/get-100-64", "unary", result.P99), Under: term("cluster/get-100-64", "glide", result.P99), Limit: 0.5,
	})
	add(Bar{
		What: title("cluster/get-100000") + ": CPU per command against 1,000 commands'", Group: Growth,
		Over: term("cluster/get-100000", "unary", result.CPU), Under: term("cluster/get-1000", "unary", result.CPU), Limit: 1.1,
	}, Bar{
		What: title("cluster30/get-1000") + ": CPU per command against 3 primaries'", Group: Growth,
		Over: term("cluster30/get-1000", "unary", result.CPU), Under: term("cluster/get-1000", "unary", result.CPU), Limit: 1.3,
	})
	for _, name := range []string{"standalone/set-100MB", "standalone/get-100MB"} {
		add(Bar{
			What: title(name) + ": the service's peak memory against the batch's 100 MB",
			Over: term(name, "unary", result.ServicePeak), Divisor: hundredMB, Limit: 3,
		})
	}
	return all
}

// againstGlide are the two bars of a scenario: rate, and CPU of client and service together.
func againstGlide(name string, atLeast, atMost float64) []Bar {
	return []Bar{
		rate(name, "unary", "glide", atLeast),
		{
			What: title(name) + ": CPU per command, client and service together, against GLIDE's",
			Over: term(name, "unary", result.CPU), Under: term(name, "glide", result.CPU), Limit: atMost,
		},
	}
}

// against is how bars name subjects.
var against = map[string]string{
	"glide": "GLIDE's", "go-redis": "go-redis's", "valkey-go": "valkey-go's", "unary": "unary calls'",
}

// ways is how bars name our own ways.
var ways = map[string]string{"unary": "", "stream": ", on one stream", "streams": ", on a stream for each caller",
	"metrics": ", with metrics", "traces": ", with metrics and traces of 1 %",
}

func rate(name, subject, other string, atLeast float64) Bar {
	return Bar{
		What: title(name) + ways[subject] + ": rate against " + against[other],
		Over: term(name, subject, result.Rate), Under: term(name, other, result.Rate), Limit: atLeast, AtLeast: true,
	}
}

func term(scenario, subject string, m result.Metric) []Term {
	return []Term{{scenario, subject, m}}
}

// title returns the title of the scenario. A bar of none is a mistake in this file.
func title(name string) string {
	s := ByName(name)
	if s == nil {
		panic("no scenario " + name)
	}
	return s.Title()
}
