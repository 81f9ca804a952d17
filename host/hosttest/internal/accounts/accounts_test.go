package accounts_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestAccounts compares with what Debian 12's shadow-utils answered to the same script; how to use a program is left
// out.
func TestAccounts(t *testing.T) {
	script, err := os.ReadFile("testdata/accounts.sh")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/accounts.out")
	if err != nil {
		t.Fatal(err)
	}
	m := hosttest.New(t, hosttest.Config{})
	m.FS().WriteFile("/root/accounts.sh", script)
	out, err := m.Exec("exec 2>&1; cd /; LC_ALL=C sh /root/accounts.sh; true")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "Usage") && !strings.HasPrefix(line, "  ") && line != "\n" {
			got = append(got, strings.Replace(line, time.Now().UTC().Format("2006-01-02"), "TODAY", 1))
		}
	}
	wants := strings.SplitAfter(string(want), "\n")
	for i := range max(len(got), len(wants)-1) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(wants) {
			w = wants[i]
		}
		if g != w {
			t.Fatalf("line %d: got %q, want %q", i+1, g, w)
		}
	}
}

func TestAccountsOfOthers(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	for cmd, code := range map[string]int{
		"useradd x": 1, "groupadd x": 10, "usermod -s /bin/sh pi": 1,
		"cat /etc/shadow": 1, "getent shadow pi": 2, "passwd -l root": 1,
	} {
		_, errs, err := debiantest.Exec(t, c, "PATH=$PATH:/usr/sbin; "+cmd, "")
		if got, _ := debiantest.ExitOf(err); got != code {
			t.Errorf("%s: exit %d (%s), want %d", cmd, got, errs, code)
		}
	}
	if out, _ := m.Exec("getent passwd x"); out != "" {
		t.Error("a user was added by pi")
	}
}

// TestVisudo compares with what visudo 1.9.13 says.
func TestVisudo(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	for _, c := range []struct {
		text, want string
		code       int
	}{
		{"pi ALL=(ALL) NOPASSWD: ALL", "/f: parsed OK\n", 0},
		{"nonsense", "/f:1:9: syntax error\nnonsense\n        ^\n", 1},
		{"pi ALL", "/f:1:7: syntax error\npi ALL\n      ^\n", 1},
		{"Defaults env_reset", "/f: parsed OK\n", 0},
		{"Defaults", "/f:1:9: syntax error\nDefaults\n        ^\n", 1},
		{"pi ALL=(ALL NOPASSWD: ALL", "/f:1:13: syntax error\npi ALL=(ALL NOPASSWD: ALL\n            ^~~~~~~~~\n", 1},
		{"pi ALL=(ALL) FOO: ALL", "/f:1:22: syntax error\npi ALL=(ALL) FOO: ALL\n                     ^\n", 1},
		{"pi ALL=(ALL) id", "/f:1:14: expected a fully-qualified path name\npi ALL=(ALL) id\n             ^~\n", 1},
		{"#comment", "/f: parsed OK\n", 0},
		{"User_Alias adm = a", "/f:1:12: syntax error\nUser_Alias adm = a\n           ^~~\n", 1},
		{"%wheel ALL=(ALL:ALL) ALL", "/f: parsed OK\n", 0},
		{"pi ALL = NOPASSWD: /bin/a, !/bin/b", "/f: parsed OK\n", 0},
		{"pi ALL=(ALL) NOPASSWD:", "/f:1:23: syntax error\npi ALL=(ALL) NOPASSWD:\n                      ^\n", 1},
		{"pi  ALL=/bin/x \\\n  -y", "/f: parsed OK\n", 0},
		{"a b c = d", "/f:1:5: syntax error\na b c = d\n    ^\n", 1},
		{"pi, bob ALL=ALL", "/f: parsed OK\n", 0},
		{"Defaults:pi !requiretty", "/f: parsed OK\n", 0},
		{"Defaults nosuchoption", "/f:1:22: unknown defaults entry \"nosuchoption\"\n", 1},
		{
			"Defaults secure_path=\"/a:/b",
			"/f:1:28: unexpected line break in string\nDefaults secure_path=\"/a:/b\n                           ^\n", 1,
		},
		{"pi ALL==ALL", "/f:1:8: syntax error\npi ALL==ALL\n       ^\n", 1},
		{"", "/f: parsed OK\n", 0},
	} {
		m.FS().WriteFile("/f", []byte(c.text+"\n"))
		r := debiantest.Run(m, "visudo -cf /f", "")
		if r.Out+r.Err != c.want || r.Code != c.code {
			t.Errorf("%q: got %q, %d; want %q, %d", c.text, r.Out+r.Err, r.Code, c.want, c.code)
		}
	}
}

// TestSudoersDropIns: a wrong line is told and skipped, a file of others is not read.
func TestSudoersDropIns(t *testing.T) {
	m := hosttest.New(t, hosttest.Config{})
	c := debiantest.Dial(t, m)
	for _, x := range []struct {
		name, setup, cmd string
		out              string
		code             int
	}{
		{"base", "", "sudo -n id -u", "0\n", 0},
		{
			"wrong line", "echo 'garbage here' >/etc/sudoers.d/y", "sudo -n id -u 2>&1",
			"/etc/sudoers.d/y:1:13: syntax error\ngarbage here\n            ^\n0\n", 0,
		},
		{
			"later rule wins", "rm /etc/sudoers.d/y; echo 'pi ALL=(ALL) PASSWD: ALL' >/etc/sudoers.d/zz", "sudo -n id -u 2>&1",
			"sudo: a password is required\n", 1,
		},
		{"name with a dot", "mv /etc/sudoers.d/zz /etc/sudoers.d/zz.off", "sudo -n id -u", "0\n", 0},
		{
			"one command",
			"echo 'pi ALL=(ALL) NOPASSWD: /usr/bin/id' >/etc/sudoers.d/010_pi-nopasswd; gpasswd -d pi sudo >/dev/null",
			"sudo -n id -u; sudo -n whoami 2>&1", "0\nsudo: a password is required\n", 1,
		},
		{"group writable", "chmod g+w /etc/sudoers.d/010_pi-nopasswd", "sudo -n id -u 2>/dev/null", "", 1},
	} {
		if x.setup != "" {
			if _, err := m.Exec(x.setup); err != nil {
				t.Fatal(x.name, err)
			}
		}
		c.Close()
		c = debiantest.Dial(t, m)
		out, _, err := debiantest.Exec(t, c, x.cmd, "")
		if code, _ := debiantest.ExitOf(err); out != x.out || code != x.code {
			t.Errorf("%s: %q, %d; want %q, %d", x.name, out, code, x.out, x.code)
		}
	}
}

// TestGetent: options and the mark that ends them may stand between the operands, and one key that is not found is told
// by the exit status.
func TestGetent(t *testing.T) {
	debiantest.CompareOutput(t, real.Missing, map[string]string{
		"marks": `getent group -- root; echo $?; getent -- group root; echo $?; getent passwd root -- daemon; echo $?`,
		"not found": `getent group -- root nosuch; echo $?; getent passwd 1 nosuch; echo $?; ` +
			`getent shadow -- nosuch; echo $?`,
	}, "getent")
}
