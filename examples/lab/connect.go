package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// boundary returns what may be reached.
func (l *Lab) boundary() *lab.Boundary {
	b := &lab.Boundary{Name: l.Environment, Allow: l.Boundary.Allow, Deny: l.Boundary.Deny}
	if len(b.Allow) > 0 {
		return b
	}
	for _, h := range l.Hosts {
		if ip, err := netip.ParseAddr(h.Address); err == nil {
			b.Allow = append(b.Allow, netip.PrefixFrom(ip.WithZone(""), ip.BitLen()))
		}
	}
	return b
}

// outside reports whether an address is known to be outside of the boundary: a name is not, since what it
// is resolved to may be inside.
func outside(b *lab.Boundary, address string, port int) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && b.Check(netip.AddrPortFrom(ip, uint16(port))) != nil
}

// boundary validates that everything that is to be reached is inside of the boundary.
func (r *resolver) boundary() {
	b := r.Lab.boundary()
	report := func(path, address string) {
		r.report(lab.Problems{{Path: path, Text: address, Message: "is outside of the boundary",
			Hint: "add its network to boundary.allow, if it belongs to the environment"}})
	}
	for _, h := range r.Hosts {
		path := "inventory.hosts." + h.Name
		_, err := netip.ParseAddr(h.Address)
		switch {
		case err != nil && len(r.Boundary.Allow) == 0 && r.right(path):
			r.report(lab.Problems{{Path: path + ".address", Text: h.Address,
				Message: "is a name, so what may be reached must be said",
				Hint:    "write boundary: {allow: [192.0.2.0/24]}, the network that the machines are in"}})
		case outside(b, h.Address, h.Port):
			report(path+".address", h.Address)
		}
		for i, j := range h.Jump {
			address, err := ssh.HostPort(j)
			if _, known := r.inventory.Host(j); known == nil || err != nil {
				continue
			}
			ip, port, _ := net.SplitHostPort(address) // HostPort joined them
			n, _ := strconv.Atoi(port)
			if outside(b, ip, n) {
				report(fmt.Sprintf("%s.jump[%d]", path, i), j)
			}
		}
	}
}

// right reports whether nothing is known to be wrong at the place, or below it.
func (r *resolver) right(place string) bool {
	return !slices.ContainsFunc(r.problems, func(p lab.Problem) bool {
		return p.Path == place || strings.HasPrefix(p.Path, place+".")
	})
}

// databaseBoundary validates that the server of the apps' databases is inside of the boundary.
func (l *Lab) databaseBoundary() lab.Problems {
	if !outside(l.boundary(), l.Postgres.Host, cmp.Or(l.Postgres.Port, 5432)) {
		return nil
	}
	return lab.Problems{{Path: "postgres.host", Text: l.Postgres.Host, Message: "is outside of the boundary",
		Hint: "add its network to boundary.allow, if it belongs to the environment"}}
}

// real returns the lab as it is reached over SSH. What is missing here, beside the config, is found before
// anything is dialled.
func (l *Lab) real() (*site, error) {
	s := &site{}
	var errs [3]error
	s.stacks, errs[0] = l.stackSource()
	s.machines, errs[1] = l.machines()
	errs[2] = l.checkSecrets()
	err := l.locate(merged(errs[:]...))
	if err != nil {
		return nil, err
	}
	s.vault, s.forge, s.edge = l.vault(s.stacks), l.gitea(), l.edge()
	s.close = func() {
		s.shut()
		host.Fleet{Machines: s.machines}.Close() // nothing is left to be said on them
	}
	s.database, err = l.database(s.stacks)
	return s, err
}

// merged returns the problems of all errors as one error, the first that is none of problems alone.
func merged(errs ...error) error {
	var all lab.Problems
	for _, err := range errs {
		var ps lab.Problems
		if err != nil && !errors.As(err, &ps) {
			return err
		}
		all = append(all, ps...)
	}
	return all.Err()
}

// checkSecrets reads every secret that the config refers to. What cannot be read is reported once, at its
// place.
func (l *Lab) checkSecrets() error {
	var ps, unread lab.Problems
	add := func(more ...lab.Problem) {
		for _, p := range more {
			if !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
	}
	fields := []secretField{{"ssh.sudoPassword", l.SSH.SudoPassword}}
	if l.Postgres != nil {
		fields = append(fields, l.Postgres.passwords()...)
	}
	if l.Forge != nil {
		fields = append(fields, secretField{"forge.token", l.Forge.Token})
	}
	if l.Vault != nil {
		fields = append(fields, secretField{"vault.token", l.Vault.Token})
	}
	fields = append(fields, l.clusterReferences()...)
	fields = append(fields, l.edgeReferences()...)
	for _, f := range fields {
		if _, err := f.ref.Resolve(os.LookupEnv, l.dir.ReadFile); err != nil {
			unread.AddError(f.path, err)
		}
	}
	add(unread...)
	add(l.nodeReferences()...)
	add(l.forgeReferences()...)
	add(l.vaultReferences()...)
	for _, st := range l.outline() {
		for _, h := range l.chosen() {
			all, err := l.all(context.Background(), st.components, h, l.dummies())
			if err != nil {
				return err
			}
			_, err = all.state().Resolve(os.LookupEnv, l.dir.ReadFile)
			add(all.placed(problemsOf(err))...)
		}
	}
	return ps.Err()
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
	var missing lab.Problems
	for i, f := range l.SSH.Identities {
		p, err := l.dir.Path(f)
		if err != nil {
			return auth, keys, err
		}
		if _, err := os.Stat(p); err != nil {
			missing = append(missing, lab.Problem{Path: fmt.Sprintf("ssh.identities[%d]", i), Message: "cannot be read: " + reason(err)})
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
	if keys.AcceptNew, err = l.dir.Path(l.SSH.AcceptNew); err != nil {
		return auth, keys, err
	}
	return auth, keys, missing.Err()
}

// machines returns the machines as they are reached over SSH.
func (l *Lab) machines() ([]*host.Machine, error) {
	b := l.boundary()
	if l.Cluster != nil { // from a node, to the cluster's DNS
		ip := l.Cluster.dns()
		b.Allow = append(slices.Clone(b.Allow), netip.PrefixFrom(ip, ip.BitLen()))
	}
	auth, keys, err := l.login()
	if err != nil {
		return nil, err
	}
	sudo, _ := l.SSH.SudoPassword.Resolve(os.LookupEnv, l.dir.ReadFile) // checkSecrets reports what is wrong
	target := func(name, user, address string, port int) ssh.Target {
		return ssh.Target{Name: name, Address: joinPort(address, port), User: cmp.Or(user, l.user()), Auth: auth,
			HostKeys:     keys,
			SudoPassword: sudo, Boundary: b}
	}
	var out []*host.Machine
	for _, h := range l.chosen() {
		t := target(h.Name, h.User, h.Address, h.Port)
		for _, j := range h.Jump {
			hop := target(j, "", j, 0)
			if via, err := l.inventory.Host(j); err == nil {
				hop = target(via.Name, via.User, via.Address, via.Port)
			}
			t.Jump = append(t.Jump, hop)
		}
		b.Names = append(b.Names, remote(t)...)
		out = append(out, &host.Machine{Target: t, Environment: l.Environment})
	}
	return out, nil
}

// remote returns the names that a jump resolves on the way to a machine, the first one being resolved here.
func remote(t ssh.Target) (names []string) {
	if len(t.Jump) == 0 {
		return nil
	}
	for _, hop := range append(slices.Clone(t.Jump[1:]), t) {
		if address, err := ssh.HostPort(hop.Address); err == nil {
			name, _, _ := net.SplitHostPort(address) // HostPort joined them
			names = append(names, name)
		}
	}
	return names
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
