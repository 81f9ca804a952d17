package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
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
	Path       string
	Passphrase lab.Secret // empty means that the key is not encrypted

	// Certificate is the file of its OpenSSH certificate. Empty means Path + "-cert.pub", if that exists
	// and is a certificate of this key; if not, it is skipped with a warning, as by ssh(1).
	Certificate string
}

func (a Auth) validate() (ps lab.Problems) {
	for i, k := range a.KeyFiles {
		if k.Path == "" {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("keyFiles[%d].path", i), Message: "empty"})
		}
	}
	if len(a.Signers)+len(a.KeyFiles) == 0 && a.AgentSocket == "" && a.Password.IsZero() {
		ps = append(ps, lab.Problem{Message: "no way to log in",
			Hint: "name a private key, an ssh-agent or a password", Set: lab.Setting{Name: SettingKey}})
	}
	return ps
}

// credentials are the keys and passwords of an Auth, loaded for one connection.
type credentials struct {
	methods   []ssh.AuthMethod
	signers   []ssh.Signer
	keys      []string // descriptions of the signers
	unsigned  []string // descriptions of the keys that the ssh-agent did not sign with
	banner    string   // what the machine said before the end of the login
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
func (a Auth) load(ctx context.Context, target string, log *slog.Logger) (*credentials, error) {
	c := &credentials{}
	var errs []error
	c.add("", a.Signers...)
	for _, k := range a.KeyFiles {
		signers, err := k.signers(target, log)
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
		c.methods = append(c.methods, ssh.Password(a.Password.Reveal()), ssh.KeyboardInteractive(a.answerer()))
	}
	return c, nil
}

// notAPassword is part of the error if the machine asks for something else. loginError looks for it.
const notAPassword = "which is not for a password"

// answerer returns a function that answers the questions of keyboard-interactive authentication. The
// password answers the first of them: any other is for a code, or for a new password.
func (a Auth) answerer() ssh.KeyboardInteractiveChallenge {
	answered := false
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if echos[i] || answered {
				return nil, fmt.Errorf("the machine asks %q, "+notAPassword, questions[i])
			}
			answers[i], answered = a.Password.Reveal(), true
		}
		return answers, nil
	}
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
	if err != nil {
		err = fmt.Errorf("%w: it does not answer as an ssh-agent does", lab.ErrInvalid)
	} else if len(signers) == 0 {
		err = fmt.Errorf("%w: it holds no key", lab.ErrNotFound)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fail(err)
	}
	for i, signer := range signers {
		signers[i] = &agentSigner{signer, c}
	}
	return signers, nil
}

// agentSigner is a key of an ssh-agent. If the agent does not sign, because a person did not confirm it
// or a security key is not plugged in, the machine is sent what it will refuse: package ssh would end
// the login, where ssh(1) goes on to the next key.
type agentSigner struct {
	ssh.Signer
	creds *credentials
}

func (s *agentSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	by, ok := s.Signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	signature, err := by.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		s.creds.unsigned = append(s.creds.unsigned, describeKey(s.PublicKey(), time.Now()))
		if algorithm == "" {
			algorithm = s.PublicKey().Type()
		}
		return &ssh.Signature{Format: algorithm, Blob: make([]byte, 64)}, nil
	}
	return signature, nil
}

// signers returns the key, preceded by its certificate if there is one.
func (k KeyFile) signers(target string, log *slog.Logger) ([]ssh.Signer, error) {
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
	certified, path, err := k.certified(signer)
	switch {
	case err == nil && certified == nil:
		return []ssh.Signer{signer}, nil
	case err == nil:
		return []ssh.Signer{certified, signer}, nil
	case k.Certificate == "":
		log.Warn("a certificate is skipped", "machine", target, "file", path, "why", err.Error())
		return []ssh.Signer{signer}, nil
	}
	return fail(path, "ssh-keygen -L -f "+Quote(path), err)
}

// certified returns the key with its certificate, and the path of that; nil if there is none.
func (k KeyFile) certified(key ssh.Signer) (certified ssh.Signer, path string, err error) {
	if path = k.Certificate; path == "" {
		path = k.Path + "-cert.pub"
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && k.Certificate == "":
		return nil, path, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, path, fmt.Errorf("%w: no such file", lab.ErrNotFound)
	case err != nil:
		return nil, path, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(b)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		return nil, path, fmt.Errorf("%w: not an OpenSSH certificate", lab.ErrInvalid)
	}
	if certified, err = ssh.NewCertSigner(cert, key); err != nil {
		return nil, path, fmt.Errorf("%w: it is not for the key %s", lab.ErrInvalid, k.Path)
	}
	return certified, path, nil
}

// parse reads the content of the file. It returns a hint with an error. What package ssh says about the
// content is not passed on: it may repeat a part of it.
func (k KeyFile) parse(b []byte) (signer ssh.Signer, hint string, err error) {
	signer, err = ssh.ParsePrivateKey(b)
	var missing *ssh.PassphraseMissingError
	locked := errors.As(err, &missing)
	if locked && !k.Passphrase.IsZero() {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(b, []byte(k.Passphrase.Reveal()))
	}
	text := bytes.TrimSpace(b)
	begins := func(beginning string) bool { return bytes.HasPrefix(text, []byte(beginning)) }
	switch {
	case err == nil:
		return signer, "", nil
	case locked && k.Passphrase.IsZero():
		return nil, "set its passphrase, or add the key to an ssh-agent and set the agent's socket",
			fmt.Errorf("%w: it is encrypted, and no passphrase is set", lab.ErrUnauthorized)
	case locked:
		return nil, "try the passphrase: ssh-keygen -y -f " + Quote(k.Path) +
				"; if that works, encrypt the key in the usual way: ssh-keygen -p -Z aes256-ctr -f " + Quote(k.Path),
			fmt.Errorf("%w: the passphrase does not decrypt it", lab.ErrUnauthorized)
	case begins("ssh-"), begins("ecdsa-"), begins("sk-"):
		return nil, "name the file without .pub", fmt.Errorf("%w: this is the public half", lab.ErrInvalid)
	case begins("PuTTY-"):
		return nil, "puttygen " + Quote(k.Path) + " -O private-openssh-new -o ID",
			fmt.Errorf("%w: a key of PuTTY", lab.ErrInvalid)
	case begins("-----BEGIN ENCRYPTED PRIVATE KEY"), bytes.Contains(text, []byte("\n-----BEGIN ENCRYPTED PRIVATE KEY")):
		return nil, "write it in OpenSSH's format: ssh-keygen -p -f " + Quote(k.Path),
			fmt.Errorf("%w: it is encrypted in PKCS #8, which is not supported", lab.ErrInvalid)
	case strings.Contains(err.Error(), "unhandled key type"): // a key that is in a security key, most often
		return nil, "add it to an ssh-agent, ssh-add " + Quote(k.Path) + ", and set the agent's socket",
			fmt.Errorf("%w: a key of this type is used through an ssh-agent only", lab.ErrInvalid)
	}
	return nil, "ssh-keygen -y -f " + Quote(k.Path) + " must be able to read it",
		fmt.Errorf("%w: not a private key, or damaged", lab.ErrInvalid)
}

// describeKey returns a key's type and fingerprint, and for a certificate what may prevent it from
// being accepted.
func describeKey(key ssh.PublicKey, now time.Time) string {
	if k, ok := key.(*agent.Key); ok { // package agent does not parse its keys
		if parsed, err := ssh.ParsePublicKey(k.Blob); err == nil {
			key = parsed
		}
	}
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
