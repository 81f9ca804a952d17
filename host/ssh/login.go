package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// login connects to one machine of the chain and logs in.
func (c *Conn) login(ctx context.Context, l *link, t Target, addr string,
	connect func(context.Context) (net.Conn, error)) (*hop, error) {
	verifier, err := t.HostKeys.verifier(t.name(), addr)
	if err != nil {
		return nil, err
	}
	for _, o := range verifier.known.odd {
		c.target.log().Warn("a line of known_hosts is skipped", "machine", t.name(), "file", o.file, "line", o.number, "why", o.why)
	}
	limit := t.connectTimeout()
	timeout := fmt.Errorf("%w: %w after %s", lab.ErrUnreachable, lab.ErrTimeout, limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, timeout)
	defer cancel()
	creds, err := t.Auth.load(ctx, t.name(), c.target.log())
	if err != nil {
		return nil, err
	}
	defer creds.close()
	nc, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	w := newWire(nc)
	if len(l.hops) == len(c.target.Jump) { // the machine itself
		w.sent, w.received = &c.sent, &c.received
	}
	stop := context.AfterFunc(ctx, func() {
		if len(l.hops) > 0 {
			l.cut() // closing a channel of a jump that does not respond would not end it
		}
		w.Close()
	})
	sc, channels, requests, err := ssh.NewClientConn(w, addr, &ssh.ClientConfig{
		User:              t.User,
		Auth:              creds.methods,
		HostKeyCallback:   verifier.verify,
		HostKeyAlgorithms: verifier.algorithms(),
		ClientVersion:     "SSH-2.0-lab",
		BannerCallback: func(message string) error {
			creds.banner = message
			return nil
		},
	})
	if !stop() && err == nil {
		sc.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, loginError(ctx, t, addr, creds, verifier, err)
	}
	return &hop{ssh.NewClient(sc, channels, requests), w, verifier.fingerprint}, nil
}

// loginError says why the key exchange or the authentication failed. Package ssh has no types for most
// of its errors.
func loginError(ctx context.Context, t Target, addr string, creds *credentials, v *hostKeyVerifier, err error) error {
	e := &lab.Error{Op: "log in", Target: t.name(), Path: t.User + "@" + addr}
	text := strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	contains := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case v.err != nil:
		return v.err
	case ctx.Err() != nil:
		e.Err = context.Cause(ctx)
	case errors.As(err, &negotiation):
		e.Hint = "update its OpenSSH"
		e.Err = fmt.Errorf("%w: %s", lab.ErrUnreachable, strings.TrimPrefix(text, "ssh: "))
	case v.fingerprint == "":
		e.Hint = "is it an SSH server? nc " + ncAddress(addr) +
			" shows its greeting; sshd rejects connections when too many are logging in (MaxStartups)"
		e.Err = fmt.Errorf("%w: the connection ended before the machine had sent its host key: %s",
			lab.ErrUnreachable, text)
	case len(creds.unsigned) > 0:
		e.Hint = "see that it is unlocked, and confirm or touch when it asks: ssh-add -T ID.pub tries one key"
		e.Err = fmt.Errorf("%w: the ssh-agent did not sign with %s", lab.ErrUnauthorized, strings.Join(creds.unsigned, ", "))
	case contains("Too many authentication failures"):
		e.Hint = "an ssh-agent offers all that it holds, see ssh-add -l; offer the right key first, or alone"
		e.Set.Name = SettingKey
		e.Err = fmt.Errorf("%w: the machine accepts no more attempts (MaxAuthTries) after so many keys: %s",
			lab.ErrUnauthorized, creds.describe())
	case strings.Contains(creds.banner, "pam_nologin(8)"):
		// what systemd has written into /run/nologin, until the machine has booted or is down
		e.Hint = "wait until it has booted; as root, on the machine: systemctl list-jobs; rm /run/nologin"
		e.Err = fmt.Errorf("%w: the machine is booting or going down, and says: %s", lab.ErrUnreachable,
			lastLines(creds.banner, 5))
	case creds.banner != "" && !contains("unable to authenticate"):
		// PAM refuses an account that is accepted otherwise: it has expired, or nobody may log in now
		e.Hint = "on the machine, as root: chage -l " + Quote(t.User) + "; ls /run/nologin /etc/nologin; journalctl -u ssh"
		e.Err = fmt.Errorf("%w: the machine ended the login, and says: %s", lab.ErrUnauthorized, lastLines(creds.banner, 5))
	case contains("unable to authenticate", "ssh: disconnect", "ssh: no common public key", notAPassword):
		e.Hint = "put the public key into ~" + t.User +
			"/.ssh/authorized_keys on the machine; its journal says why it refuses: journalctl -u ssh"
		e.Err = fmt.Errorf("%w: %s; offered %s", lab.ErrUnauthorized, triedMethods(text), creds.describe())
	default:
		e.Hint = "the machine's journal says why: journalctl -u ssh; an account that expired ends so: chage -l " + Quote(t.User)
		e.Err = fmt.Errorf("%w: the connection ended during the login: %s", lab.ErrUnreachable, text)
	}
	return lab.NotSent(e)
}

// triedMethods extracts from an authentication error of package ssh which methods were tried.
func triedMethods(text string) string {
	_, after, ok := strings.Cut(text, "attempted methods [")
	if !ok {
		return strings.TrimPrefix(text, "ssh: ")
	}
	tried, _, _ := strings.Cut(after, "]")
	if tried == "none" {
		return "the machine accepts none of the methods for which there is a key or a password"
	}
	return "tried " + strings.TrimPrefix(strings.ReplaceAll(tried, " ", ", "), "none, ")
}
