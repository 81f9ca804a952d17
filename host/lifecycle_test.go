package host_test

import (
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// odd are names that a shell, a tool or a parser could misinterpret.
var odd = []string{
	"with space",
	"it's",
	`say "hi"`,
	"new\nline",
	"-rf",
	`back\slash`,
	"été 漢",
	"$(reboot)",
	"`x`",
	"*",
	"tab\there",
	"end ",
	"a;b&c|d",
	"%s%n",
	"#",
	"\x01",
	"=",
	"[x]",
	"{a,b}",
	"~",
}

// lives returns, for each kind, the states that are applied one after the other. After each of them
// the next plan must be empty.
func lives() map[string][]host.State {
	all := map[string][]host.State{}
	for _, group := range []map[string][]host.State{
		fileLives(), editLives(), commandLives(), accountLives(), unitLives(), systemLives(), packageLives(),
		removalLives(), oddLives(),
	} {
		for kind, states := range group {
			if all[kind] != nil {
				panic("two groups have the life of " + kind)
			}
			all[kind] = states
		}
	}
	return all
}

// oneByOne returns states of one resource each.
func oneByOne(rs ...host.Resource) (out []host.State) {
	for _, r := range rs {
		out = append(out, host.State{r})
	}
	return out
}

// fileLives are of whole files, directories and links.
func fileLives() map[string][]host.State {
	return map[string][]host.State{
		"file": oneByOne(
			host.File{Path: "/srv/f"},
			host.File{Path: "/srv/f", Content: "nul\x00, no newline at the end"},
			host.File{Path: "/srv/f", Content: "x", Mode: 0o4711, Owner: "daemon", Group: "12345"},
			host.File{
				Path:  "/srv/f",
				Value: lab.NewSecret("x"),
			},
			host.File{
				Path:     "/srv/f",
				Template: "{{.Facts.Hostname}}\x00{{secret \"a\"}}",
				Values:   map[string]lab.Secret{"a": lab.NewSecret("y")},
			},
			host.File{
				Path:         "/srv/f",
				Content:      "ok",
				ValidateWith: "grep -q ok %s",
			},
			host.File{Path: "/srv/f", IfAbsent: true},
			host.File{Path: "/srv/f", Absent: true},
			host.File{Path: "/srv/f", IfAbsent: true, Content: "z"},
		),
		"directory": oneByOne(
			host.Directory{Path: "/srv/d/e/f"},
			host.Directory{Path: "/srv/d/e/f", Mode: 0o2770, Group: "adm"},
			host.Directory{Path: "/srv/d/e/f", Mode: 0o1777},
			host.Directory{Path: "/srv/d/e/f", Absent: true},
		),
		"link": oneByOne(
			host.Link{Path: "/srv/l", Target: "nowhere"},
			host.Link{Path: "/srv/l", Target: "/srv/it's\nthere\n"},
			host.Link{Path: "/srv/l", Absent: true},
		),
	}
}

// editLives are of parts of a file.
func editLives() map[string][]host.State {
	return map[string][]host.State{
		"line": oneByOne(
			host.Line{Path: "/srv/lines", Line: "a=1", Create: true, Mode: 0o600, Owner: "daemon"},
			host.Line{Path: "/srv/lines", Line: "a=2", Match: "^a="},
			host.Line{Path: "/srv/lines", Line: "b", InsertBefore: "^a"},
			host.Line{
				Path:        "/srv/lines",
				Line:        "'\"\\$x`%s",
				InsertAfter: "^b",
			},
			host.Line{Path: "/srv/lines", Match: "^a", Absent: true},
			host.Line{Path: "/srv/lines", Line: "a=3", ValidateWith: "test -s %s"},
		),
		"block": oneByOne(
			host.Block{Path: "/srv/blocks", Name: "it's", Content: "x\ny", Create: true},
			host.Block{Path: "/srv/blocks", Name: "it's", Content: "nul\x00\n\n"},
			host.Block{Path: "/srv/blocks", Name: "it's"},
			host.Block{
				Path:         "/srv/blocks",
				Name:         "two",
				Comment:      "//",
				Content:      "z",
				InsertBefore: "BEGIN",
			},
			host.Block{Path: "/srv/blocks", Name: "it's", Absent: true},
		),
	}
}

// commandLives are of what is run.
func commandLives() map[string][]host.State {
	return map[string][]host.State{
		"command": oneByOne(
			host.Command{Name: "it's", Run: ": >/srv/made", Creates: "/srv/made"},
			host.Command{Name: "it's", Run: "rm /srv/made", Removes: "/srv/made"},
			host.Command{Name: "it's", Run: "printf %s \"$V\" >/srv/made", Unless: `[ "$(cat /srv/made)" = "a'b" ]`,
				Values: map[string]lab.Secret{"V": lab.NewSecret("a'b")}},
		),
		"reboot": oneByOne(host.Reboot{}),
	}
}

// accountLives are of groups, users and their keys.
func accountLives() map[string][]host.State {
	return map[string][]host.State{
		"group": oneByOne(
			host.Group{Name: "g1"},
			host.Group{Name: "g2", System: true},
			host.Group{Name: "g3", GID: 4300},
			host.Group{Name: "g3", Absent: true},
		),
		"user": oneByOne(
			host.User{Name: "u1"},
			host.User{Name: "u1", Comment: "It's me, été -x", Groups: []string{"adm", "users"}, Shell: "/bin/sh"},
			host.User{Name: "u1", Group: "users", Home: "/srv/it's home"},
			host.User{
				Name: "u1",
				Hash: lab.NewSecret("$6$salt$hash"),
			},
			host.User{Name: "u1", Hash: lab.NewSecret("!")},
			host.User{Name: "u2", System: true},
			host.User{Name: "u3", UID: 4301, Home: "/srv/u 3", Comment: "-c"},
			host.User{Name: "u3", Absent: true},
		),
		"authorizedKey": oneByOne(
			host.AuthorizedKey{
				User: "root",
				Key: `command="echo 'ssh-x y'",restrict ` +
					`ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh été`,
			},
			host.AuthorizedKey{
				User: "root",
				Key:  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh x",
			},
			host.AuthorizedKey{
				User:   "root",
				Key:    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh",
				Absent: true,
			},
			host.AuthorizedKey{User: "nobody-here", Key: "ssh-ed25519 AAAA", Absent: true},
		),
	}
}

// unitLives are of what systemd and cron run.
func unitLives() map[string][]host.State {
	yes, no := true, false
	return map[string][]host.State{
		"unit": {
			{
				host.UnitFile{
					Name: "lab-x@.service",
					Content: "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\n" +
						"WantedBy=multi-user.target\n",
				},
				host.Unit{Name: "lab-x@1.service", State: host.Started, Enabled: &yes},
			},
			{
				host.DropIn{Unit: "lab-x@.service", Name: "10-a", Content: "[Service]\nEnvironment=\"A=it's %%\"\n"},
				host.DropIn{Unit: "lab-x@.service", Name: "20-b", Content: "[Service]\n"},
				host.Unit{Name: "lab-x@1.service", State: host.Started, RestartOn: []string{"dropin:lab-x@.service/10-a"}},
			},
			{
				host.Unit{Name: "lab-x@1.service", State: host.Stopped, Enabled: &no},
			},
			{host.Unit{Name: "lab-x@1.service", Masked: true}},
			{host.Unit{Name: "lab-x@1.service", State: host.Started}},
			{host.Unit{Name: "lab-x@1.service", State: host.Stopped}},
			{
				host.DropIn{Unit: "lab-x@.service", Name: "10-a", Absent: true},
				host.Unit{
					Name:      "lab-x@1.service",
					State:     host.Started,
					Enabled:   &yes,
					RestartOn: []string{"dropin:lab-x@.service/10-a"},
				},
			},
			{
				host.Directory{Path: "/etc/systemd/system/lab-x@.service.d", Absent: true},
				host.DropIn{Unit: "lab-x@.service", Name: "20-b", Absent: true},
				host.UnitFile{Name: "lab-x@.service", Absent: true},
				host.Unit{Name: "lab-x@1.service", State: host.Stopped, Enabled: &no},
			},
		},
		"timer": oneByOne(
			host.Timer{
				Name:        "lab-t",
				OnCalendar:  "*-*-* 04:00:00",
				Command:     "/bin/echo \"it's\" %%",
				Description: "été",
				User:        "daemon",
				Delay:       "5min",
				NotMissed:   true,
				Service:     []string{"Nice=5"},
				UnitLines:   []string{"Documentation=man:true"},
			},
			host.Timer{
				Name:       "lab-t",
				OnCalendar: "daily",
				Command:    "/bin/true",
			},
			host.Timer{Name: "lab-t", OnCalendar: "daily", Command: "/bin/true", Absent: true},
		),
		"cron": oneByOne(
			host.Cron{
				Name:     "c",
				Schedule: "0  4 * * *",
				Command:  "/bin/echo 'it''s' \"$x\" \\%",
				User:     "daemon",
				Env:      map[string]string{"MAILTO": "", "A": "b c"},
			},
			host.Cron{Name: "c", Schedule: "@daily", Command: "/bin/true"},
			host.Cron{Name: "c", Schedule: "@daily", Command: "/bin/true", Absent: true},
		),
	}
}

// systemLives are of settings of the machine as a whole.
func systemLives() map[string][]host.State {
	return map[string][]host.State{
		"hostname": oneByOne(
			host.Hostname{Name: "pi9"},
			host.Hostname{Name: "pi8", Domain: "lab.test"},
			host.Hostname{Name: "pi8"},
		),
		"timezone": oneByOne(host.Timezone{Name: "Europe/Paris"}, host.Timezone{Name: "Etc/UTC"}),
		"sysctl": oneByOne(
			host.Sysctl{Key: "net.ipv4.ip_forward", Value: "1"},
			host.Sysctl{Key: "net.ipv4.ip_forward", Value: "0", File: "/etc/sysctl.d/it's.conf"},
		),
		"mount": oneByOne(
			host.Mount{Path: "/srv/m", Source: "tmpfs", FSType: "tmpfs", Options: []string{"size=1M", "mode=0700"}},
			host.Mount{Path: "/srv/it's a mount", Source: "LABEL=nosuch", NoMount: true, Pass: 2},
			host.Mount{Path: "/srv/it's a mount", Absent: true},
			host.Mount{Path: "/srv/m", Absent: true},
		),
		"noSwap":        oneByOne(host.NoSwap{}),
		"caCertificate": oneByOne(host.CACertificate{Name: "never", Absent: true}),
	}
}

// packageLives are of what apt installs, and from where.
func packageLives() map[string][]host.State {
	return map[string][]host.State{
		"aptSource": oneByOne(
			host.AptSource{
				Name:          "x",
				URIs:          []string{"https://example.org/été"},
				Suites:        []string{"./"},
				Architectures: []string{"arm64"},
				Key:           "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n",
			},
			host.AptSource{
				Name:    "x",
				URIs:    []string{"http://127.0.0.1:9/srv"},
				Suites:  []string{"./"},
				Trusted: true,
			},
			host.AptSource{Name: "x", Absent: true},
		),
		"package": oneByOne(
			host.Package{Name: "nosuch-package", Absent: true},
			host.Package{Name: "coreutils"},
			host.Package{Name: "coreutils", Hold: true},
		),
	}
}

// removalLives are of resources that stand on each other and go together.
func removalLives() map[string][]host.State {
	return map[string][]host.State{
		"removal": {
			{
				host.Group{Name: "gg"},
				host.User{Name: "gu", Group: "gg", Home: "/srv/gu"},
				host.AuthorizedKey{
					User: "gu",
					Key:  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh",
				},
				host.Directory{
					Path: "/srv/gone",
				},
				host.Directory{Path: "/srv/gone/in"},
				host.File{Path: "/srv/gone/in/f"},
				host.Link{Path: "/srv/gone/l", Target: "x"},
			},
			{
				host.Group{Name: "gg", Absent: true},
				host.User{Name: "gu", Group: "gg", Absent: true},
				host.AuthorizedKey{
					User:   "gu",
					Key:    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh",
					Absent: true,
				},
				host.Directory{
					Path:   "/srv/gone",
					Absent: true,
				},
				host.Directory{Path: "/srv/gone/in", Absent: true},
				host.File{Path: "/srv/gone/in/f", Absent: true},
				host.Link{Path: "/srv/gone/l", Absent: true},
			},
		},
	}
}

// oddLives are of resources with names that are easily misread.
func oddLives() map[string][]host.State {
	all := map[string][]host.State{}
	for i, name := range odd {
		p := "/srv/odd/" + name
		all[fmt.Sprintf("odd %02d", i)] = []host.State{
			{
				host.Directory{Path: p + "/in"},
				host.File{Path: p + "/in/" + name, Content: name},
				host.Link{Path: p + "/link " + name, Target: name},
				host.Line{Path: p + "/line " + name, Line: "x", Create: true, ValidateWith: "test -f %s"},
				host.Block{
					Path:    p + "/block " + name,
					Name:    "n",
					Content: name,
					Create:  true,
				},
				host.Command{
					Name:    "odd",
					Run:     "echo x >" + ssh.Quote(p+"/made "+name),
					Creates: p + "/made " + name,
					Order:   host.Order{After: []string{"directory:" + p + "/in"}},
				},
			},
			{
				host.File{Path: p + "/in/" + name, Absent: true},
				host.Link{Path: p + "/link " + name, Absent: true},
				host.Directory{Path: p + "/in", Absent: true},
				host.Command{Name: "odd", Run: "rm -- " + ssh.Quote(p+"/made "+name), Removes: p + "/made " + name},
			},
		}
	}
	return all
}

// live applies the states of every kind.
func live(t *testing.T, machine func(t *testing.T) *host.Machine) {
	for kind, states := range lives() {
		t.Run(kind, func(t *testing.T) {
			m := machine(t)
			for i, s := range states {
				p, err := m.Plan(t.Context(), s)
				if err != nil {
					t.Fatalf("state %d: %v", i, err)
				}
				if r, err := p.Apply(t.Context(), nil); err != nil {
					t.Fatalf("state %d: %v\n%s", i, err, r)
				}
				if p, err = m.Plan(t.Context(), s); err != nil || !p.Empty() {
					t.Fatalf("state %d: a second plan: %v\n%s", i, err, p)
				}
			}
			r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: "find / -xdev -name '.lab-*' ! -name .lab-archive"})
			if err != nil || strings.TrimSpace(string(r.Stdout)) != "" {
				t.Errorf("left behind: %s %v", r.Stdout, err)
			}
		})
	}
}

// TestLifecycleInProcess: a second run has nothing to do, whatever a resource was before.
func TestLifecycleInProcess(t *testing.T) {
	live(t, func(t *testing.T) *host.Machine {
		_, m := open(t, hosttest.Config{})
		return m
	})
}

// TestLifecycleOnMachine does the same on a real Debian machine.
func TestLifecycleOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	live(t, func(*testing.T) *host.Machine { return m })
}
