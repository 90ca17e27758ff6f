package config

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/valkeybatch/valkeybatch/internal/certs"
	"github.com/valkeybatch/valkeybatch/internal/credential"
)

// TLS is how callers' connections are secured.
type TLS struct {
	// Cert and Key make all TCP addresses speak TLS (1.2 or newer). Unix sockets stay as they are:
	// the permissions of their files say who may connect.
	Cert string `name:"tls-cert" env:"VALKEYBATCH_TLS_CERT" placeholder:"FILE" help:"PEM file with the server's certificate chain: makes TCP addresses speak TLS, 1.2 or newer. Unix sockets stay without." group:"TLS"`
	Key  string `name:"tls-key" env:"VALKEYBATCH_TLS_KEY" placeholder:"FILE" help:"PEM file with the certificate's key." group:"TLS"`
	// ClientCA are the authorities of callers' certificates. Without it none are asked for.
	ClientCA string `name:"tls-client-ca" env:"VALKEYBATCH_TLS_CLIENT_CA" placeholder:"FILE" help:"PEM file with the authorities that sign callers' certificates; none are asked for without it." group:"TLS"`
	// ClientAuth says whether callers need a certificate, with ClientCA.
	ClientAuth string `name:"tls-client-auth" env:"VALKEYBATCH_TLS_CLIENT_AUTH" default:"require" enum:"require,optional" placeholder:"WORD" help:"With tls-client-ca, whether callers without a certificate may connect: require refuses them." group:"TLS"`
	// ReloadInterval is how often the files of certificates, identities and the password are looked
	// at for changes, 10 ms to 1 h.
	ReloadInterval time.Duration `name:"reload-interval" env:"VALKEYBATCH_RELOAD_INTERVAL" default:"2s" min:"10ms" max:"1h" placeholder:"DURATION" help:"How often the files with certificates, identities and the Valkey password are looked at for changes." group:"TLS"`
}

// Enabled reports whether TCP addresses speak TLS.
func (t *TLS) Enabled() bool { return t.Cert != "" }

// Files are the certificates' files. They are read anew as they change.
func (t *TLS) Files() certs.Server {
	return certs.Server{Cert: t.Cert, Key: t.Key, ClientCA: t.ClientCA, Optional: t.ClientAuth == "optional"}
}

func (t *TLS) check() error {
	switch {
	case t.Cert == "" && t.Key != "":
		return wrong("tls-key", "tls-cert is needed too")
	case t.Cert != "" && t.Key == "":
		return wrong("tls-cert", "tls-key is needed too")
	case t.Cert == "" && t.ClientCA != "":
		return wrong("tls-client-ca", "tls-cert and tls-key are needed too")
	case t.Cert == "":
		return nil
	}
	if _, err := certs.NewServer(t.Files(), silent); err != nil {
		key := "tls-cert"
		if t.ClientCA != "" && strings.Contains(err.Error(), t.ClientCA) {
			key = "tls-client-ca"
		}
		return wrong(key, "%w", err)
	}
	return nil
}

// silent is for reading files only to see what is wrong with them.
var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// TLSFiles are the files of the certificates for connections to the deployment.
func (v *Valkey) TLSFiles() certs.Client {
	return certs.Client{CA: v.TLSCA, Cert: v.TLSCert, Key: v.TLSKey, ServerName: v.TLSServerName}
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
	switch {
	case v.TLSCert != "" && v.TLSKey == "":
		return wrong("valkey-tls-cert", "valkey-tls-key is needed too")
	case v.TLSCert == "" && v.TLSKey != "":
		return wrong("valkey-tls-key", "valkey-tls-cert is needed too")
	}
	var errs []error
	if _, err := certs.NewClient(certs.Client{CA: v.TLSCA}, silent); err != nil {
		errs = append(errs, wrong("valkey-tls-ca", "%w", err))
	}
	if _, err := certs.NewClient(certs.Client{Cert: v.TLSCert, Key: v.TLSKey}, silent); err != nil {
		errs = append(errs, wrong("valkey-tls-cert", "with valkey-tls-key: %w", err))
	}
	return errors.Join(errs...)
}

// CurrentPassword returns the deployment's password: the one set, or the one that its file
// holds, which is read anew as it changes.
func (v *Valkey) CurrentPassword(logger *slog.Logger) (*credential.Password, error) {
	if v.PasswordFile == "" {
		return credential.Fixed(string(v.Password)), nil
	}
	password, err := credential.FromFile(v.PasswordFile, logger)
	if err != nil {
		return nil, wrong("valkey-password-file", "%w", err)
	}
	return password, nil
}

func (v *Valkey) checkPassword() error {
	if v.PasswordFile != "" {
		if v.Password != "" {
			return wrong("valkey-password-file", "valkey-password is set too: set one of both")
		}
		if _, err := v.CurrentPassword(silent); err != nil {
			return err
		}
	}
	if v.Username != "" && v.Password == "" && v.PasswordFile == "" {
		return wrong("valkey-username", "a password is needed too: set valkey-password or valkey-password-file")
	}
	return nil
}
