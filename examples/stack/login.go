package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// login is how to log in, in the words of the command line.
type login struct {
	identities       []string
	passphrase, sudo string
	knownHosts       []string
	acceptNew        bool
}

func newTarget(ctx context.Context, to string, jumps []string, l login) (host.Target, error) {
	auth, keys, err := l.read()
	if err != nil {
		return host.Target{}, err
	}
	sudo, err := secret(l.sudo)
	if err != nil {
		return host.Target{}, err
	}
	t, err := parseTarget(to)
	if err != nil {
		return host.Target{}, err
	}
	t.Auth, t.HostKeys, t.SudoPassword = auth, keys, sudo
	for _, j := range jumps {
		jump, err := parseTarget(j)
		if err != nil {
			return host.Target{}, err
		}
		jump.Auth, jump.HostKeys = auth, keys
		t.Jump = append(t.Jump, jump)
	}
	t.Boundary, err = boundary(ctx, t)
	return t, err
}

func parseTarget(s string) (host.Target, error) {
	user, addr, ok := strings.Cut(s, "@")
	if !ok || user == "" || addr == "" {
		return host.Target{}, cli.Usage("%q is not USER@ADDR[:PORT]", s)
	}
	return host.Target{Name: addr, Address: addr, User: user}, nil
}

// boundary allows the machines of the command line and nothing else.
func boundary(ctx context.Context, t host.Target) (*lab.Boundary, error) {
	b := &lab.Boundary{Name: "command line"}
	first := t.Address
	if len(t.Jump) > 0 {
		first = t.Jump[0].Address
		for _, j := range append(t.Jump[1:len(t.Jump):len(t.Jump)], t) {
			b.Names = append(b.Names, hostOf(j.Address))
			if ip, err := netip.ParseAddr(hostOf(j.Address)); err == nil {
				b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", hostOf(first))
	if err != nil {
		return nil, &lab.Error{Op: "resolve", Target: first, Hint: "is the name right?", Err: fmt.Errorf("%w: %w", lab.ErrUnreachable, err)}
	}
	for _, ip := range ips {
		ip = ip.Unmap().WithZone("")
		b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return b, nil
}

func hostOf(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return strings.Trim(addr, "[]")
}

func (l login) read() (host.Auth, host.HostKeys, error) {
	var auth host.Auth
	var keys host.HostKeys
	home, err := os.UserHomeDir()
	if err != nil {
		return auth, keys, err
	}
	phrase, err := secret(l.passphrase)
	if err != nil {
		return auth, keys, err
	}
	for _, f := range l.identities {
		auth.KeyFiles = append(auth.KeyFiles, host.KeyFile{Path: f, Passphrase: phrase})
	}
	if len(auth.KeyFiles) == 0 {
		if auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK"); auth.AgentSocket == "" {
			auth.KeyFiles = []host.KeyFile{{Path: filepath.Join(home, ".ssh", "id_ed25519"), Passphrase: phrase}}
		}
	}
	keys.KnownHosts = l.knownHosts
	if len(keys.KnownHosts) == 0 {
		keys.KnownHosts = []string{filepath.Join(home, ".ssh", "known_hosts")}
	}
	if l.acceptNew {
		keys.AcceptNew, keys.KnownHosts = keys.KnownHosts[0], keys.KnownHosts[1:]
	}
	return auth, keys, nil
}

func secret(ref string) (lab.Secret, error) {
	r, err := lab.ParseSecretRef(ref)
	if err != nil {
		return lab.Secret{}, err
	}
	return r.Resolve(os.LookupEnv, os.ReadFile)
}
