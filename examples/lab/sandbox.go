package main

import (
	"errors"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	cryptossh "golang.org/x/crypto/ssh"
)

// sandboxName is the environment of the sandbox, and of a config that names none.
const sandboxName = "sandbox"

// Sandbox is the lab's machines in this process. They speak SSH on loopback, and are forgotten when the program ends.
type Sandbox struct {
	machines []*hosttest.Machine
	refused  []string // addresses that something tried to reach
}

// newSandbox starts a machine for every host of the lab that is reached over SSH.
func newSandbox(l *Lab) (*Sandbox, error) {
	s := &Sandbox{}
	l.Environment = sandboxName
	for _, h := range l.chosen() {
		m, err := hosttest.Start(hosttest.Config{Hostname: "raspberrypi", User: userOf(h, l)})
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.machines = append(s.machines, m)
	}
	return s, nil
}

// connect returns the sandbox's machines as they are reached. The boundary allows loopback only, so that nothing else can be touched.
func (s *Sandbox) connect(l *Lab) []*host.Machine {
	b := &lab.Boundary{Name: sandboxName, Refused: func(_, address string) { s.refused = append(s.refused, address) }}
	var out []*host.Machine
	for i, h := range l.chosen() {
		m := s.machines[i]
		out = append(out, &host.Machine{Environment: sandboxName, Target: ssh.Target{
			Name: h.Name, Address: m.Addr(), User: m.User(), Boundary: b,
			Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.ClientKey()}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.HostKey()))}},
		}})
	}
	return out
}

// Close stops the machines.
func (s *Sandbox) Close() error {
	var errs []error
	for _, m := range s.machines {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
