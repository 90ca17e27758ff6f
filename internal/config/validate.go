package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Check validates every setting and returns all that is wrong, joined: [*SettingError]s with
// the setting's name, its value and what is allowed. It reads the password file into the password.
func (c *Config) Check() error {
	v := &c.Valkey
	errs := []error{
		c.checkListen(),
		c.HTTP.check(),
		v.checkSeeds(),
		v.checkUnused(),
		v.checkPassword(),
		v.checkTLS(),
		checkName("client-name", v.ClientName),
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
	var errs []error
	for _, address := range c.Listen {
		if err := checkAddress(address, 0); err != nil {
			errs = append(errs, wrong("listen", "%w", err))
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

// maxPassword is the longest password that is read from a file, in bytes.
const maxPassword = 64 << 10

func (v *Valkey) checkPassword() error {
	if v.PasswordFile != "" {
		if v.Password != "" {
			return wrong("valkey-password-file", "valkey-password is set too: set one of both")
		}
		data, err := os.ReadFile(v.PasswordFile)
		if err != nil {
			return wrong("valkey-password-file", "%w", err)
		}
		if len(data) > maxPassword {
			return wrong("valkey-password-file", "%d bytes are over the limit of %d", len(data), maxPassword)
		}
		v.Password = Secret(strings.TrimRight(string(data), "\r\n"))
		if v.Password == "" {
			return wrong("valkey-password-file", "%s is empty", v.PasswordFile)
		}
		v.PasswordFile = ""
	}
	if v.Username != "" && v.Password == "" {
		return wrong("valkey-username", "a password is needed too: set valkey-password or valkey-password-file")
	}
	return nil
}

func (v *Valkey) checkTLS() error {
	if !v.TLS {
		for _, setting := range []struct{ key, value string }{
			{"valkey-tls-ca", v.TLSCA}, {"valkey-tls-cert", v.TLSCert},
			{"valkey-tls-key", v.TLSKey}, {"valkey-tls-server-name", v.TLSServerName},
		} {
			if setting.value != "" {
				return wrong(setting.key, "is set, but valkey-tls is not")
			}
		}
		return nil
	}
	_, err := v.TLSConfig()
	return err
}

// TLSConfig reads the files named and returns what connections use: nil without TLS.
func (v *Valkey) TLSConfig() (*tls.Config, error) {
	if !v.TLS {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: v.TLSServerName}
	if v.TLSCA != "" {
		pem, err := os.ReadFile(v.TLSCA)
		if err != nil {
			return nil, wrong("valkey-tls-ca", "%w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("valkey-tls-ca", "%s holds no PEM certificate", v.TLSCA)
		}
	}
	switch {
	case v.TLSCert != "" && v.TLSKey != "":
		pair, err := tls.LoadX509KeyPair(v.TLSCert, v.TLSKey)
		if err != nil {
			return nil, wrong("valkey-tls-cert", "with valkey-tls-key: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	case v.TLSCert != "":
		return nil, wrong("valkey-tls-cert", "valkey-tls-key is needed too")
	case v.TLSKey != "":
		return nil, wrong("valkey-tls-key", "valkey-tls-cert is needed too")
	}
	return out, nil
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
