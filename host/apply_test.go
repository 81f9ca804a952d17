package host_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// TestScriptThatCannotBeRead: a command that no shell can read fails alone, and a check that none can is named and keeps the machine from being planned.
func TestScriptThatCannotBeRead(t *testing.T) {
	both(t, func(t *testing.T, m *host.Machine, dir string) {
		s := host.State{
			host.File{Path: dir + "/before", Content: "x"},
			host.Command{Name: "broken", Run: "echo 'x", Creates: dir + "/never"},
			host.Command{Name: "more", Run: "fi", Creates: dir + "/never either"},
			host.Command{Name: "heredoc", Run: "cat >" + ssh.Quote(dir+"/here") + " <<EOF\nx\nEOF", Creates: dir + "/here"},
			host.File{Path: dir + "/after", Content: "x"},
		}
		p, err := m.Plan(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Apply(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), "command:broken") || !strings.Contains(err.Error(), "yntax error") {
			t.Errorf("got %v", err)
		}
		want := []lab.Status{lab.StatusDone, lab.StatusFailed, lab.StatusFailed, lab.StatusDone, lab.StatusDone}
		for i, res := range r.Results {
			if res.Status != want[i] {
				t.Errorf("%s is %s, want %s", res.ID, res.Status, want[i])
			}
		}
		_, err = m.Plan(t.Context(), host.State{host.Command{Name: "fine", Run: "x", Unless: "# nothing"}, host.Command{Name: "check", Run: "touch " + ssh.Quote(dir+"/ran"), Unless: "[ 'x"}})
		if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "command:check") {
			t.Errorf("got %v", err)
		}
	})
}

// TestSetgid: a directory has exactly the mode that is stated, whatever it had or inherits.
func TestSetgid(t *testing.T) {
	both(t, func(t *testing.T, m *host.Machine, dir string) {
		if _, err := m.Run(t.Context(), ssh.Command{Script: "mkdir -m 2775 -p " + ssh.Quote(dir+"/shared"), Root: true}); err != nil {
			t.Fatal(err)
		}
		settle(t, m, host.State{host.Directory{Path: dir + "/shared/new", Mode: 0o750}})
		settle(t, m, host.State{host.Directory{Path: dir + "/shared"}})
		settle(t, m, host.State{host.Directory{Path: dir + "/shared", Mode: 0o2775}})
		settle(t, m, host.State{host.Directory{Path: dir + "/shared", Mode: 0o1777}})
	})
}

// TestArchiveLeavesTheRest: what lies in the directory of an archive and is not of it keeps its owner.
func TestArchiveLeavesTheRest(t *testing.T) {
	both(t, func(t *testing.T, m *host.Machine, dir string) {
		d := ssh.Quote(dir)
		sh := func(script string) string {
			t.Helper()
			r, err := m.Run(t.Context(), ssh.Command{Script: "set -e; cd " + d + "\n" + script, Root: true})
			if err == nil {
				err = r.Err()
			}
			if err != nil {
				t.Fatal(err)
			}
			return string(r.Stdout)
		}
		sh("mkdir app src; echo x >src/program; tar -c -f a.tar -C src program; echo theirs >app/data; chown 12345:12345 app/data")
		hash, _, _ := strings.Cut(sh("sha256sum <a.tar"), " ")
		settle(t, m, host.State{host.Archive{Path: dir + "/app", URL: "file://" + dir + "/a.tar", SHA256: hash}})
		if got := sh("stat -c %u:%g app/data app/program"); got != "12345:12345\n0:0\n" {
			t.Errorf("the owners are %q", got)
		}
	})
}

// TestUnreadableDisk: a disk that cannot be read is not blank.
func TestUnreadableDisk(t *testing.T) {
	box, m := open(t, hosttest.Config{Disks: []hosttest.Disk{{Serial: "D1", Size: 1 << 30}}})
	s := host.State{host.Disk{Device: "/dev/disk/by-id/usb-Samsung_SSD_870_D1", Label: "lab", Initialise: host.InitialiseIfBlank}}
	if p, err := m.Plan(t.Context(), s); err != nil || p.Empty() {
		t.Fatalf("a blank disk: %v %s", err, p)
	}
	box.Handle("dd", func(*hosttest.Process) int { return 1 })
	if _, err := m.Plan(t.Context(), s); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestKeysInAHomeElsewhere: keys that are in a home before its account is made, wherever that is, are kept by the one run that makes both.
func TestKeysInAHomeElsewhere(t *testing.T) {
	const key, old = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh a@lab", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPmJ1vG0mVv8a1bqgWb1cJrKJXW9p1xwT6pYwYQe1xK b@lab"
	for name, c := range map[string]struct {
		user   host.User
		before string
	}{
		"new account":      {host.User{Name: "kim", Home: "/srv/homes/kim"}, "mkdir -p /srv/homes"},
		"account that has": {host.User{Name: "kim", UID: 4242, Home: "/srv/homes/kim"}, "mkdir -p /srv/homes/kim/.ssh; echo '" + old + "' >/srv/homes/kim/.ssh/authorized_keys; chown -R 4242:4242 /srv/homes/kim"},
		"home that moves":  {host.User{Name: "kim", Home: "/srv/homes/kim"}, "useradd -m kim; mkdir -p /srv/homes/kim/.ssh; echo '" + old + "' >/srv/homes/kim/.ssh/authorized_keys; chown -R kim:kim /srv/homes/kim"},
		"homes elsewhere":  {host.User{Name: "kim"}, "mkdir -p /srv/homes/kim; echo HOME=/srv/homes >>/etc/default/useradd"},
		"another skeleton": {host.User{Name: "kim"}, "mkdir -p /etc/skel/.ssh; echo '" + old + "' >/etc/skel/.ssh/authorized_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			box, m := open(t, hosttest.Config{})
			if out, err := box.Exec(c.before); err != nil {
				t.Fatal(out, err)
			}
			settle(t, m, host.State{c.user, host.AuthorizedKey{User: "kim", Key: key}})
			out, err := box.Exec("h=$(getent passwd kim | cut -d: -f6); cat $h/.ssh/authorized_keys")
			if err != nil || !strings.HasSuffix(out, key+"\n") || strings.Contains(c.before, old) && !strings.HasPrefix(out, old+"\n") {
				t.Errorf("the keys are %q, %v", out, err)
			}
		})
	}
}
