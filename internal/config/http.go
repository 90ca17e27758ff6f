package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// HTTP is the listener for callers without gRPC.
type HTTP struct {
	// Listen are the addresses to serve HTTP on, in the forms of [Config.Listen]. None: no HTTP.
	Listen []string `name:"http-listen" env:"VALKEYBATCH_HTTP_LISTEN" placeholder:"ADDR" help:"Address to serve JSON over HTTP, Connect and gRPC-Web on: host:port or unix:///path. Repeatable, or comma separated. None: no HTTP." group:"HTTP"`
	// AllowOrigin are the origins whose pages may call the service from a browser. None: a
	// request with an Origin header, as browsers send it, is refused.
	AllowOrigin []string `name:"http-allow-origin" env:"VALKEYBATCH_HTTP_ALLOW_ORIGIN" placeholder:"ORIGIN" help:"Origin whose pages may call from a browser: https://app.example.com, or * for all. None: browsers are refused." group:"HTTP"`
}

// AnyOrigin allows all origins.
const AnyOrigin = "*"

func (h *HTTP) check() error {
	errs := []error{checkAddresses("http-listen", h.Listen)}
	for _, origin := range h.AllowOrigin {
		if err := checkOrigin(origin); err != nil {
			errs = append(errs, wrong("http-allow-origin", "%w", err))
		}
	}
	return errors.Join(errs...)
}

// checkOrigin checks that a browser can have the origin: an origin is compared as a whole, so that
// one with a path, or in upper case, would allow nobody.
func checkOrigin(origin string) error {
	if origin == AnyOrigin {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ToLower(origin) != origin ||
		strings.Contains(origin, "*") {
		return fmt.Errorf("%q is not an origin: write scheme://host or scheme://host:port in lower case, without a path, or *", origin)
	}
	return nil
}
