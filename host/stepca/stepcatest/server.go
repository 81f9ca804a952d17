package stepcatest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// server is a running step-ca.
type server struct {
	p        *hosttest.Process
	file     string // its ca.json
	password string // as it was when it was started: a reload does not read it again
	config   config
}

// config is a ca.json as the server has read it.
type config struct {
	Root         string   `json:"root"`
	Intermediate string   `json:"crt"`
	Key          string   `json:"key"`
	Address      string   `json:"address"`
	Names        []string `json:"dnsNames"`
	DB           struct {
		Directory string `json:"dataSource"`
	} `json:"db"`
	Authority struct {
		Provisioners []struct {
			Type, Name, EncryptedKey string
			Claims                   claims
		} `json:"provisioners"`
		Claims claims `json:"claims"`
		Policy struct {
			X509 struct {
				Allow struct {
					DNS []string `json:"dns"`
				} `json:"allow"`
				Wildcards bool `json:"allowWildcardNames"`
			} `json:"x509"`
		} `json:"policy"`
	} `json:"authority"`

	root, intermediate *x509.Certificate
	key                *ecdsa.PrivateKey
}

type claims struct {
	Default string `json:"defaultTLSCertDuration"`
	Max     string `json:"maxTLSCertDuration"`
}

// server is step-ca CONFIG --password-file FILE, or what its shell runs for a SIGHUP.
func (ca *CA) server(p *hosttest.Process) int {
	args := p.Args[1:]
	if len(args) == 1 && args[0] == "reload" {
		return ca.reload(p)
	}
	o, err := parse(args, "password-file", "")
	if err == nil && len(o.args) != 1 {
		err = errors.New("'step-ca' requires the <config> argument")
	}
	s := &server{p: p}
	if err == nil {
		s.file = o.args[0]
		s.password, err = password(p, o.get("password-file"))
	}
	if err == nil {
		s.config, err = readConfig(p, s.file, s.password)
	}
	if err == nil {
		err = openDatabase(p, s.config.DB.Directory)
	}
	ca.mu.Lock()
	if err == nil && ca.serving() != nil {
		err = fmt.Errorf("listen tcp %s: bind: address already in use", s.config.Address)
	}
	if err != nil {
		ca.mu.Unlock()
		fmt.Fprintln(p.Stderr(), err)
		return 1
	}
	ca.running = s
	ca.starts++
	ca.mu.Unlock()
	fmt.Fprintf(p.Stdout(), "Serving HTTPS on %s ...\n", s.config.Address)
	<-p.Context().Done()
	return 0
}

// serving returns the server that runs; nil if none does. A process that was killed has not returned: the kernel knows
// that it is gone, and its port free, before anybody else does. The caller holds ca.mu.
func (ca *CA) serving() *server {
	if ca.running != nil && ca.running.p.Context().Err() != nil {
		ca.running = nil
	}
	return ca.running
}

// reload reads the configuration again; one that is wrong leaves the server with the old one.
func (ca *CA) reload(p *hosttest.Process) int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	fmt.Fprintln(p.Stdout(), "reloading ...")
	s := ca.serving()
	if s == nil {
		return 1
	}
	c, err := readConfig(p, s.file, s.password)
	if err != nil {
		fmt.Fprintf(p.Stderr(), "error reloading server: %v\n", err)
		return 1
	}
	s.config = c
	ca.reloads++
	return 0
}

// readConfig reads and verifies a ca.json as the server does when it starts.
func readConfig(p *hosttest.Process, name, secret string) (c config, err error) {
	text, err := read(p, name)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("error parsing %s: %w", name, err)
	}
	for file, to := range map[string]**x509.Certificate{c.Root: &c.root, c.Intermediate: &c.intermediate} {
		b, err := read(p, file)
		if err != nil {
			return c, err
		}
		if *to, err = parseCertificate(b); err != nil {
			return c, err
		}
	}
	b, err := read(p, c.Key)
	if err != nil {
		return c, err
	}
	if c.key, err = decodeKey(b, secret); err != nil {
		return c, err
	}
	if !c.key.PublicKey.Equal(c.intermediate.PublicKey) {
		return c, errors.New("error creating CA: the key is not that of the intermediate certificate")
	}
	if st, err := p.Machine().FS().Stat(c.DB.Directory); err != nil || !st.IsDir() || int(st.UID) != p.UID() {
		return c, fmt.Errorf("error opening Badger database: Invalid Dir: %q: permission denied", c.DB.Directory)
	}
	for _, n := range c.Authority.Policy.X509.Allow.DNS {
		if strings.Contains(strings.TrimPrefix(n, "*."), "*") || strings.HasPrefix(n, ".") {
			return c, fmt.Errorf("cannot parse permitted domain constraint %q", n)
		}
	}
	return c, nil
}

// openDatabase reads the log of the database, whose entries are lines here. It does not open one that
// ends in half an entry.
func openDatabase(p *hosttest.Process, dir string) error {
	b, err := p.Machine().FS().ReadFile(logOf(dir))
	end := bytes.LastIndexByte(b, '\n') + 1
	if err != nil || end == len(b) {
		return nil
	}
	fmt.Fprintf(p.Stderr(), "badger WARNING: Truncate Needed. File %s size: %d Endoffset: %d\n", logOf(dir), len(b), end)
	return errors.New("Error opening database of Type badgerv2: error opening Badger database: During db.vlog.open: " +
		"Value log truncate required to run DB. This might result in data loss")
}

func logOf(dir string) string { return dir + "/000000.vlog" }

// note adds an entry to the database.
func (s *server) note(entry string) error {
	fs := s.p.Machine().FS()
	name := logOf(s.config.DB.Directory)
	b, _ := fs.ReadFile(name) // there is none at first
	if err := fs.WriteFile(name, append(b, entry+"\n"...)); err != nil {
		return err
	}
	return fs.Chown(name, s.p.UID(), s.p.GID())
}

// contact finds the server that an option --ca-url leads to, verified against a root if there is one.
func (ca *CA) contact(p *hosttest.Process, o options, root *x509.Certificate) (*server, error) {
	address := strings.TrimPrefix(o.get("ca-url"), "https://")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("error parsing URL %s", o.get("ca-url"))
	}
	s := ca.serving()
	if s == nil || !strings.HasSuffix(s.config.Address, ":"+port) || host != "localhost" {
		return nil, fmt.Errorf("client GET https://%s/health failed: dial tcp 127.0.0.1:%s: connect: connection refused",
			address, port)
	}
	if root != nil && !slices.Contains(s.config.Names, host) {
		return nil, fmt.Errorf("x509: certificate is valid for %s, not %s", strings.Join(s.config.Names, ", "), host)
	}
	if root != nil && s.config.intermediate.CheckSignatureFrom(root) != nil {
		return nil, errors.New("x509: certificate signed by unknown authority")
	}
	return s, nil
}

// trusted reads the certificate of the option --root.
func trusted(p *hosttest.Process, o options) (*x509.Certificate, error) {
	b, err := read(p, o.get("root"))
	if err != nil {
		return nil, err
	}
	return parseCertificate(b)
}

// permits returns why the policy does not let a name be certified. A star stands for one level.
func (c config) permits(name string) error {
	policy := c.Authority.Policy.X509
	bare, wildcard := strings.CutPrefix(name, "*.")
	if wildcard && !policy.Wildcards {
		return fmt.Errorf("dns name %q not allowed: wildcard", name)
	}
	for _, allow := range policy.Allow.DNS {
		zone, below := strings.CutPrefix(allow, "*.")
		_, parent, _ := strings.Cut(name, ".")
		if name == allow || below && parent == zone && !wildcard || wildcard && below && bare == zone {
			return nil
		}
	}
	if len(policy.Allow.DNS) == 0 {
		return nil
	}
	return fmt.Errorf("dns name %q not allowed", name)
}

// validity returns for how long a certificate of the provisioner is valid that was asked for.
func (c config) validity(own claims, asked string) (time.Duration, error) {
	first := func(values ...string) time.Duration {
		for _, v := range values {
			if d, err := time.ParseDuration(v); err == nil {
				return d
			}
		}
		return 24 * time.Hour
	}
	most, d := first(own.Max, c.Authority.Claims.Max), first(own.Default, c.Authority.Claims.Default)
	if asked != "" {
		var err error
		if d, err = time.ParseDuration(asked); err != nil {
			return 0, fmt.Errorf("invalid value '%s' for flag '--not-after'", asked)
		}
	}
	if d > most || d < 5*time.Minute {
		return 0, fmt.Errorf("requested duration of %s is less than 5m or more than the authorized maximum "+
			"certificate duration of %s", d, most)
	}
	return d, nil
}
