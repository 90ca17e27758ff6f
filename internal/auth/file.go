package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/valkeybatch/valkeybatch/internal/command"
	"github.com/valkeybatch/valkeybatch/internal/config"
	"github.com/valkeybatch/valkeybatch/internal/reload"
)

// document is the file.
type document struct {
	Identities []entry `yaml:"identities"`
}

// entry is one identity in the file.
type entry struct {
	Name         string   `yaml:"name"`
	Tokens       []string `yaml:"tokens"`
	Certificates []string `yaml:"certificates"`
	// Allow, Deny and Keys are read by command.NewAccess: a list without entries is another thing
	// than no list.
	Allow []string `yaml:"allow-command"`
	Deny  []string `yaml:"deny-command"`
	Keys  []string `yaml:"keys"`
	// Username and PasswordFile are the Valkey user that its batches run as; empty: the server's own.
	Username     string `yaml:"valkey-username"`
	PasswordFile string `yaml:"valkey-password-file"`
	// The limits; nil: any number.
	Batches   *int64       `yaml:"max-in-flight-batches"`
	Bytes     *config.Size `yaml:"max-in-flight-bytes"`
	PerSecond *int         `yaml:"max-batches-per-second"`
}

// registry is a version of the file, as calls are looked up in it.
type registry struct {
	tokens map[[sha256.Size]byte]*Identity
	// certificates are by kind and name: "uri:spiffe://example.org/x".
	certificates map[string]*Identity
	users        map[userKey]*User
}

// FileError says what is wrong with a file of identities. It holds no token.
type FileError struct {
	// Path is the file's path.
	Path string
	// Identity is the name of the identity in question, or "identities[N]"; empty: the file itself.
	Identity string
	// Err is what is wrong.
	Err error
}

// Error implements error.
func (e *FileError) Error() string {
	if e.Identity == "" {
		return fmt.Sprintf("auth-file: %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("auth-file: %s: %s: %v", e.Path, e.Identity, e.Err)
}

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// Callers knows who callers are by a file, which it reads anew as it changes. It is a
// [reload.Checker].
type Callers struct {
	file   *reload.Value[*registry]
	logger *slog.Logger
	users  bool // whether there are Valkey users
	// quotas, by name, and known are those of the last version, used while the file is read.
	quotas  map[string]*quota
	known   map[userKey]*User
	changed func()
}

// Open reads a file of identities. valkeyUsers says whether there is a Valkey whose users
// identities can be. Its error is a [*FileError], or the file system's.
func Open(path string, valkeyUsers bool, logger *slog.Logger) (*Callers, error) {
	c := &Callers{quotas: make(map[string]*quota), users: valkeyUsers, logger: logger}
	var err error
	c.file, err = reload.New("identities of callers", []string{path}, func(files reload.Files) (*registry, error) {
		return c.parse(path, files[path])
	}, logger)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parse makes a registry of the file. Only where all of it is right do limits change.
func (c *Callers) parse(path string, data []byte) (*registry, error) {
	var doc document
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, &FileError{Path: path, Err: withoutValues(err)}
	}
	var all yaml.Node
	if err := yaml.Unmarshal(data, &all); err != nil {
		return nil, &FileError{Path: path, Err: withoutValues(err)}
	}
	if line, key := withoutValue(&all, ""); line > 0 && key != "" {
		return nil, &FileError{Path: path, Err: fmt.Errorf("line %d: %s: a value is missing: leave out what is not to be set; an empty list is []", line, key)}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, &FileError{Path: path, Err: errors.New("more than one document")}
	}
	if len(doc.Identities) == 0 {
		// Most likely a file that is being written; to let nobody in, stop the server.
		return nil, &FileError{Path: path, Err: errors.New("it has no identities")}
	}
	r := &registry{tokens: make(map[[sha256.Size]byte]*Identity), certificates: make(map[string]*Identity), users: make(map[userKey]*User)}
	names := make(map[string]limits)
	quotas := make(map[string]*quota)
	for i := range doc.Identities {
		e := &doc.Identities[i]
		where := e.Name
		if !validName(e.Name) {
			where = fmt.Sprintf("identities[%d]", i)
		}
		l, err := c.add(r, e, quotas)
		if _, twice := names[e.Name]; err == nil && twice {
			err = errors.New("the name stands for another identity already")
		}
		if err != nil {
			return nil, &FileError{Path: path, Identity: where, Err: err}
		}
		names[e.Name] = l
	}
	for name, q := range quotas {
		q.set(names[name])
	}
	c.quotas, c.known = quotas, r.users
	return r, nil
}

// withoutValue finds the first key that null, or nothing, follows, or that has a list with such an
// element; line is 0 where there is none. It would be taken for one that is left out, and so let
// a caller do what it was to forbid.
func withoutValue(n *yaml.Node, under string) (line int, key string) {
	for i, child := range n.Content {
		key := under
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			key = n.Content[i-1].Value
		}
		value := child
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if value.ShortTag() == "!!null" {
			return child.Line, key
		}
		if line, key := withoutValue(child, key); line > 0 {
			return line, key
		}
	}
	return 0, ""
}

// quoted is how the parser of YAML quotes a value of the file.
var quoted = regexp.MustCompile("`[^`]*`")

// withoutValues leaves out of an error what the file holds: it may be a token that was put there
// by mistake.
func withoutValues(err error) error {
	return errors.New(quoted.ReplaceAllString(err.Error(), "value"))
}

// add takes an identity into a registry.
func (c *Callers) add(r *registry, e *entry, quotas map[string]*quota) (limits, error) {
	if !validName(e.Name) {
		return limits{}, fmt.Errorf("name: 1 to %d printable characters without spaces are needed", maxName)
	}
	access, err := command.NewAccess(e.Allow, e.Deny, e.Keys)
	if err != nil {
		return limits{}, err
	}
	l, err := e.limits()
	if err != nil {
		return limits{}, err
	}
	q := c.quotas[e.Name]
	if q == nil {
		q = &quota{}
	}
	quotas[e.Name] = q
	user, err := c.user(e, r.users)
	if err != nil {
		return l, err
	}
	who := &Identity{Name: e.Name, Access: access, User: user, quota: q}
	if len(e.Tokens)+len(e.Certificates) == 0 {
		return l, errors.New("tokens or certificates are needed: nothing tells who it is")
	}
	for i, text := range e.Tokens {
		hash, ok := parseHash(text)
		switch {
		case !ok:
			return l, fmt.Errorf("tokens[%d]: it is not \"sha256:\" and 64 hexadecimal digits, as \"valkeybatch-server token\" prints them", i)
		case r.tokens[hash] != nil:
			return l, fmt.Errorf("tokens[%d]: it stands at %s already", i, r.tokens[hash].Name)
		}
		r.tokens[hash] = who
	}
	for i, text := range e.Certificates {
		name, ok := parseCertificateName(text)
		switch {
		case !ok:
			return l, fmt.Errorf("certificates[%d]: %q is not uri:, dns: or email: and a name", i, text)
		case r.certificates[name] != nil:
			return l, fmt.Errorf("certificates[%d]: %q stands at %s already", i, text, r.certificates[name].Name)
		}
		r.certificates[name] = who
	}
	return l, nil
}

func (e *entry) limits() (limits, error) {
	var l limits
	if e.Batches != nil {
		if l.batches = *e.Batches; l.batches < 1 || l.batches > 1_000_000 {
			return l, fmt.Errorf("%s: %d is out of range: 1 to 1000000 are allowed", settingBatches, l.batches)
		}
	}
	if e.Bytes != nil {
		if l.bytes = int64(*e.Bytes); *e.Bytes < config.KiB || *e.Bytes > config.TiB {
			return l, fmt.Errorf("%s: %v is out of range: 1KiB to 1TiB are allowed", settingBytes, *e.Bytes)
		}
	}
	if e.PerSecond != nil {
		if l.perSecond = *e.PerSecond; l.perSecond < 1 || l.perSecond > 10_000_000 {
			return l, fmt.Errorf("%s: %d is out of range: 1 to 10000000 are allowed", settingRate, l.perSecond)
		}
	}
	return l, nil
}

// maxName is the longest name of an identity, in bytes.
const maxName = 64

func validName(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

// hashPrefix begins the hash of a token.
const hashPrefix = "sha256:"

func parseHash(text string) (hash [sha256.Size]byte, ok bool) {
	digits, ok := strings.CutPrefix(text, hashPrefix)
	if !ok || hex.DecodedLen(len(digits)) != len(hash) || len(digits)%2 != 0 {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(digits))
	return hash, err == nil
}

func parseCertificateName(text string) (name string, ok bool) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case rest == "":
		return "", false
	case kind == kindDNS:
		return kind + ":" + strings.ToLower(rest), true
	case kind == kindURI, kind == kindEmail:
		return text, true
	default:
		return "", false
	}
}
