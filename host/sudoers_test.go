package host_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// badSudoers are all ways to write something to sudoers that does not parse.
func badSudoers() map[string]host.State {
	const file, bad = "/etc/sudoers.d/lab-kim", "kim ALL=(ALL NOPASSWD: ALL\n"
	return map[string]host.State{
		"file":                   {host.File{Path: file, Content: bad}},
		"file that replaces":     {host.File{Path: "/etc/sudoers.d/lab-good", Content: bad}},
		"file, other validation": {host.File{Path: file, Content: bad, ValidateWith: "test -s %s"}},
		"file of a template":     {host.File{Path: file, Template: "{{.Facts.Hostname}} ALL=(ALL\n"}},
		"secret file":            {host.File{Path: file, Value: lab.NewSecret(bad)}},
		"line":                   {host.Line{Path: "/etc/sudoers.d/lab-good", Line: "kim ALL"}},
		"new line":               {host.Line{Path: file, Line: "kim ALL", Create: true}},
		"block":                  {host.Block{Path: "/etc/sudoers.d/lab-good", Name: "b", Content: bad}},
		"block of sudoers":       {host.Block{Path: "/etc/sudoers", Name: "b", Content: bad}},
		"link":                   {host.File{Path: "/srv/lab-rules", Content: bad}, host.Link{Path: file, Target: "/srv/lab-rules"}},
		"link that replaces":     {host.File{Path: "/srv/lab-rules", Content: bad}, host.Link{Path: "/etc/sudoers.d/lab-good", Target: "../../srv/lab-rules", Replace: true}},
		"download": {host.File{Path: "/srv/lab-rules", Content: bad}, host.Download{Path: file, URL: "file:///srv/lab-rules",
			SHA256: "2d9f3f5d8d87d2a6e1f3c06d8a5d8f2c0e6f7b4c8a7e9d1f0b2c3d4e5f60718a"}},
	}
}

// keepSudoers applies each bad state and verifies that sudoers is what it was.
func keepSudoers(t *testing.T, m *host.Machine) {
	run := func(script string) string {
		t.Helper()
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: script})
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		return string(r.Stdout)
	}
	good := host.State{host.File{Path: "/etc/sudoers.d/lab-good", Content: "daemon ALL=(ALL) NOPASSWD: /bin/true\n"}}
	settle(t, m, good)
	const look = "cat /etc/sudoers; cd /etc/sudoers.d; ls -A; cat *"
	before := run(look)
	for name, s := range badSudoers() {
		for i, r := range s {
			if d, ok := r.(host.Download); ok {
				run("printf '%s' 'kim ALL=(ALL NOPASSWD: ALL\n' >/srv/lab-rules")
				d.SHA256, _, _ = strings.Cut(run("sha256sum /srv/lab-rules"), " ")
				s[i] = d
			}
		}
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "syntax error") {
			t.Errorf("%s: %v\n%s", name, err, r)
		}
		if after := run(look); after != before {
			t.Errorf("%s: sudoers was\n%s\nand is\n%s", name, before, after)
		}
		run("visudo -cf /etc/sudoers; rm -rf /srv/lab-rules")
	}
	settle(t, m, host.State{
		host.Line{Path: "/etc/sudoers.d/lab-good", Line: "daemon ALL=(ALL) NOPASSWD: /bin/false"},
		host.Link{Path: "/etc/sudoers.d/lab-link", Target: "lab-good"},
	})
	run("rm /etc/sudoers.d/lab-*")
}

// TestSudoersParse: what sudo cannot parse never becomes part of sudoers, by whatever resource.
func TestSudoersParse(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	keepSudoers(t, m)
}

// TestSudoersParseOnMachine does the same on a real Debian machine.
func TestSudoersParseOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	keepSudoers(t, m)
}

// TestSudoersWithoutVisudo: without anything to check it with, nothing is written.
func TestSudoersWithoutVisudo(t *testing.T) {
	box, m := open(t, hosttest.Config{})
	if err := box.FS().Remove("/usr/sbin/visudo"); err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(t.Context(), host.State{host.File{Path: "/etc/sudoers.d/kim", Content: "kim ALL=(ALL) ALL\n"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "install sudo first") {
		t.Errorf("got %v", err)
	}
	if _, err := box.FS().Stat("/etc/sudoers.d/kim"); err == nil {
		t.Error("the file was written")
	}
}

// TestSudoersThatSudoIgnores: a file that sudo would not read is a problem of the state.
func TestSudoersThatSudoIgnores(t *testing.T) {
	for name, r := range map[string]host.Resource{
		"a dot":         host.File{Path: "/etc/sudoers.d/kim.conf"},
		"a tilde":       host.Line{Path: "/etc/sudoers.d/kim~", Line: "x"},
		"writable":      host.File{Path: "/etc/sudoers.d/kim", Mode: 0o666},
		"group":         host.Block{Path: "/etc/sudoers.d/kim", Name: "n", Mode: 0o660},
		"not root's":    host.File{Path: "/etc/sudoers.d/kim", Owner: "kim"},
		"link":          host.Link{Path: "/etc/sudoers.d/kim.link", Target: "x"},
		"an executable": host.Download{Path: "/etc/sudoers.d/a.b", URL: "https://example.org/", SHA256: strings.Repeat("0", 64)},
	} {
		if ps := r.Validate(); len(ps) != 1 || !strings.Contains(ps[0].Message, "ignore") {
			t.Errorf("%s: %v", name, ps)
		}
	}
	for name, r := range map[string]host.Resource{
		"right":   host.File{Path: "/etc/sudoers.d/kim", Mode: 0o440, Owner: "root"},
		"removed": host.File{Path: "/etc/sudoers.d/kim.conf", Absent: true},
	} {
		if ps := r.Validate(); len(ps) != 0 {
			t.Errorf("%s: %v", name, ps)
		}
	}
}

// keepsSSHD applies configurations that sshd refuses, alone or together with what is there.
func keepsSSHD(t *testing.T, m *host.Machine) {
	run := rootRun(t, m)
	const main, dropIn = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/lab.conf"
	const look = "cat /etc/ssh/sshd_config; cd /etc/ssh/sshd_config.d; ls -A; cat -- *.conf 2>/dev/null || :; ls -A /run | grep lab-sshd || :"
	settle(t, m, host.State{host.File{Path: dropIn, Content: "PermitRootLogin no\n"}})
	before := run(look)
	for name, r := range map[string]host.Resource{
		"drop-in":            host.File{Path: dropIn, Content: "PermitRootLogin maybe\n"},
		"new drop-in":        host.File{Path: "/etc/ssh/sshd_config.d/lab2.conf", Content: "NoSuchOption yes\n"},
		"line":               host.Line{Path: main, Line: "PasswordAuthentication perhaps"},
		"block":              host.Block{Path: dropIn, Name: "b", Content: "Match User kim\nPort 22"},
		"with a validation":  host.Line{Path: main, Line: "Port none", ValidateWith: "test -s %s"},
		"the whole":          host.File{Path: main, Content: "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM 3\n"},
		"link to a bad file": host.Link{Path: "/etc/ssh/sshd_config.d/lab2.conf", Target: "/etc/hostname"},
	} {
		p, err := m.Plan(t.Context(), host.State{r})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r, err := p.Apply(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "/etc/ssh/sshd_config") {
			t.Errorf("%s: %v\n%s", name, err, r)
		}
		if after := run(look); after != before {
			t.Errorf("%s: it was\n%s\nand is\n%s", name, before, after)
		}
	}
	run("echo NoSuchOption yes >>" + main) // by hand, and repaired by a resource, one file after the other
	settle(t, m, host.State{
		host.File{Path: dropIn, Content: "PermitRootLogin prohibit-password\n"},
		host.Line{Path: main, Match: "^NoSuchOption", Absent: true},
	})
	settle(t, m, host.State{host.File{Path: dropIn, Absent: true}})
	run("/usr/sbin/sshd -t")
}

// TestSSHDConfigIsAccepted: what makes sshd refuse its configuration is not put there.
func TestSSHDConfigIsAccepted(t *testing.T) {
	_, m := open(t, hosttest.Config{})
	keepsSSHD(t, m)
}

// TestSSHDConfigIsAcceptedOnMachine does the same on a real Debian machine.
func TestSSHDConfigIsAcceptedOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	keepsSSHD(t, m)
}
