package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Auth says how to log in. The methods are tried in the order of the fields. A key that the machine
// does not know costs a round trip, and too many of them end the login (MaxAuthTries of sshd, 6 by
// default), so the right key should come first.
type Auth struct {
	Signers  []ssh.Signer // keys in memory
	KeyFiles []KeyFile

	// AgentSocket is the socket of an ssh-agent whose keys are used; empty means none. Pass
	// os.Getenv("SSH_AUTH_SOCK") to use the user's own. The boundary does not apply to it, because
	// it is on this side of the connection.
	AgentSocket string

	// Password answers the methods "password" and "keyboard-interactive"; empty means that neither is
	// tried.
	Password lab.Secret
}

// KeyFile is a private key in a file, in OpenSSH's format or PEM.
type KeyFile struct {
	Path        string
	Passphrase  lab.Secret // empty means that the key is not encrypted
	Certificate string     // file of its OpenSSH certificate; empty means Path + "-cert.pub" if that exists
}

func (a Auth) validate() (ps lab.Problems) {
	for i, k := range a.KeyFiles {
		if k.Path == "" {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("keyFiles[%d].path", i), Message: "empty"})
		}
	}
	if len(a.Signers)+len(a.KeyFiles) == 0 && a.AgentSocket == "" && a.Password.IsZero() {
		ps = append(ps, lab.Problem{Message: "no way to log in",
			Hint: "set a key file, a signer, the socket of an ssh-agent, or a password"})
	}
	return ps
}

// credentials are the keys and passwords of an Auth, loaded for one connection.
type credentials struct {
	methods   []ssh.AuthMethod
	signers   []ssh.Signer
	keys      []string // descriptions of the signers
	agent     net.Conn // nil without an ssh-agent
	stopAgent func() bool
}

func (c *credentials) close() {
	if c.agent != nil {
		c.stopAgent()
		c.agent.Close()
	}
}

func (c *credentials) add(from string, signers ...ssh.Signer) {
	for _, s := range signers {
		c.signers = append(c.signers, s)
		c.keys = append(c.keys, describeKey(s.PublicKey(), time.Now())+from)
	}
}

// describe returns the keys that are offered, for an error.
func (c *credentials) describe() string {
	if len(c.keys) == 0 {
		return "no key"
	}
	return strings.Join(c.keys, "; ")
}

// load reads the keys. Its error contains everything that is wrong with them.
func (a Auth) load(ctx context.Context, target string) (*credentials, error) {
	c := &credentials{}
	var errs []error
	c.add("", a.Signers...)
	for _, k := range a.KeyFiles {
		signers, err := k.signers(target)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.add(" "+k.Path, signers...)
	}
	if a.AgentSocket != "" {
		signers, err := c.agentSigners(ctx, a.AgentSocket, target)
		if err != nil {
			errs = append(errs, err)
		}
		c.add(" of the ssh-agent", signers...)
	}
	if len(errs) > 0 {
		c.close()
		return nil, lab.NotSent(errors.Join(errs...))
	}
	if len(c.signers) > 0 {
		c.methods = append(c.methods, ssh.PublicKeys(c.signers...))
	}
	if !a.Password.IsZero() {
		c.methods = append(c.methods, ssh.Password(a.Password.Reveal()), ssh.KeyboardInteractive(a.answer))
	}
	return c, nil
}

// notAPassword is part of the error if the machine asks for something else. loginError looks for it.
const notAPassword = "which is not for a password"

// answer answers the questions of keyboard-interactive authentication.
func (a Auth) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range questions {
		if echos[i] {
			return nil, fmt.Errorf("the machine asks %q, "+notAPassword, questions[i])
		}
		answers[i] = a.Password.Reveal()
	}
	return answers, nil
}

func (c *credentials) agentSigners(ctx context.Context, socket, target string) ([]ssh.Signer, error) {
	fail := func(err error) ([]ssh.Signer, error) {
		return nil, &lab.Error{Op: "ask ssh-agent", Target: target, Path: socket,
			Hint: "list its keys: SSH_AUTH_SOCK=" + Quote(socket) + " ssh-add -l", Err: err}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	}
	c.agent = conn
	c.stopAgent = context.AfterFunc(ctx, func() { conn.Close() }) // the agent may be waiting for a person to confirm
	signers, err := agent.NewClient(conn).Signers()
	if err == nil && len(signers) == 0 {
		err = fmt.Errorf("%w: it holds no key", lab.ErrNotFound)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fail(err)
	}
	return signers, nil
}

// signers returns the key, preceded by its certificate if there is one.
func (k KeyFile) signers(target string) ([]ssh.Signer, error) {
	fail := func(path, hint string, err error) ([]ssh.Signer, error) {
		return nil, &lab.Error{Op: "read key", Target: target, Path: path, Hint: hint, Err: err}
	}
	b, err := os.ReadFile(k.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(k.Path, "create one: ssh-keygen -t ed25519 -f "+Quote(k.Path),
			fmt.Errorf("%w: no such file", lab.ErrNotFound))
	case errors.Is(err, fs.ErrPermission):
		return fail(k.Path, "ls -l "+Quote(k.Path), fmt.Errorf("%w: permission denied", lab.ErrUnauthorized))
	case err != nil:
		return fail(k.Path, "", err)
	}
	if st, err := os.Stat(k.Path); err == nil && st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fail(k.Path, "chmod 600 "+Quote(k.Path),
			fmt.Errorf("%w: other users have access to it (mode %04o)", lab.ErrRefused, st.Mode().Perm()))
	}
	signer, hint, err := k.parse(b)
	if err != nil {
		return fail(k.Path, hint, err)
	}
	path := k.Certificate
	if path == "" {
		path = k.Path + "-cert.pub"
	}
	b, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && k.Certificate == "" {
		return []ssh.Signer{signer}, nil
	}
	if err != nil {
		return fail(path, "", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(b)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		return fail(path, "ssh-keygen -L -f "+Quote(path), fmt.Errorf("%w: not an OpenSSH certificate", lab.ErrInvalid))
	}
	certified, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		return fail(path, "ssh-keygen -L -f "+Quote(path),
			fmt.Errorf("%w: it is not for the key %s", lab.ErrInvalid, k.Path))
	}
	return []ssh.Signer{certified, signer}, nil
}

// parse reads the content of the file. It returns a hint with an error.
func (k KeyFile) parse(b []byte) (signer ssh.Signer, hint string, err error) {
	if k.Passphrase.IsZero() {
		signer, err = ssh.ParsePrivateKey(b)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(b, []byte(k.Passphrase.Reveal()))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return signer, "", nil
	case errors.As(err, &missing):
		return nil, "set its passphrase, or add the key to an ssh-agent and set the agent's socket",
			fmt.Errorf("%w: it is encrypted, and no passphrase is set", lab.ErrUnauthorized)
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("ssh-")):
		return nil, "name the file without .pub", fmt.Errorf("%w: this is the public half", lab.ErrInvalid)
	case !k.Passphrase.IsZero():
		return nil, "try the passphrase: ssh-keygen -y -f " + Quote(k.Path), fmt.Errorf("%w: %w", lab.ErrUnauthorized, err)
	}
	return nil, "ssh-keygen -y -f " + Quote(k.Path) + " must be able to read it", fmt.Errorf("%w: %w", lab.ErrInvalid, err)
}

// describeKey returns a key's type and fingerprint, and for a certificate what may prevent it from
// being accepted.
func describeKey(key ssh.PublicKey, now time.Time) string {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return key.Type() + " " + ssh.FingerprintSHA256(key)
	}
	s := fmt.Sprintf("certificate %q of %s %s", cert.KeyId, cert.Key.Type(), ssh.FingerprintSHA256(cert.Key))
	if len(cert.ValidPrincipals) > 0 {
		s += " for " + strings.Join(cert.ValidPrincipals, ", ")
	}
	at := uint64(now.Unix())
	switch {
	case cert.ValidBefore != ssh.CertTimeInfinity && at >= cert.ValidBefore:
		s += ", expired " + time.Unix(int64(cert.ValidBefore), 0).UTC().Format(time.RFC3339)
	case at < cert.ValidAfter:
		s += ", not valid before " + time.Unix(int64(cert.ValidAfter), 0).UTC().Format(time.RFC3339)
	}
	return s
}
