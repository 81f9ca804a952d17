package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// boundary returns what may be reached.
func (l *Lab) boundary() (*lab.Boundary, error) {
	b := &lab.Boundary{Name: l.Environment, Allow: l.Boundary.Allow, Deny: l.Boundary.Deny}
	if len(b.Allow) > 0 {
		return b, nil
	}
	for _, h := range l.Hosts {
		ip, err := netip.ParseAddr(h.Address)
		if err != nil {
			return nil, &lab.Error{Op: "read boundary", Target: h.Name,
				Hint: "write boundary.allow: [192.0.2.0/24], the network that the machines are in",
				Err: fmt.Errorf("%w: its address %q is a name, so what may be reached must be said", lab.ErrRefused,
					h.Address)}
		}
		b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return b, nil
}

// real returns the lab as it is reached over SSH.
func (l *Lab) real() (*site, error) {
	s := &site{}
	var err error
	if s.machines, err = l.machines(); err != nil {
		return nil, err
	}
	s.close = func() { host.Fleet{Machines: s.machines}.Close() } // nothing is left to be said on them
	if s.stacks, err = l.stackSource(); err != nil {
		return nil, err
	}
	s.database, err = l.database(s.stacks)
	return s, err
}

// limit keeps the machines that the pattern selects; an empty one keeps all.
func (l *Lab) limit(pattern string) error {
	if pattern == "" {
		return nil
	}
	chosen, err := l.inventory.Select(pattern)
	if err != nil {
		return err
	}
	l.Limited = slices.DeleteFunc(slices.Clone(l.Hosts),
		func(h *inventory.Host) bool { return !slices.Contains(chosen, h) })
	if len(l.Limited) == 0 {
		return &lab.Error{Op: "limit", Path: pattern, Hint: "name machines that are reached over SSH",
			Err: fmt.Errorf("%w: it selects none", lab.ErrNotFound)}
	}
	return nil
}

// login returns how to log in to the machines.
func (l *Lab) login() (auth ssh.Auth, keys ssh.HostKeys, err error) {
	for _, f := range l.SSH.Identities {
		p, err := l.dir.Path(f)
		if err != nil {
			return auth, keys, err
		}
		auth.KeyFiles = append(auth.KeyFiles, ssh.KeyFile{Path: p})
	}
	if l.SSH.Agent {
		auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	for _, f := range l.SSH.KnownHosts {
		p, err := l.dir.Path(f)
		if err != nil {
			return auth, keys, err
		}
		keys.KnownHosts = append(keys.KnownHosts, p)
	}
	keys.AcceptNew, err = l.dir.Path(l.SSH.AcceptNew)
	return auth, keys, err
}

// machines returns the machines as they are reached over SSH.
func (l *Lab) machines() ([]*host.Machine, error) {
	b, err := l.boundary()
	if err != nil {
		return nil, err
	}
	auth, keys, err := l.login()
	if err != nil {
		return nil, err
	}
	sudo, err := l.SSH.SudoPassword.Resolve(os.LookupEnv, l.dir.ReadFile)
	if err != nil {
		return nil, err
	}
	target := func(name, user, address string, port int) ssh.Target {
		return ssh.Target{Name: name, Address: joinPort(address, port), User: cmp.Or(user, l.user()), Auth: auth,
			HostKeys:     keys,
			SudoPassword: sudo, Boundary: b}
	}
	var out []*host.Machine
	for _, h := range l.chosen() {
		t := target(h.Name, h.User, h.Address, h.Port)
		for _, j := range h.Jump {
			if via, err := l.inventory.Host(j); err == nil {
				t.Jump = append(t.Jump, target(via.Name, via.User, via.Address, via.Port))
				b.Names = append(b.Names, h.Address)
			} else {
				t.Jump = append(t.Jump, target(j, "", j, 0))
			}
		}
		out = append(out, &host.Machine{Target: t, Environment: l.Environment})
	}
	return out, nil
}

// chosen returns the hosts that this run is about.
func (l *Lab) chosen() []*inventory.Host {
	if len(l.Limited) > 0 {
		return l.Limited
	}
	return l.Hosts
}

func (l *Lab) user() string {
	if l.SSH.User == "" {
		return "pi"
	}
	return l.SSH.User
}

func joinPort(address string, port int) string {
	if port == 0 || port == 22 {
		return address
	}
	if strings.Contains(address, ":") {
		return fmt.Sprintf("[%s]:%d", address, port)
	}
	return fmt.Sprintf("%s:%d", address, port)
}
