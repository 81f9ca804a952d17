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

// Auth says how to log in. What is set is tried in the order of the fields; a key that the machine does not know costs a round trip, and
// many end the login (MaxAuthTries of sshd, 6), so the right one should come first.
type Auth struct {
	Signers  []ssh.Signer // keys in memory
	KeyFiles []KeyFile

	// AgentSocket is the socket of an ssh-agent whose keys are used; empty means none. Pass os.Getenv("SSH_AUTH_SOCK") to use the user's.
	// It is on this side, so the boundary is not asked.
	AgentSocket string

	// Password answers the methods "password" and "keyboard-interactive"; empty means that these are not tried.
	Password lab.Secret
}

// KeyFile is a private key in a file, in OpenSSH's format or PEM.
type KeyFile struct {
	Path        string
	Passphrase  lab.Secret // empty means that the key is not encrypted
	Certificate string     // file of its OpenSSH certificate; empty means Path + "-cert.pub" when that exists
}

func (a Auth) problems() (ps lab.Problems) {
	for i, k := range a.KeyFiles {
		if k.Path == "" {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("keyFiles[%d].path", i), Message: "empty"})
		}
	}
	if len(a.Signers)+len(a.KeyFiles) == 0 && a.AgentSocket == "" && a.Password.IsZero() {
		ps = append(ps, lab.Problem{Message: "no way to log in", Hint: "set a key file, a signer, the socket of an ssh-agent, or a password"})
	}
	return ps
}

// login is an Auth made ready for one connection.
type login struct {
	methods []ssh.AuthMethod
	keys    []string // what is offered, for the error when nothing is accepted
	agent   net.Conn // nil without an ssh-agent
	leave   func() bool
}

func (l *login) close() {
	if l.agent != nil {
		l.leave()
		l.agent.Close()
	}
}

// login reads the keys. All that is wrong with them is in the error.
func (a Auth) login(ctx context.Context, target string) (*login, error) {
	l := &login{}
	var signers []ssh.Signer
	var errs []error
	add := func(from string, ss ...ssh.Signer) {
		for _, s := range ss {
			signers = append(signers, s)
			l.keys = append(l.keys, describeKey(s.PublicKey(), time.Now())+from)
		}
	}
	add("", a.Signers...)
	for _, k := range a.KeyFiles {
		ss, err := k.signers(target)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		add(" "+k.Path, ss...)
	}
	if a.AgentSocket != "" {
		ss, err := l.agentSigners(ctx, a.AgentSocket, target)
		if err != nil {
			errs = append(errs, err)
		}
		add(" of the ssh-agent", ss...)
	}
	if len(errs) > 0 {
		l.close()
		return nil, lab.NotSent(errors.Join(errs...))
	}
	if len(signers) > 0 {
		l.methods = append(l.methods, ssh.PublicKeys(signers...))
	}
	if !a.Password.IsZero() {
		l.methods = append(l.methods, ssh.Password(a.Password.Reveal()), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echos []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range questions {
					if echos[i] {
						return nil, fmt.Errorf("the machine asks %q, which is not for a password", questions[i])
					}
					answers[i] = a.Password.Reveal()
				}
				return answers, nil
			}))
	}
	return l, nil
}

func (l *login) agentSigners(ctx context.Context, socket, target string) ([]ssh.Signer, error) {
	fail := func(err error) ([]ssh.Signer, error) {
		return nil, &lab.Error{Op: "ask ssh-agent", Target: target, Path: socket, Hint: "see what it holds: SSH_AUTH_SOCK=" + Quote(socket) + " ssh-add -l", Err: err}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	}
	l.agent = conn
	l.leave = context.AfterFunc(ctx, func() { conn.Close() }) // it may ask a person, who is not there
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

// signers returns the key, its certificate first when there is one.
func (k KeyFile) signers(target string) ([]ssh.Signer, error) {
	fail := func(path, hint string, err error) ([]ssh.Signer, error) {
		return nil, &lab.Error{Op: "read key", Target: target, Path: path, Hint: hint, Err: err}
	}
	b, err := os.ReadFile(k.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(k.Path, "ssh-keygen -t ed25519 -f "+Quote(k.Path)+" makes one", fmt.Errorf("%w: no such file", lab.ErrNotFound))
	case errors.Is(err, fs.ErrPermission):
		return fail(k.Path, "ls -l "+Quote(k.Path), fmt.Errorf("%w: this user may not read it", lab.ErrUnauthorized))
	case err != nil:
		return fail(k.Path, "", err)
	}
	if st, err := os.Stat(k.Path); err == nil && st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fail(k.Path, "chmod 600 "+Quote(k.Path), fmt.Errorf("%w: others may read it (mode %04o)", lab.ErrRefused, st.Mode().Perm()))
	}
	var signer ssh.Signer
	if k.Passphrase.IsZero() {
		signer, err = ssh.ParsePrivateKey(b)
	} else {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(b, []byte(k.Passphrase.Reveal()))
	}
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return fail(k.Path, "set its passphrase, or add the key to an ssh-agent and set that", fmt.Errorf("%w: it is encrypted, and there is no passphrase for it", lab.ErrUnauthorized))
	case err != nil && bytes.HasPrefix(bytes.TrimSpace(b), []byte("ssh-")):
		return fail(k.Path, "name the file without .pub", fmt.Errorf("%w: this is the public half", lab.ErrInvalid))
	case err != nil && !k.Passphrase.IsZero():
		return fail(k.Path, "ssh-keygen -y -f "+Quote(k.Path)+" asks for the passphrase and tells whether it is the right one", fmt.Errorf("%w: %w", lab.ErrUnauthorized, err))
	case err != nil:
		return fail(k.Path, "ssh-keygen -y -f "+Quote(k.Path)+" must be able to read it", fmt.Errorf("%w: %w", lab.ErrInvalid, err))
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
		return fail(path, "ssh-keygen -L -f "+Quote(path), fmt.Errorf("%w: it is not for the key %s", lab.ErrInvalid, k.Path))
	}
	return []ssh.Signer{certified, signer}, nil
}

// describeKey returns type and fingerprint, and of a certificate what may keep it from being accepted.
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
