package stepca_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca/stepcatest"
)

const (
	root         = "/etc/step-ca/certs/root_ca.crt"
	rootKey      = "/etc/step-ca/secrets/root_ca_key"
	intermediate = "/etc/step-ca/secrets/intermediate_ca_key"
	passwordFile = "/etc/step-ca/password.txt"
	settings     = "/etc/step-ca/config/ca.json"
)

// site is the machines of a lab, pi1 first, with a CA each.
type site struct {
	*testing.T
	machines []*host.Machine
	boxes    []*hosttest.Machine // nil if the machines are real
	cas      []*stepcatest.CA    // of the boxes
	config   stepca.Config
	sink     *sink
	skew     atomic.Int64 // of the clock of pi1, in seconds
}

// newSite starts machines with nothing on them.
func newSite(t *testing.T, n int) *site {
	s := &site{T: t, sink: newSink(t)}
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("pi%d", i)
		c := hosttest.Config{Hostname: name}
		if i == 1 {
			c.Now = func() time.Time { return time.Now().Add(time.Duration(s.skew.Load()) * time.Second) }
		}
		box := hosttest.New(t, c)
		m := &host.Machine{Target: ssh.Target{Name: name, Address: box.Addr(), User: box.User(),
			Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}}}}
		t.Cleanup(func() { m.Close() })
		s.boxes, s.machines, s.cas = append(s.boxes, box), append(s.machines, m), append(s.cas, stepcatest.Install(box))
	}
	s.config = stepca.Config{Domain: "arcodange.lab", Title: "Arcodange", Primary: "pi1", Wildcards: true,
		Step: s.cas[0].Step(), StepCA: s.cas[0].StepCA(), Registries: []string{"gitea.arcodange.lab:5000"}}
	return s
}

func (s *site) plan() (*lab.Plan, error) {
	return stepca.Plan(s.Context(), s.machines, s.config, s.sink)
}

// mustPlan fails the test on an error.
func (s *site) mustPlan() *lab.Plan {
	s.Helper()
	p, err := s.plan()
	if err != nil {
		s.Fatalf("plan: %v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	return p
}

// apply brings the lab to the wanted state.
func (s *site) apply() *lab.Plan {
	s.Helper()
	p := s.mustPlan()
	if r, err := p.Apply(s.Context(), nil); err != nil {
		s.Fatalf("apply: %v\n%s\n%s", err, p, r)
	}
	return p
}

// converged fails the test unless there is nothing to do.
func (s *site) converged() {
	s.Helper()
	if p := s.mustPlan(); !p.Empty() {
		s.Errorf("not converged:\n%s", p)
	}
}

// file returns the content of a file of a machine, counted from 1; "" if there is none.
func (s *site) file(machine int, path string) string {
	s.Helper()
	return s.exec(machine, "[ ! -f "+path+" ] || cat "+path)
}

// exec runs a script as root on a machine, counted from 1.
func (s *site) exec(machine int, script string) string {
	s.Helper()
	res, err := s.machines[machine-1].Run(s.Context(), ssh.Command{Root: true, Script: script})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("exit status %d: %s", res.Exit, res.Stderr)
	}
	if err != nil {
		s.Fatalf("pi%d: %s: %v", machine, script, err)
	}
	return string(res.Stdout)
}

// runs returns what identifies the present run of each server.
func (s *site) runs() (ids []string) {
	s.Helper()
	for i := range s.machines {
		ids = append(ids, s.exec(i+1, "systemctl show -p InvocationID --value step-ca"))
	}
	return ids
}

// under plays as a subtest, on new machines.
func (s *site) under(name string, play func(*site)) {
	s.Run(name, func(t *testing.T) {
		if s.boxes != nil {
			play(newSite(t, len(s.machines)))
			return
		}
		own := &site{T: t, machines: s.machines, config: s.config, sink: newSink(t)}
		for i := range own.machines {
			own.exec(i+1, wipe)
		}
		play(own)
	})
}

// wipe makes a real machine one that never had a CA.
const wipe = `systemctl disable --now step-ca 2>/dev/null || :
rm -rf /etc/step-ca /etc/step-ca.tmp /etc/docker /root/x /etc/systemd/system/step-ca.service /run/lab/unit
rm -f /usr/local/share/ca-certificates/*.crt /etc/ssl/certs/arcodange-root.pem
systemctl daemon-reload
userdel step 2>/dev/null || :
journalctl -q --rotate --vacuum-time=1s 2>/dev/null || :`

// secret returns what the sink keeps; "" if it has none.
func (s *site) secret(name string) string {
	v, _ := s.sink.Get(s.Context(), name)
	return v.Reveal()
}

// byHand makes an authority on a machine as an administrator would have: with one password for all.
func (s *site) byHand(machine int) {
	s.Helper()
	if _, err := apply(s.Context(), s.machines[machine-1], s.config.Software()); err != nil {
		s.Fatal(err)
	}
	s.exec(machine, `set -e
umask 077
mkdir /etc/step-ca
echo 'by hand' >/etc/step-ca/password.txt
STEPPATH=/etc/step-ca step ca init --deployment-type standalone --name Old --dns ca.arcodange.lab --address :443 \
  --provisioner cert-manager --password-file /etc/step-ca/password.txt
chown -R step:step /etc/step-ca`)
}

// byHandKey puts the root key back on a machine, from the sink.
func (s *site) byHandKey(machine int) {
	s.Helper()
	s.exec(machine, "umask 077; cat >"+rootKey+" <<'E'\n"+s.secret(stepca.RootKey)+"E\n")
}

func apply(ctx context.Context, m *host.Machine, want host.State) (*lab.Report, error) {
	p, err := m.Plan(ctx, want)
	if err != nil {
		return nil, err
	}
	return p.Apply(ctx, nil)
}

// sink is a sink that can be made to fail.
type sink struct {
	lab.Sink
	readOnly bool
	loses    string // what is put under this name is not there
	garbles  string // what is put under this name is read back as something else
	put      func(name string)
}

func (*sink) String() string { return "the sink" }

func (s *sink) Prove(ctx context.Context) error {
	if s.readOnly {
		return &lab.Error{Op: "prove that secrets can be kept", Err: lab.ErrUnauthorized}
	}
	return s.Sink.Prove(ctx)
}

func (s *sink) Put(ctx context.Context, name string, v lab.Secret) error {
	if s.readOnly {
		return &lab.Error{Op: "put secret", Err: lab.ErrUnauthorized}
	}
	if s.put != nil {
		s.put(name)
	}
	if s.loses == name {
		return nil
	}
	return s.Sink.Put(ctx, name, v)
}

func (s *sink) Get(ctx context.Context, name string) (lab.Secret, error) {
	v, err := s.Sink.Get(ctx, name)
	if err == nil && s.garbles == name {
		v = lab.NewSecret(v.Reveal() + "\n")
	}
	return v, err
}

func newSink(t *testing.T) *sink { return &sink{Sink: lab.SecretDir{Path: t.TempDir() + "/secrets"}} }
