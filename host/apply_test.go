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

// TestScriptWithSyntaxError: a command with a syntax error fails alone, and an unless with one is
// an error of the plan that names the command.
func TestScriptWithSyntaxError(t *testing.T) {
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
		_, err = m.Plan(t.Context(), host.State{
			host.Command{Name: "fine", Run: "x", Unless: "# nothing"},
			host.Command{Name: "check", Run: "touch " + ssh.Quote(dir+"/ran"), Unless: "[ 'x"},
		})
		if !errors.Is(err, lab.ErrInvalid) || !strings.Contains(err.Error(), "command:check") {
			t.Errorf("got %v", err)
		}
	})
}

// TestSetgid: a directory has exactly the wanted mode, whatever it had or inherits.
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

// TestArchiveLeavesTheRest: files in the directory of an archive that are not part of it keep their
// owner.
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
		sh("mkdir app src; echo x >src/program; tar -c -f a.tar -C src program")
		sh("echo theirs >app/data; chown 12345:12345 app/data")
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
	s := host.State{
		host.Disk{Device: "/dev/disk/by-id/usb-Samsung_SSD_870_D1", Label: "lab", Initialise: host.InitialiseIfBlank},
	}
	if p, err := m.Plan(t.Context(), s); err != nil || p.Empty() {
		t.Fatalf("a blank disk: %v %s", err, p)
	}
	box.Handle("dd", func(*hosttest.Process) int { return 1 })
	if _, err := m.Plan(t.Context(), s); !errors.Is(err, lab.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestKeysInAHomeElsewhere: keys in a home that exists before its account, wherever it is, are kept
// by the run that creates the account.
func TestKeysInAHomeElsewhere(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKxTvCOEjMGL1bkFP6kqLz1EwbA3Lqe8a0dIVyyTyJrh a@lab"
	const old = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFPmJ1vG0mVv8a1bqgWb1cJrKJXW9p1xwT6pYwYQe1xK b@lab"
	const addOld = "mkdir -p /srv/homes/kim/.ssh; echo '" + old + "' >/srv/homes/kim/.ssh/authorized_keys; "
	for name, c := range map[string]struct {
		user   host.User
		before string
	}{
		"new account": {host.User{Name: "kim", Home: "/srv/homes/kim"}, "mkdir -p /srv/homes"},
		"new account, home with keys": {host.User{Name: "kim", UID: 4242, Home: "/srv/homes/kim"},
			addOld + "chown -R 4242:4242 /srv/homes/kim"},
		"home that changes": {host.User{Name: "kim", Home: "/srv/homes/kim"},
			"useradd -m kim; " + addOld + "chown -R kim:kim /srv/homes/kim"},
		"homes elsewhere": {host.User{Name: "kim"},
			"mkdir -p /srv/homes/kim; echo HOME=/srv/homes >>/etc/default/useradd"},
		"skeleton with keys": {host.User{Name: "kim"},
			"mkdir -p /etc/skel/.ssh; echo '" + old + "' >/etc/skel/.ssh/authorized_keys"},
	} {
		t.Run(name, func(t *testing.T) {
			box, m := open(t, hosttest.Config{})
			if out, err := box.Exec(c.before); err != nil {
				t.Fatal(out, err)
			}
			settle(t, m, host.State{c.user, host.AuthorizedKey{User: "kim", Key: key}})
			out, err := box.Exec("h=$(getent passwd kim | cut -d: -f6); cat $h/.ssh/authorized_keys")
			kept := !strings.Contains(c.before, old) || strings.HasPrefix(out, old+"\n")
			if err != nil || !kept || !strings.HasSuffix(out, key+"\n") {
				t.Errorf("the keys are %q, %v", out, err)
			}
		})
	}
}
