package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// Check validates every setting and returns all that is wrong, joined: [*SettingError]s with
// the setting's name, its value and what is allowed. The files that settings name are read to see
// whether they are of use.
func (c *Config) Check() error {
	v := &c.Valkey
	errs := []error{
		c.checkListen(),
		c.HTTP.check(),
		v.checkSeeds(),
		v.checkUnused(),
		v.checkPassword(),
		v.checkTLS(),
		c.TLS.check(),
		c.Auth.check(),
		checkName("client-name", v.ClientName),
		c.Admin.check(),
		c.Telemetry.check(),
		checkRanges(c),
	}
	return errors.Join(errs...)
}

// UnixScheme begins the addresses of unix sockets; the socket's path follows.
const UnixScheme = "unix://"

func (c *Config) checkListen() error {
	if len(c.Listen) == 0 {
		return wrong("listen", "at least one address is needed, such as 127.0.0.1:7400")
	}
	return checkAddresses("listen", c.Listen)
}

// checkAddresses checks addresses to listen on.
func checkAddresses(key string, addresses []string) error {
	var errs []error
	for _, address := range addresses {
		if err := checkAddress(address, 0); err != nil {
			errs = append(errs, wrong(key, "%w", err))
		}
	}
	return errors.Join(errs...)
}

func (v *Valkey) checkSeeds() error {
	var errs []error
	for _, seed := range v.Seeds {
		err := checkAddress(seed, 1)
		if host, _, split := net.SplitHostPort(seed); err == nil && split == nil && host == "" {
			err = fmt.Errorf("%q has no host", seed)
		}
		if err != nil {
			errs = append(errs, wrong("valkey", "%w", err))
		}
	}
	return errors.Join(errs...)
}

// checkUnused refuses settings of the way to a Valkey when none is named: whoever sets them
// has one in mind, and would find the data gone with the in-memory store's process. Settings
// with a default, and the zone, may stand in the environment for other reasons.
func (v *Valkey) checkUnused() error {
	if len(v.Seeds) > 0 {
		return nil
	}
	var errs []error
	for _, setting := range []struct {
		key string
		set bool
	}{
		{"valkey-username", v.Username != ""},
		{"valkey-password", v.Password != ""},
		{"valkey-password-file", v.PasswordFile != ""},
		{"valkey-tls", v.TLS},
		{"valkey-tls-ca", v.TLSCA != ""},
		{"valkey-tls-cert", v.TLSCert != ""},
		{"valkey-tls-key", v.TLSKey != ""},
		{"valkey-tls-server-name", v.TLSServerName != ""},
	} {
		if setting.set {
			errs = append(errs, wrong(setting.key, "is set, but --valkey is not: name the nodes of your Valkey "+
				"with --valkey or VALKEYBATCH_VALKEY; without it the in-memory store is used"))
		}
	}
	return errors.Join(errs...)
}

// checkAddress checks the form host:port or unix:///path. The host may be missing.
func checkAddress(address string, leastPort int) error {
	if path, ok := strings.CutPrefix(address, UnixScheme); ok {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%q does not name an absolute path: write unix:///path", address)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not an address: write host:port or unix:///path", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < leastPort || n > 65535 {
		return fmt.Errorf("%q has no valid port: %d to 65535 are allowed", address, leastPort)
	}
	return nil
}

// checkName checks what Valkey takes as a connection's name: printable ASCII without spaces.
func checkName(key, name string) error {
	for _, r := range name {
		if r < '!' || r > '~' {
			return wrong(key, "%q holds %q: only printable characters without spaces are allowed", name, r)
		}
	}
	return nil
}
