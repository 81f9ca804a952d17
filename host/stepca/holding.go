package stepca

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Where the authority is, on every machine that has it.
const (
	directory           = "/etc/step-ca"
	caJSON              = directory + "/config/ca.json"
	rootFile            = directory + "/certs/root_ca.crt"
	intermediateFile    = directory + "/certs/intermediate_ca.crt"
	intermediateKeyFile = directory + "/secrets/intermediate_ca_key"
	rootKeyFile         = directory + "/secrets/root_ca_key"
	passwordFile        = directory + "/password.txt"
	databaseDirectory   = directory + "/db"
)

// copiedFiles are what all machines have the same; secretFiles are those of them that are secret.
var (
	copiedFiles = []string{rootFile, intermediateFile, intermediateKeyFile, passwordFile, caJSON}
	secretFiles = []string{intermediateKeyFile, passwordFile}
)

// holding is what a machine has of an authority.
type holding struct {
	machine *host.Machine
	now     time.Time         // by the machine's clock
	seen    time.Time         // when that was, by ours
	sums    map[string]string // SHA-256 in hex by path
	content map[string][]byte // of the files that are not secret
	entries []string          // names in the directory
}

// relative returns paths without the directory, separated by spaces.
func relative(paths []string) string {
	var words []string
	for _, p := range paths {
		words = append(words, strings.TrimPrefix(p, directory+"/"))
	}
	return strings.Join(words, " ")
}

// look reads what a machine has, without its secrets.
func look(ctx context.Context, m *host.Machine) (*holding, error) {
	out, err := run(ctx, m, "look for an authority", shell("look", "dir", directory,
		"files", relative(append(slices.Clone(copiedFiles), rootKeyFile)),
		"public", relative([]string{rootFile, intermediateFile, caJSON})))
	if err != nil {
		return nil, err
	}
	h := &holding{machine: m, seen: time.Now(), sums: map[string]string{}, content: map[string][]byte{}}
	return h, h.parse(out)
}

// parse reads what sh/look.sh or sh/read.sh prints.
func (h *holding) parse(out string) error {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 2 && f[0] == "now":
			var s int64
			s, err = strconv.ParseInt(f[1], 10, 64)
			h.now = time.Unix(s, 0)
		case len(f) >= 2 && f[0] == "entry":
			h.entries = append(h.entries, f[1])
		case len(f) == 3 && f[0] == "file":
			h.sums[directory+"/"+f[1]] = f[2]
		case len(f) == 3 && f[0] == "content":
			h.content[directory+"/"+f[1]], err = base64.StdEncoding.DecodeString(f[2])
		case len(f) == 2 && f[0] == "content": // an empty file
		default:
			err = errors.New("an answer that is not understood")
		}
		if err != nil {
			return &lab.Error{Op: "look for an authority", Target: h.machine.Name(), Hint: "report this", Err: err}
		}
	}
	return nil
}

// secrets returns the content of secret files of the machine, by path.
func (h *holding) secrets(ctx context.Context, paths ...string) (map[string]lab.Secret, error) {
	out, err := run(ctx, h.machine, "read the authority", shell("read", "dir", directory, "files", relative(paths)))
	if err != nil {
		return nil, err
	}
	read := &holding{machine: h.machine, content: map[string][]byte{}}
	if err := read.parse(out); err != nil {
		return nil, err
	}
	found := map[string]lab.Secret{}
	for _, p := range paths {
		s := lab.NewSecret(string(read.content[p]))
		if sum(s.Reveal()) != h.sums[p] || s.IsZero() {
			return nil, &lab.Error{Op: "read the authority", Target: h.machine.Name(), Path: p, Hint: "plan again",
				Err: fmt.Errorf("%w: it is empty, or changed meanwhile", lab.ErrDrift)}
		}
		found[p] = s
	}
	return found, nil
}

// lookAll looks at all machines at once. The error names each that cannot be reached; its holding is nil.
func lookAll(ctx context.Context, machines []*host.Machine) ([]*holding, error) {
	found := make([]*holding, len(machines))
	errs := make([]error, len(machines))
	var g errgroup.Group
	for i, m := range machines {
		g.Go(func() error {
			found[i], errs[i] = look(ctx, m)
			if errs[i] != nil {
				found[i] = nil
			}
			return nil // one machine does not stop the others
		})
	}
	_ = g.Wait()
	return found, errors.Join(errs...)
}

func (h *holding) has(path string) bool { return h.sums[path] != "" }

// fingerprint returns that of the machine's root; "" if it has none, or if the file is no certificate.
func (h *holding) fingerprint() string {
	c, err := certificate(h.content[rootFile])
	if err != nil {
		return ""
	}
	return fingerprintOf(c.Raw)
}

// certificate parses the first certificate of a PEM file.
func certificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%w: no certificate in PEM", lab.ErrInvalid)
	}
	return x509.ParseCertificate(block.Bytes)
}

// fingerprintOf returns what step calls the fingerprint of a certificate in DER: its SHA-256 in hex.
func fingerprintOf(der []byte) string { return sum(string(der)) }

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
