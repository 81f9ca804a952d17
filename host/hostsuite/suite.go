// Package hostsuite is the conformance suite of machines and of kinds of resources: the laws that
// must hold for package host to work correctly on a machine. It runs against machines in the test's
// process, sshd and real machines:
//
//	func TestConformance(t *testing.T) {
//		hostsuite.Run(t, func(t *testing.T) hostsuite.Subject {
//			return hostsuite.Subject{Target: targetOfAFreshMachine(t)}
//		})
//	}
//
// To test your own kinds of resources, substitute them for those of package host with [Subject.Kind].
package hostsuite

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Subject is a machine that [Run] tests.
type Subject struct {
	// Target says how the machine is reached. The user must be root, or become root by sudo.
	Target ssh.Target

	// Dir is an existing directory that the suite may use freely. Empty means that it may use the whole
	// machine, including systemd, apt and accounts.
	Dir string

	// Cuts is how many runs are cut off, at points spread over the run; 0 means 12.
	Cuts int

	// Kind returns the resource to use in place of one of package host: one of your own kind with the
	// same ID, or the resource itself. It is called for every resource of the suite. Nil means that the
	// suite uses those of package host.
	Kind func(host.Resource) host.Resource
}

// Run verifies the laws of package host on machines:
//
//  1. planning twice gives the same plan;
//  2. planning writes nothing;
//  3. the plan after an apply is empty;
//  4. after a cut at any point the next apply converges to the same result, and no file ever has part of
//     its content;
//  5. what the state does not describe is never touched;
//  6. no secret appears in a plan, diff, error, event, report, process argument or stray file;
//  7. nothing outside the boundary is dialled.
//
// fresh returns a machine, or a directory on one, that no test has used.
func Run(t *testing.T, fresh func(*testing.T) Subject) {
	t.Run("plan", func(t *testing.T) { lawsOfPlanning(t, fresh(t)) })
	t.Run("cut", func(t *testing.T) { lawOfCuts(t, fresh) })
	t.Run("restart", func(t *testing.T) { restartsAfterACut(t, fresh(t)) })
	t.Run("drift", func(t *testing.T) { repairsDrift(t, fresh(t)) })
	t.Run("keys", func(t *testing.T) { keysComeWithTheirAccount(t, fresh(t)) })
	t.Run("names", func(t *testing.T) { keepsNamesAndBytes(t, fresh(t)) })
	t.Run("secrets", func(t *testing.T) { lawOfSecrets(t, fresh(t)) })
	t.Run("failure", func(t *testing.T) { failuresStayTheirOwn(t, fresh(t)) })
	t.Run("boundary", func(t *testing.T) { lawOfBoundary(t, fresh(t)) })
}

// testKey is the base64 of a public key, with slashes, as half of all keys have.
const testKey = "AAAAC3NzaC1lZDI1NTE5AAAAIMp0bypfYn2jo44mT/O0o4rZx0djWWFF1Lex9hwdv/fs"

// suite is one machine under test.
type suite struct {
	Subject
	m *host.Machine
}

func (s Subject) open(t *testing.T) *suite {
	m := &host.Machine{Target: s.Target}
	t.Cleanup(func() { m.Close() })
	out := &suite{s, m}
	if s.Dir == "" {
		out.sh(t, "mkdir -p /srv/lab-conformance")
	}
	return out
}

// path returns the path of a file of the suite.
func (s *suite) path(name string) string {
	if s.Dir == "" {
		return "/srv/lab-conformance/" + name
	}
	return s.Dir + "/" + name
}

// bigContent returns about 100 kB of text.
func bigContent() string { return strings.Repeat("0123456789abcdef\n", 6000) }

// state is the desired state of the suite. It covers everything in which a change can be cut off:
// payloads, several ops of one resource, several edits of one file, dependencies and, on a whole
// machine, units and accounts.
func (s *suite) state() host.State {
	yes := true
	st := host.State{
		host.Directory{Path: s.path("d"), Mode: 0o750},
		host.File{Path: s.path("d/plain"), Content: "hello\n"},
		host.File{Path: s.path("d/big"), Content: bigContent(), Mode: 0o600},
		host.File{Path: s.path("d/template"), Template: "arch {{.Facts.Arch}}, {{.Vars.n}}\n", Vars: map[string]any{"n": 3}},
		host.File{Path: s.path("d/gone"), Absent: true},
		host.Line{Path: s.path("d/lines"), Line: "one=1", Match: "^one=", Create: true},
		host.Line{Path: s.path("d/lines"), Line: "two=2", Match: "^two=", Create: true},
		host.Block{Path: s.path("d/lines"), Name: "b", Content: "x\ny\n", Create: true},
		host.Link{Path: s.path("d/link"), Target: "plain"},
		host.Command{Name: "seed", Run: "echo seed >" + ssh.Quote(s.path("d/seed")), Creates: s.path("d/seed"),
			Order: host.Order{After: []string{"directory:" + s.path("d")}}},
	}
	if s.Dir == "" {
		st = append(st,
			host.Group{Name: "labtest", GID: 4242},
			host.User{Name: "labtest", UID: 4242, Group: "labtest", Groups: []string{"adm"}, Comment: "a test"},
			host.AuthorizedKey{User: "labtest", Key: "ssh-ed25519 " + testKey + " test@lab"},
			host.File{Path: s.path("d/owned"), Content: "x", Owner: "labtest", Group: "labtest", Mode: 0o640},
			host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
			host.Cron{Name: "lab-conformance", Schedule: "@daily", Command: "/bin/true"},
			host.UnitFile{Name: "lab-conformance.service", Content: "[Unit]\nStartLimitIntervalSec=0\n" +
				"[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"},
			host.DropIn{Unit: "lab-conformance.service", Name: "10-x", Content: "[Service]\nEnvironment=A=1\n"},
			host.Unit{Name: "lab-conformance.service", Enabled: &yes, State: host.Started, RestartOn: []string{
				"unitfile:lab-conformance.service", "dropin:lab-conformance.service/10-x", "file:" + s.path("d/plain"),
			}},
			host.Timer{Name: "lab-tick", OnCalendar: "daily", Command: "/bin/true"},
		)
	}
	return st
}

// kinds returns the state with the subject's own kinds in place of those of package host.
func (s *suite) kinds(st host.State) host.State {
	if s.Kind == nil {
		return st
	}
	own := make(host.State, len(st))
	for i, r := range st {
		own[i] = s.Kind(r)
	}
	return own
}

// plan plans the state with the subject's own kinds.
func (s *suite) plan(t *testing.T, st host.State) *lab.Plan {
	t.Helper()
	p, err := s.m.Plan(t.Context(), s.kinds(st))
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	return p
}

// apply applies the state and verifies that its next plan is empty.
func (s *suite) apply(t *testing.T, st host.State) {
	t.Helper()
	r, err := s.plan(t, st).Apply(t.Context(), nil)
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, r)
	}
	if p := s.plan(t, st); !p.Empty() {
		t.Fatalf("the plan after an apply is not empty:\n%s", p)
	}
}

// sh runs a script as root and returns what it printed.
func (s *suite) sh(t *testing.T, script string) string {
	t.Helper()
	r, err := s.m.Run(t.Context(), ssh.Command{Script: script, Root: true})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(r.Stdout)
}

// changeIDs returns the IDs of the plan's changes without the step.
func changeIDs(p *lab.Plan) (ids []string) {
	for _, step := range p.Steps() {
		for _, c := range step.Changes {
			ids = append(ids, strings.TrimPrefix(c.ID, step.Name+"/"))
		}
	}
	return ids
}
