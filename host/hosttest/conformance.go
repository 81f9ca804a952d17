package hosttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Subject is a machine that [Conformance] tests.
type Subject struct {
	// Target says how the machine is reached. The user must be root, or become root by sudo.
	Target ssh.Target

	// Dir is the folder in which the suite may do as it likes; it is there. Empty means that the whole machine is the suite's, with systemd, apt and
	// accounts.
	Dir string

	// Cuts is how many runs are cut off, at places spread over the run; 0 means 12.
	Cuts int
}

// Conformance checks the laws that every machine must keep for package host to be right about it:
//
//  1. planning twice gives the same plan;
//  2. planning writes nothing;
//  3. the plan after an apply is empty;
//  4. cut off anywhere, the next apply converges to the same end, and no file ever has half its content under its name;
//  5. what the state does not speak of is never touched;
//  6. no secret appears in a plan, diff, error, event, report, process argument or stray file;
//  7. nothing outside the boundary is dialled.
//
// fresh returns a machine, or a folder on one, that no test has used.
func Conformance(t *testing.T, fresh func(*testing.T) Subject) {
	t.Run("plan", func(t *testing.T) { lawsOfPlanning(t, fresh(t)) })
	t.Run("cut", func(t *testing.T) { lawOfCuts(t, fresh) })
	t.Run("drift", func(t *testing.T) { repairsDrift(t, fresh(t)) })
	t.Run("keys", func(t *testing.T) { keysComeWithTheirAccount(t, fresh(t)) })
	t.Run("names", func(t *testing.T) { keepsNamesAndBytes(t, fresh(t)) })
	t.Run("secrets", func(t *testing.T) { lawOfSecrets(t, fresh(t)) })
	t.Run("failure", func(t *testing.T) { failuresStayTheirOwn(t, fresh(t)) })
	t.Run("boundary", func(t *testing.T) { lawOfBoundary(t, fresh(t)) })
}

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

func (s *suite) path(name string) string {
	if s.Dir == "" {
		return "/srv/lab-conformance/" + name
	}
	return s.Dir + "/" + name
}

// state is what the suite makes of a machine. It has every way in which a change can be cut off: payloads, several ops of one resource, edits of one
// file, dependencies, and on a whole machine packages, units and accounts.
func (s *suite) state() host.State {
	yes := true
	big := strings.Repeat("0123456789abcdef\n", 6000)
	st := host.State{
		host.Directory{Path: s.path("d"), Mode: 0o750},
		host.File{Path: s.path("d/plain"), Content: "hello\n"},
		host.File{Path: s.path("d/big"), Content: big, Mode: 0o600},
		host.File{Path: s.path("d/template"), Template: "arch {{.Facts.Arch}}, {{.Vars.n}}\n", Vars: map[string]any{"n": 3}},
		host.File{Path: s.path("d/gone"), Absent: true},
		host.Line{Path: s.path("d/lines"), Line: "one=1", Match: "^one=", Create: true},
		host.Line{Path: s.path("d/lines"), Line: "two=2", Match: "^two=", Create: true},
		host.Block{Path: s.path("d/lines"), Name: "b", Content: "x\ny\n", Create: true},
		host.Link{Path: s.path("d/link"), Target: "plain"},
		host.Command{Name: "seed", Run: "echo seed >" + ssh.Quote(s.path("d/seed")), Creates: s.path("d/seed"), Order: host.Order{After: []string{"directory:" + s.path("d")}}},
	}
	if s.Dir == "" {
		st = append(st,
			host.Group{Name: "labtest", GID: 4242},
			host.User{Name: "labtest", UID: 4242, Group: "labtest", Groups: []string{"adm"}, Comment: "a test"},
			host.AuthorizedKey{User: "labtest", Key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh test@lab"},
			host.File{Path: s.path("d/owned"), Content: "x", Owner: "labtest", Group: "labtest", Mode: 0o640},
			host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
			host.Cron{Name: "lab-conformance", Schedule: "@daily", Command: "/bin/true"},
			host.UnitFile{Name: "lab-conformance.service", Content: "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"},
			host.DropIn{Unit: "lab-conformance.service", Name: "10-x", Content: "[Service]\nEnvironment=A=1\n"},
			host.Unit{Name: "lab-conformance.service", Enabled: &yes, State: host.Started, RestartOn: []string{"unitfile:lab-conformance.service", "dropin:lab-conformance.service/10-x", "file:" + s.path("d/plain")}},
			host.Timer{Name: "lab-tick", OnCalendar: "daily", Command: "/bin/true"},
		)
	}
	return st
}

func (s *suite) plan(t *testing.T, st host.State) *lab.Plan {
	t.Helper()
	p, err := s.m.Plan(t.Context(), st)
	if err != nil {
		t.Fatalf("plan: %v\n%s", err, strings.Join(lab.Hints(err), "\n"))
	}
	return p
}

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

// roots are the folders that a snapshot looks at.
func (s *suite) roots() string {
	if s.Dir != "" {
		return ssh.Quote(s.Dir)
	}
	return "/etc /srv /opt /usr/local /home /var/spool /var/lib/dpkg /boot"
}

// snapshot maps every path to what is there; with times, also to when it last changed in any way.
func (s *suite) snapshot(t *testing.T, times bool) map[string]string {
	t.Helper()
	format := `%p\t%y %m %u:%g %l\n`
	if times {
		format = `%p\t%y %m %u:%g %l %s %T@ %C@\n`
	}
	out := map[string]string{}
	for line := range strings.Lines(s.sh(t, fmt.Sprintf("find %s -xdev -printf '%s'", s.roots(), format))) {
		p, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		out[p] = what
	}
	for line := range strings.Lines(s.sh(t, fmt.Sprintf("find %s -xdev -type f -print0 | xargs -0 -r sha256sum --", s.roots()))) {
		sum, p, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		out[p] += " " + sum
	}
	return out
}

func changed(before, after map[string]string) (paths []string) {
	for p := range before {
		if before[p] != after[p] {
			paths = append(paths, p)
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

func lawsOfPlanning(t *testing.T, subject Subject) {
	s := subject.open(t)
	s.sh(t, "mkdir -p "+ssh.Quote(s.path("theirs"))+"; echo theirs >"+ssh.Quote(s.path("theirs/file")))
	st := s.state()
	before := s.snapshot(t, true)
	one, two := s.plan(t, st), s.plan(t, st)
	if one.String() != two.String() {
		t.Errorf("law 1: two plans differ:\n%s\n%s", one, two)
	}
	if one.Empty() {
		t.Fatal("nothing to do on a fresh machine")
	}
	if diff := changed(before, s.snapshot(t, true)); len(diff) > 0 {
		t.Errorf("law 2: planning wrote %q", diff)
	}
	s.apply(t, st)
	after := s.snapshot(t, true)
	execs := s.m.Counters().Execs
	if p := s.plan(t, st); !p.Empty() {
		t.Errorf("law 3:\n%s", p)
	}
	if n := s.m.Counters().Execs - execs; n != 1 {
		t.Errorf("a plan of a machine that is as wanted took %d execs", n)
	}
	if diff := changed(after, s.snapshot(t, true)); len(diff) > 0 {
		t.Errorf("law 2: planning a machine that is as wanted wrote %q", diff)
	}
	for _, p := range changed(s.plainer(before), s.plainer(after)) {
		if !s.owned(p) {
			t.Errorf("law 5: %s changed, and nobody spoke of it", p)
		}
	}
	if c := s.m.Counters().Connections; c != 1 {
		t.Errorf("%d connections", c)
	}
}

// plainer drops the times of a snapshot.
func (s *suite) plainer(in map[string]string) map[string]string {
	out := map[string]string{}
	for p, what := range in {
		f := strings.Fields(what)
		out[p] = strings.Join(append(slices.Clone(f[:min(3, len(f))]), f[max(0, len(f)-1):]...), " ")
		if strings.HasPrefix(what, "d ") {
			out[p] = strings.Join(f[:3], " ")
		}
	}
	return out
}

// owned reports whether the suite's state speaks of the path, or of what makes accounts and enables units.
func (s *suite) owned(p string) bool {
	for _, prefix := range []string{s.path("d"), "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/home/labtest", "/etc/sysctl.d/90-lab.conf",
		"/etc/cron.d/lab-conformance", "/etc/systemd/system/lab-", "/etc/systemd/system/multi-user.target.wants/lab-", "/etc/systemd/system/timers.target.wants/lab-", "/etc/.pwd.lock", "/var/spool/mail"} {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return p == s.path("")[:len(s.path(""))-1] || p == "/etc/systemd/system/timers.target.wants" || p == "/etc/systemd/system/multi-user.target.wants"
}

// cutter is a proxy before a machine that cuts the connection after so many bytes from the machine.
type cutter struct {
	listener net.Listener
	to       string
	left     atomic.Int64
	passed   atomic.Int64
	mu       sync.Mutex
	conns    []net.Conn
}

func newCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := net.SplitHostPort(to); err != nil {
		to = net.JoinHostPort(to, "22")
	}
	c := &cutter{listener: l, to: to}
	c.left.Store(1 << 60)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(in)
		}
	}()
	t.Cleanup(func() { l.Close(); c.cut() })
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

func (c *cutter) serve(in net.Conn) {
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		in.Close()
		return
	}
	c.mu.Lock()
	c.conns = append(c.conns, in, out)
	c.mu.Unlock()
	go func() {
		_, _ = io.Copy(out, in) // either side may go at any time
		out.Close()
	}()
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		left := c.left.Add(-int64(n))
		c.passed.Add(int64(n))
		if left < 0 {
			_, _ = in.Write(buf[:max(0, int64(n)+left)])
			in.Close()
			out.Close()
			return
		}
		if _, werr := in.Write(buf[:n]); err != nil || werr != nil {
			in.Close()
			out.Close()
			return
		}
	}
}

// through returns a target that reaches the machine through the proxy. It is for the suite's own use: the boundary allows loopback.
func (c *cutter) through(t ssh.Target) ssh.Target {
	t.Address = c.listener.Addr().String()
	t.Boundary = nil
	return t
}

func lawOfCuts(t *testing.T, fresh func(*testing.T) Subject) {
	whole := fresh(t).open(t)
	proxy := newCutter(t, whole.Target.Address)
	counted := &host.Machine{Target: proxy.through(whole.Target)}
	defer counted.Close()
	p, err := counted.Plan(t.Context(), whole.state())
	if err != nil {
		t.Fatal(err)
	}
	start := proxy.passed.Load()
	if r, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	total := proxy.passed.Load() - start
	want := whole.plainer(whole.snapshot(t, false))

	s := fresh(t).open(t)
	cuts := s.Cuts
	if cuts == 0 {
		cuts = 12
	}
	proxy = newCutter(t, s.Target.Address)
	for i := range cuts {
		// every run starts from where the one before was cut off, and from time to time from nothing
		m := &host.Machine{Target: proxy.through(s.Target)}
		st := s.state()
		proxy.left.Store(1 << 60)
		p, err := m.Plan(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		if p.Empty() {
			s.sh(t, "rm -rf -- "+ssh.Quote(s.path("d")))
			if p, err = m.Plan(t.Context(), st); err != nil {
				t.Fatal(err)
			}
		}
		proxy.left.Store(int64(i) * total / int64(cuts))
		r, err := p.Apply(t.Context(), nil)
		m.Close()
		if err == nil && !r.Complete() {
			t.Errorf("cut %d: no error and not complete: %v", i, r)
		}
		if err != nil && len(r.Results) != len(p.Changes()) {
			t.Errorf("cut %d: %d changes, %d results", i, len(p.Changes()), len(r.Results))
		}
		proxy.left.Store(1 << 60)
		for name, content := range map[string]string{"d/plain": "hello\n", "d/big": strings.Repeat("0123456789abcdef\n", 6000)} {
			have := s.sh(t, fmt.Sprintf("[ ! -e %[1]s ] || cat %[1]s", ssh.Quote(s.path(name))))
			if have != "" && have != content {
				t.Fatalf("cut %d: %s has %d of %d bytes under its name", i, name, len(have), len(content))
			}
		}
	}
	// a script that was cut off may still run: the lock tells when it has ended
	if err := lab.Wait(t.Context(), lab.Poll{What: "the script that was cut off to end"}, func(ctx context.Context) (bool, error) {
		_, err := s.m.Run(ctx, ssh.Command{Script: ":", Root: true, Lock: true})
		if errors.Is(err, lab.ErrBlocked) {
			return false, nil
		}
		return err == nil, err
	}); err != nil {
		t.Fatal(err)
	}
	s.apply(t, s.state())
	have := s.plainer(s.snapshot(t, false))
	if whole.Dir != s.Dir {
		have, want = relative(have, s.Dir), relative(want, whole.Dir)
	}
	for _, p := range changed(want, have) {
		// accounts' passwords and package logs differ between two machines by their dates
		if s.owned(p) && !strings.HasPrefix(p, "/etc/shadow") && !strings.HasPrefix(p, "/etc/passwd") || s.Dir != "" {
			t.Errorf("law 4: after cuts %s is %q, else %q", p, have[p], want[p])
		}
		if strings.Contains(p, ".lab-") {
			t.Errorf("law 4: %s was left behind", p)
		}
	}
}

func relative(in map[string]string, dir string) map[string]string {
	out := map[string]string{}
	for p, what := range in {
		if rel := strings.TrimPrefix(p, dir); !strings.Contains(p, "/seed") && rel != "" {
			out[rel] = what
		}
	}
	return out
}

func repairsDrift(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := s.state()
	s.apply(t, st)
	q := func(name string) string { return ssh.Quote(s.path(name)) }
	drifts := map[string][]string{ // what is done to the machine, and the resources that it concerns
		"chmod 0777 " + q("d"):                                        {"directory:" + s.path("d")},
		"echo x >>" + q("d/plain"):                                    {"file:" + s.path("d/plain")},
		"chmod 0600 " + q("d/plain"):                                  {"file:" + s.path("d/plain")},
		"chown 12345:12345 " + q("d/big"):                             {"file:" + s.path("d/big")},
		"rm " + q("d/template"):                                       {"file:" + s.path("d/template")},
		"touch " + q("d/gone"):                                        {"file:" + s.path("d/gone")},
		"sed -i s/one=1/one=2/ " + q("d/lines"):                       {"line:" + s.path("d/lines") + ":^one="},
		"sed -i '/^x$/d' " + q("d/lines"):                             {"block:" + s.path("d/lines") + ":b"},
		"ln -sfn elsewhere " + q("d/link"):                            {"link:" + s.path("d/link")},
		"rm " + q("d/seed"):                                           {"command:seed"},
		"rm " + q("d/plain") + "; ln -s /dev/null " + q("d/plain"):    {"file:" + s.path("d/plain")},
		"truncate -s 100 " + q("d/big") + "; chmod 644 " + q("d/big"): {"file:" + s.path("d/big")},
	}
	if s.Dir == "" {
		maps.Copy(drifts, map[string][]string{
			"gpasswd -d labtest adm":                                 {"user:labtest"},
			"usermod -c other labtest":                               {"user:labtest"},
			"sysctl -w net.ipv4.ip_forward=0":                        {"sysctl:net.ipv4.ip_forward/now"},
			"rm /etc/sysctl.d/90-lab.conf":                           {"sysctl:net.ipv4.ip_forward"},
			"systemctl disable lab-conformance.service":              {"unit:lab-conformance.service/enable"},
			"systemctl stop lab-conformance.service":                 {"unit:lab-conformance.service/start"},
			"systemctl stop lab-tick.timer":                          {"unit:lab-tick.timer/start"},
			"rm /etc/cron.d/lab-conformance":                         {"file:/etc/cron.d/lab-conformance"},
			"rm /home/labtest/.ssh/authorized_keys":                  {"authorizedkey:labtest:AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh"},
			"echo '#' >>/etc/systemd/system/lab-conformance.service": {"file:/etc/systemd/system/lab-conformance.service", "systemd:daemon-reload", "unit:lab-conformance.service/restart"},
		})
	}
	for _, drift := range slices.Sorted(maps.Keys(drifts)) {
		s.sh(t, drift)
		p := s.plan(t, st)
		var got []string
		for _, c := range p.Changes() {
			got = append(got, strings.TrimPrefix(c.ID, "host/"+s.m.Name()+"/"))
		}
		want := slices.Clone(drifts[drift])
		if s.Dir == "" && slices.Contains(want, "file:"+s.path("d/plain")) && strings.Contains(p.String(), "content differs") || strings.Contains(drift, "ln -s /dev/null") && s.Dir == "" {
			want = append(want, "unit:lab-conformance.service/restart") // which reads that file
		} else if s.Dir == "" && strings.HasPrefix(drift, "chmod 0600") {
			want = append(want, "unit:lab-conformance.service/restart")
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %q the plan is %q, want %q", drift, got, want)
		}
		s.apply(t, st)
	}
}

// keysComeWithTheirAccount: an account and its keys are made by one plan, whatever was there before it.
func keysComeWithTheirAccount(t *testing.T, subject Subject) {
	if subject.Dir != "" {
		return // accounts are a whole machine's
	}
	s := subject.open(t)
	first := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh first@lab"
	second := "restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPmJ1vG0mVv8a1bqgWb1cJrKJXW9p1xwT6pYwYQe1xK second@lab"
	old := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOldKeyOldKeyOldKeyOldKeyOldKeyOldKeyOldKe old@lab"
	st := host.State{host.User{Name: "labkeys"}, host.AuthorizedKey{User: "labkeys", Key: first}, host.AuthorizedKey{User: "labkeys", Key: second}}
	const file = "/home/labkeys/.ssh/authorized_keys"
	holds := func(when string, lines ...string) {
		t.Helper()
		if got, want := s.sh(t, "cat "+file), strings.Join(lines, "\n")+"\n"; got != want {
			t.Errorf("%s the keys are\n%swant\n%s", when, got, want)
		}
		if got := s.sh(t, "stat -c '%a %U' "+file); got != "600 labkeys\n" {
			t.Errorf("%s the file of the keys is %s", when, got)
		}
	}
	s.apply(t, st)
	holds("of a new account", first, second)
	s.sh(t, "userdel labkeys; rm -rf /home/labkeys; mkdir -m 0700 /etc/skel/.ssh; echo '"+old+"' >/etc/skel/.ssh/authorized_keys; chmod 0600 /etc/skel/.ssh/authorized_keys")
	s.apply(t, st)
	s.sh(t, "rm -r /etc/skel/.ssh")
	holds("of an account whose home has a key from the skeleton", old, first, second)
	st[0] = host.User{Name: "labkeys", Home: "/srv/lab-conformance/keys"}
	s.sh(t, "userdel labkeys; rm -rf /home/labkeys")
	s.apply(t, st)
	if got := s.sh(t, "cat /srv/lab-conformance/keys/.ssh/authorized_keys"); got != first+"\n"+second+"\n" {
		t.Errorf("in a home elsewhere the keys are %q", got)
	}
}

func keepsNamesAndBytes(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := host.State{host.Directory{Path: s.path("n")}}
	names := []string{"with space", "quote'quote", `double"quote`, "new\nline", "-rf", "back\\slash", "uni\u00e9\u6f22", "$(reboot)", "`x`", "*", "tab\there", "trailing ", " leading", "a;b&c|d", "%s%n", "~", "#", "!", "\x01ctl", strings.Repeat("n", 200)}
	contents := []string{"", "x", "no newline at the end", "\n", "nul\x00inside\x00", "\x00", "crlf\r\n", "@lab\n\x00S 1\n", strings.Repeat("\xff\xfe", 5000), "'\"$(x)`\\\n"}
	for i, n := range names {
		st = append(st, host.File{Path: s.path("n/" + n), Content: contents[i%len(contents)]})
	}
	for i, c := range contents {
		st = append(st, host.File{Path: s.path(fmt.Sprintf("n/content-%d", i)), Content: c})
	}
	s.apply(t, st)
	for _, r := range st[1:] {
		f := r.(host.File)
		if got := s.sh(t, "cat -- "+ssh.Quote(f.Path)); got != f.Content {
			t.Errorf("%q holds %q, want %q", f.Path, got, f.Content)
		}
	}
	for i, r := range st[1:] {
		f := r.(host.File)
		f.Absent, f.Content = true, ""
		st[1+i] = f
	}
	s.apply(t, st)
	if left := s.sh(t, "ls -A -- "+ssh.Quote(s.path("n"))); left != "" {
		t.Errorf("left: %q", left)
	}
}

func lawOfSecrets(t *testing.T, subject Subject) {
	s := subject.open(t)
	const a, b, c, d = "s3cret-in-a-file-Kx81", "s3cret 'in' a \"template\" \\ $x", "s3cret-of-a-command-Jw", "s3cret\nof two lines-Zz\n"
	var told []string
	tell := func(v ...any) { told = append(told, fmt.Sprintf("%v|%+v|%#v", v, v, v)) }
	secretFile := host.File{Path: s.path("secret"), Value: lab.NewSecret(a)}
	st := host.State{
		secretFile,
		host.File{Path: s.path("template"), Mode: 0o600, Template: `x={{secret "b"}} y={{secret "d"}}`, Values: map[string]lab.Secret{"b": lab.NewSecret(b), "d": lab.NewSecret(d)}},
		host.Command{Name: "use", Creates: s.path("used"), Values: map[string]lab.Secret{"TOKEN": lab.NewSecret(c)},
			Run: "ps -e -o args= >" + ssh.Quote(s.path("used")) + `; printf '%s\n' "$TOKEN" | wc -c`},
		host.Command{Name: "blab", Creates: s.path("never"), Values: map[string]lab.Secret{"TOKEN": lab.NewSecret(c)}, Run: `echo "cannot log in with $TOKEN"; exit 3`},
	}
	if s.Dir == "" {
		st = append(st, host.User{Name: "labsecret", Hash: lab.NewSecret("$6$saltsalt$" + strings.Repeat("h", 40))})
	}
	tell(st)
	for range 2 {
		p, err := s.m.Plan(t.Context(), st)
		if err != nil {
			t.Fatal(err)
		}
		j, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		tell(p, string(j), p.Changes())
		r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) {
			j, err := json.Marshal(e)
			tell(e, string(j), err)
		}})
		if err == nil {
			t.Fatal("the command that fails did not")
		}
		j, jerr := json.Marshal(r)
		tell(err, r, string(j), jerr, lab.Hints(err))
		// a file that is not readable for all, whose secret changes, and a machine that refuses
		st[0] = host.File{Path: s.path("secret"), Value: lab.NewSecret(a + "2")}
	}
	told = append(told, s.sh(t, "cat "+ssh.Quote(s.path("used"))))
	if s.Dir == "" {
		told = append(told, s.sh(t, "grep -r -s -l -F -e s3cret /tmp /run /var/tmp /var/log /etc /root 2>/dev/null || :"))
	}
	told = append(told, s.sh(t, fmt.Sprintf("find %s -name '.lab-*'", ssh.Quote(strings.TrimSuffix(s.path(""), "/")))))
	for _, text := range told {
		for _, secret := range []string{a, b, c, "of two lines-Zz", "$6$saltsalt"} {
			if strings.Contains(text, secret) {
				t.Errorf("law 6: %q is in %.300q", secret, text)
			}
		}
	}
	if told[len(told)-1] != "" || s.Dir == "" && told[len(told)-2] != "" {
		t.Errorf("law 6: stray files: %q", told[len(told)-2:])
	}
	if got := s.sh(t, "cat "+ssh.Quote(s.path("template"))); got != "x="+b+" y="+d {
		t.Errorf("the template is %q", got)
	}
	if mode := s.sh(t, "stat -c %a "+ssh.Quote(s.path("secret"))); mode != "600\n" {
		t.Errorf("a secret has mode %s", mode)
	}
}

func failuresStayTheirOwn(t *testing.T, subject Subject) {
	s := subject.open(t)
	st := host.State{
		host.Directory{Path: s.path("f")},
		host.File{Path: s.path("f/refused"), Content: "x", ValidateWith: "false %s"},
		host.File{Path: s.path("f/fine"), Content: "y"},
		host.Command{Name: "after", Run: "echo z >" + ssh.Quote(s.path("f/after")), Creates: s.path("f/after"), Order: host.Order{After: []string{"file:" + s.path("f/refused")}}},
		host.Command{Name: "fails", Run: "echo why; exit 7", Creates: s.path("f/never")},
		host.File{Path: s.path("f/never/child"), Content: "x"},
		host.File{Path: s.path("f/last"), Content: strings.Repeat("l", 70_000)},
	}
	p := s.plan(t, st)
	r, err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "why") || !strings.Contains(err.Error(), "7") {
		t.Errorf("the error does not say why: %v", err)
	}
	want := []lab.Status{lab.StatusDone, lab.StatusFailed, lab.StatusDone, lab.StatusSkipped, lab.StatusFailed, lab.StatusSkipped, lab.StatusDone}
	for i, res := range r.Results {
		if res.Status != want[i] {
			t.Errorf("%s is %s, want %s: %v %s", res.ID, res.Status, want[i], res.Err, res.Reason)
		}
	}
	if got := s.sh(t, "cd "+ssh.Quote(s.path("f"))+" && ls -A && wc -c <last"); got != "fine\nlast\n70000\n" {
		t.Errorf("left behind: %q", got)
	}
	// the machine is somebody else's now
	m := &host.Machine{Target: s.Target, Environment: "other"}
	defer m.Close()
	if s.Dir == "" {
		if r, err := func() (*lab.Report, error) {
			p, err := m.Plan(t.Context(), nil)
			if err != nil {
				return nil, err
			}
			return p.Apply(t.Context(), nil)
		}(); err != nil {
			t.Fatal(err, r)
		}
		m.Environment = "mine"
		if _, err := m.Plan(t.Context(), st); !errors.Is(err, lab.ErrRefused) {
			t.Errorf("a machine of another environment was planned: %v", err)
		}
	}
}

func lawOfBoundary(t *testing.T, subject Subject) {
	target := subject.Target
	var refused int
	target.Boundary = &lab.Boundary{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Refused: func(_, _ string) { refused++ }}
	m := &host.Machine{Target: target}
	defer m.Close()
	if _, err := m.Plan(t.Context(), host.State{host.File{Path: "/x"}}); !errors.Is(err, lab.ErrRefused) || refused == 0 {
		t.Errorf("law 7: %v, %d refusals", err, refused)
	}
	if s := m.Counters(); s.Connections != 0 {
		t.Errorf("law 7: %d connections", s.Connections)
	}
}
