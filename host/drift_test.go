package host_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// drift is a change that somebody made to a machine by hand.
type drift struct {
	name  string
	state host.State
	do    string // as root
	check string // succeeds if the drift was repaired
}

const driftKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh"

func drifts() []drift {
	yes, no := true, false
	sleeper := host.UnitFile{
		Name:    "lab-y.service",
		Content: "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n",
	}
	return []drift{
		{
			"a number with the same prefix",
			host.State{host.Sysctl{Key: "net.ipv4.tcp_keepalive_time", Value: "600"}},
			"sysctl -q -w net.ipv4.tcp_keepalive_time=6000",
			`[ "$(sysctl -n net.ipv4.tcp_keepalive_time)" = 600 ]`,
		},
		{
			"one of two numbers",
			host.State{host.Sysctl{Key: "net.ipv4.ip_local_port_range", Value: "32768 60999"}},
			"sysctl -q -w net.ipv4.ip_local_port_range='32768 61000'",
			`[ "$(sysctl -n net.ipv4.ip_local_port_range)" = "32768	60999" ]`,
		},
		{
			"another name, used in a template",
			host.State{host.File{Path: "/etc/lab-name", Template: "{{.Facts.Hostname}}"}, host.Hostname{Name: "pi7"}},
			"hostname other; echo other >/etc/hostname; printf other >/etc/lab-name",
			"[ $(cat /etc/lab-name) = pi7 ]",
		},
		{
			"a line with a slash at its end",
			host.State{host.Mount{Path: "/srv/lab-m", Source: "tmpfs", FSType: "tmpfs"}},
			"sed -i 's,/srv/lab-m tmpfs,/srv/lab-m/ tmpfs,' /etc/fstab",
			"[ $(grep -c lab-m /etc/fstab) = 1 ]",
		},
		{
			"an account was removed, its group was not",
			host.State{host.User{Name: "dv"}},
			"userdel dv; groupadd dv",
			`[ "$(id -gn dv)" = dv ]`,
		},
		{
			"an account and its group in one state",
			host.State{
				host.User{Name: "dw"},
				host.User{Name: "dx", Group: "dx"},
				host.Group{Name: "dx"},
				host.Group{Name: "dw"},
			},
			"userdel dw; userdel dx; ! getent group dw dx",
			`[ "$(id -gn dw)$(id -gn dx)" = dwdx ]`,
		},
		{
			"a key twice, the second time without restrictions",
			host.State{host.User{Name: "dk"}, host.AuthorizedKey{User: "dk", Key: `from="192.0.2.1" ` + driftKey}},
			"echo '" + driftKey + " x' >>/home/dk/.ssh/authorized_keys; echo '# " + driftKey + "' >>/home/dk/.ssh/authorized_keys",
			`[ "$(grep -c '^[^#]*ssh-' /home/dk/.ssh/authorized_keys) $(grep -c . /home/dk/.ssh/authorized_keys)" = "1 2" ]`,
		},
		{
			"a file saved with DOS line ends",
			host.State{
				host.Block{Path: "/srv/lab-dos", Name: "n", Content: "1\n2", Create: true},
				host.Line{Path: "/srv/lab-dos", Line: "x=1", Match: "^x=.$"},
			},
			`sed -i 's/^2$/3/; s/x=1/x=2/' /srv/lab-dos; sed -i "s/\$/$(printf '\r')/" /srv/lab-dos`,
			`[ "$(tr -d '\r' </srv/lab-dos | tr '\n' ' ')" = "# BEGIN lab n 1 2 # END lab n x=1 " ] &&
				[ "$(grep -c "$(printf '\r')" /srv/lab-dos)" = 5 ]`,
		},
		{
			"a block whose end marker was lost, before one of somebody else's",
			host.State{host.Block{Path: "/srv/lab-lost", Name: "n", Content: "1", Create: true}},
			"sed -i '/END lab n/d' /srv/lab-lost; printf '%s\\n' theirs '# BEGIN lab n' 2 '# END lab n' >>/srv/lab-lost",
			`[ "$(tr '\n' ' ' </srv/lab-lost)" = "1 theirs # BEGIN lab n 1 # END lab n " ]`,
		},
		{
			"masked until the reboot",
			host.State{host.Unit{Name: "cron.service", State: host.Started, Enabled: &yes}},
			"systemctl mask --runtime cron.service; systemctl stop cron.service",
			"systemctl is-active -q cron.service && [ ! -e /run/systemd/system/cron.service ]",
		},
		{
			"masked permanently and until the reboot",
			host.State{host.Unit{Name: "cron.service", State: host.Started}},
			"systemctl mask cron.service; systemctl mask --runtime cron.service; systemctl stop cron.service",
			"systemctl is-active -q cron.service && [ ! -e /run/systemd/system/cron.service ]",
		},
		{
			"masked only until the reboot",
			host.State{host.Unit{Name: "cron.service", Masked: true}},
			"systemctl unmask cron.service; systemctl mask --runtime cron.service",
			"[ -h /etc/systemd/system/cron.service ]; r=$?; systemctl unmask cron.service; systemctl unmask --runtime cron.service; exit $r",
		},
		{
			"enabled until the reboot",
			host.State{sleeper, host.Unit{Name: "lab-y.service", Enabled: &no}},
			"systemctl enable --runtime lab-y.service",
			`[ "$(systemctl is-enabled lab-y.service)" = disabled ]`,
		},
		{
			"enabled permanently and until the reboot",
			host.State{sleeper, host.Unit{Name: "lab-y.service", Enabled: &no}},
			"systemctl enable --runtime lab-y.service; systemctl enable lab-y.service",
			`[ "$(systemctl is-enabled lab-y.service)" = disabled ]`,
		},
		{
			"linked, not enabled",
			host.State{
				host.File{Path: "/opt/lab-z.service", Content: sleeper.Content},
				host.Link{Path: "/etc/systemd/system/lab-z.service", Target: "/opt/lab-z.service"},
				host.Unit{Name: "lab-z.service", Enabled: &yes},
			},
			"rm /etc/systemd/system/multi-user.target.wants/lab-z.service; systemctl daemon-reload",
			`[ "$(systemctl is-enabled lab-z.service)" = enabled ]`,
		},
		{
			"linked, with nothing to enable",
			host.State{
				host.File{Path: "/opt/lab-s.service", Content: "[Service]\nExecStart=/bin/sleep infinity\n"},
				host.Link{Path: "/etc/systemd/system/lab-s.service", Target: "/opt/lab-s.service"},
				host.Unit{Name: "lab-s.service", Enabled: &yes, State: host.Started},
			},
			"systemctl stop lab-s.service",
			"systemctl is-active -q lab-s.service",
		},
	}
}

// repair applies a state, makes the drift, and applies the state again.
func repair(t *testing.T, m *host.Machine, d drift) {
	apply := func(when string) {
		p, err := m.Plan(t.Context(), d.state)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if r, err := p.Apply(t.Context(), nil); err != nil {
			t.Fatalf("%s: %v\n%s", when, err, r)
		}
	}
	run := func(script string) {
		r, err := m.Run(t.Context(), ssh.Command{Root: true, Script: script})
		if err != nil {
			t.Fatal(err)
		}
		if r.Exit != 0 {
			t.Fatalf("%s: exit %d\n%s%s", script, r.Exit, r.Stdout, r.Stderr)
		}
	}
	apply("at first")
	run(d.do)
	p, err := m.Plan(t.Context(), d.state)
	if err != nil || p.Empty() {
		t.Fatalf("the drift is not in the plan: %v", err)
	}
	apply("after the drift")
	if p, err = m.Plan(t.Context(), d.state); err != nil || !p.Empty() {
		t.Errorf("a second plan: %v\n%s", err, p)
	}
	run(d.check)
}

func TestDriftInProcess(t *testing.T) {
	for _, d := range drifts() {
		t.Run(d.name, func(t *testing.T) {
			_, m := open(t, hosttest.Config{})
			repair(t, m, d)
		})
	}
}

// TestDriftOnMachine does the same on a real Debian machine.
func TestDriftOnMachine(t *testing.T) {
	m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
	defer m.Close()
	for _, d := range drifts() {
		t.Run(d.name, func(t *testing.T) { repair(t, m, d) })
	}
}
