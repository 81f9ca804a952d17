package health_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/health"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// patience is how long a login may take on a busy machine.
const patience = 2 * time.Minute

func open(t *testing.T, cfg hosttest.Config) (*hosttest.Machine, *host.Machine) {
	t.Helper()
	box := hosttest.New(t, cfg)
	m := &host.Machine{Target: ssh.Target{
		Name: "pi1", Address: box.Addr(), User: box.User(), ConnectTimeout: patience,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{box.ClientKey()}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(box.HostKey()))}},
	}}
	t.Cleanup(func() { m.Close() })
	return box, m
}

// look returns the findings by check, and a line a finding for messages.
func look(ctx context.Context, m *host.Machine) (map[string]lab.Finding, string) {
	found, all := map[string]lab.Finding{}, ""
	health.Look(ctx, m, func(f lab.Finding) {
		found[f.Check] = f
		all += fmt.Sprintf("%s %s: %s: %s (%s)\n", f.Target, f.Verdict, f.Check, f.Text, f.Hint)
	})
	return found, all
}

// checks are all checks of a machine without sensors.
var checks = []string{"reachable", "host key", "login", "clock", "uptime", "memory", "reboot", "disk space",
	"file systems", "time source", "units", "sudo"}

func TestLookAtHealthyMachine(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	before := box.Counters().Writes
	found, all := look(t.Context(), m)
	for _, check := range checks {
		if f, ok := found[check]; !ok || f.Verdict != lab.VerdictOK || f.Text == "" || f.Hint != "" || f.Target != "pi1" {
			t.Errorf("%s: %+v\n%s", check, f, all)
		}
	}
	if len(found) != len(checks) {
		t.Errorf("%d findings\n%s", len(found), all)
	}
	if n := box.Counters().Writes - before; n != 0 {
		t.Errorf("%d writes", n)
	}
}

// TestLookFindsFaults: each fault is seen by its own check, with a next step, and the others stay as they are.
func TestLookFindsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     hosttest.Config
		target  func(*ssh.Target)
		arrange func(*testing.T, *hosttest.Machine)
		check   string
		verdict lab.Verdict
		text    string
		unknown []string // checks that cannot be made then
	}{
		"it is off": {arrange: func(_ *testing.T, b *hosttest.Machine) { b.Faults().Refuse(true) },
			check: "reachable", verdict: lab.VerdictBad, unknown: []string{"host key", "login"}},
		"outside the boundary": {target: func(t *ssh.Target) { t.Address = "192.0.2.1" },
			check: "reachable", verdict: lab.VerdictBad, text: "192.0.2.1", unknown: []string{"host key", "login"}},
		"another host key": {arrange: func(t *testing.T, b *hosttest.Machine) {
			if err := b.Faults().ChangeHostKey(); err != nil {
				t.Fatal(err)
			}
		}, check: "host key", verdict: lab.VerdictBad, unknown: []string{"login"}},
		"no known_hosts file": {target: func(t *ssh.Target) { t.HostKeys = ssh.HostKeys{KnownHosts: []string{"/nonexistent"}} },
			check: "host key", verdict: lab.VerdictBad, text: "/nonexistent", unknown: []string{"reachable", "login"}},
		"another user": {target: func(t *ssh.Target) { t.User = "nobody" },
			check: "login", verdict: lab.VerdictBad},
		"no key file": {target: func(t *ssh.Target) { t.Auth = ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: "/nonexistent"}}} },
			check: "login", verdict: lab.VerdictBad, text: "/nonexistent", unknown: []string{"reachable", "host key"}},
		"sudo asks": {cfg: hosttest.Config{SudoPassword: "secret"}, check: "sudo", verdict: lab.VerdictBad},
		"a wrong password for sudo": {cfg: hosttest.Config{SudoPassword: "secret"},
			target: func(t *ssh.Target) { t.SudoPassword = lab.NewSecret("other") }, check: "sudo", verdict: lab.VerdictBad},
		"the right password for sudo": {cfg: hosttest.Config{SudoPassword: "secret"},
			target: func(t *ssh.Target) { t.SudoPassword = lab.NewSecret("secret") }, check: "sudo", text: "with the password"},
		"a clock that is ahead": {cfg: hosttest.Config{Now: func() time.Time { return time.Now().Add(time.Hour) }},
			check: "clock", verdict: lab.VerdictBad, text: "h 59 min ahead of ours|1 h 0 min ahead of ours|59 min"},
		"a clock that is behind": {cfg: hosttest.Config{Now: func() time.Time { return time.Now().Add(-30 * time.Second) }},
			check: "clock", verdict: lab.VerdictWarning, text: "behind ours"},
		"nothing keeps the time": {arrange: run("timedatectl set-ntp false"), check: "time source", verdict: lab.VerdictWarning},
		"a reboot is required": {arrange: run("touch /run/reboot-required; echo linux-image-rpi >/run/reboot-required.pkgs"),
			check: "reboot", verdict: lab.VerdictWarning, text: "linux-image-rpi"},
		"a unit failed": {arrange: run("printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n' " +
			">/etc/systemd/system/broken.service; systemctl daemon-reload; systemctl start broken.service; true"),
			check: "units", verdict: lab.VerdictBad, text: "broken.service"},
		"a full disk": {arrange: func(_ *testing.T, b *hosttest.Machine) { b.Faults().DiskFullAfter(1 << 20) },
			check: "disk space", verdict: lab.VerdictBad, text: "/ "},
		"the root became read-only": {arrange: func(_ *testing.T, b *hosttest.Machine) { b.Faults().ReadOnly(true) },
			check: "file systems", verdict: lab.VerdictBad, text: "/ can only be read"},
	} {
		t.Run(name, func(t *testing.T) {
			box, m := open(t, c.cfg)
			if c.arrange != nil {
				c.arrange(t, box)
			}
			if c.target != nil {
				c.target(&m.Target)
			}
			found, all := look(t.Context(), m)
			f := found[c.check]
			if f.Verdict != c.verdict || (f.Hint == "") != (c.verdict == lab.VerdictOK) && c.text != "192.0.2.1" {
				t.Errorf("%s is %s, hint %q\n%s", c.check, f.Verdict, f.Hint, all)
			}
			if !slices.ContainsFunc(strings.Split(c.text, "|"), func(s string) bool { return strings.Contains(f.Text, s) }) {
				t.Errorf("%s does not contain %q\n%s", f.Text, c.text, all)
			}
			for check, f := range found {
				want := lab.VerdictOK
				if slices.Contains(c.unknown, check) {
					want = lab.VerdictUnknown
				}
				if check != c.check && f.Verdict != want {
					t.Errorf("%s is %s: %s\n%s", check, f.Verdict, f.Text, all)
				}
			}
			if strings.Contains(all, "secret") {
				t.Errorf("a password is shown\n%s", all)
			}
		})
	}
}

// run returns a function that runs a script as root on the machine.
func run(script string) func(*testing.T, *hosttest.Machine) {
	return func(t *testing.T, b *hosttest.Machine) {
		t.Helper()
		m := &host.Machine{Target: ssh.Target{
			Address: b.Addr(), User: b.User(), Auth: ssh.Auth{Signers: []cryptossh.Signer{b.ClientKey()}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(b.HostKey()))}},
		}}
		defer m.Close()
		r, err := m.Run(t.Context(), ssh.Command{Script: script, Root: true})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLookHangs: what a machine said before it hung is known.
func TestLookHangs(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	hung := make(chan struct{})
	box.Handle("df", func(p *hosttest.Process) int {
		close(hung)
		<-p.Context().Done()
		return 1
	})
	ctx, cancel := context.WithCancel(t.Context())
	var found []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		health.Look(ctx, m, func(f lab.Finding) { found = append(found, f.Check+" "+f.Verdict.String()) })
	}()
	<-hung
	cancel()
	<-done
	if got := strings.Join(found, ", "); !strings.HasPrefix(got, "reachable ok, host key ok, login ok, clock ok, uptime ok, "+
		"memory ok, reboot ok, disk space bad, file systems unknown") {
		t.Error(got)
	}
}

// TestLookConnectionCut: a connection that ends early leaves what was said, and says why the rest is not known.
func TestLookConnectionCut(t *testing.T) {
	for bytes := int64(0); bytes < 1500; bytes += 97 {
		box, m := open(t, hosttest.Config{})
		box.Faults().CutAfter(1, bytes)
		found, all := look(t.Context(), m)
		bad := 0
		for _, check := range checks {
			f, ok := found[check]
			if !ok || f.Text == "" {
				t.Errorf("%d bytes: %s is missing\n%s", bytes, check, all)
			}
			if f.Verdict == lab.VerdictBad {
				bad++
			}
		}
		if bad > 1 {
			t.Errorf("%d bytes: the same failure several times\n%s", bytes, all)
		}
	}
}

// TestLookNotSSH: a port that answers otherwise is not reachable.
func TestLookNotSSH(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = c.Close()
		}
	}()
	_, m := open(t, hosttest.Config{})
	m.Target.Address = l.Addr().String()
	found, all := look(t.Context(), m)
	if found["reachable"].Verdict != lab.VerdictBad || found["login"].Verdict != lab.VerdictUnknown {
		t.Error(all)
	}
}

// TestLookAtRealMachine: a real Debian answers everything that the script asks, and its faults are seen.
func TestLookAtRealMachine(t *testing.T) {
	r := real.Machines(t, 1)[0]
	m := &host.Machine{Target: ssh.Target{
		Name: r.Name, Address: r.Addr, User: r.User, ConnectTimeout: patience,
		Auth:     ssh.Auth{Signers: []cryptossh.Signer{r.Key}},
		HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(r.HostKey))}},
		Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")}},
	}}
	defer m.Close()
	found, all := look(t.Context(), m)
	for _, check := range checks {
		if f, ok := found[check]; !ok || f.Verdict == lab.VerdictUnknown {
			t.Errorf("%s is not known\n%s", check, all)
		}
	}
	for _, check := range []string{"reachable", "host key", "login", "clock", "reboot", "units", "sudo", "file systems"} {
		if found[check].Verdict != lab.VerdictOK {
			t.Errorf("%s\n%s", check, all)
		}
	}
	res, err := m.Run(t.Context(), ssh.Command{Root: true, Script: `
printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' >/etc/systemd/system/broken.service
systemctl daemon-reload; systemctl start broken.service
echo linux-image-rpi >/run/reboot-required.pkgs; touch /run/reboot-required
mkdir -p /srv/ro; mount -t tmpfs -o ro tmpfs /srv/ro; echo 'tmpfs /srv/ro tmpfs defaults 0 0' >>/etc/fstab`})
	if err == nil {
		err = res.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	found, all = look(t.Context(), m)
	for check, want := range map[string]string{"units": "bad broken.service failed", "reboot": "warning required by linux-image-rpi",
		"file systems": "bad /srv/ro can only be read, which /etc/fstab does not say"} {
		if got := found[check].Verdict.String() + " " + found[check].Text; got != want {
			t.Errorf("%s is %s, want %s\n%s", check, got, want, all)
		}
	}
}
