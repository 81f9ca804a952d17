package ssh_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// home creates a home directory with files in its .ssh.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	for name, content := range files {
		at := filepath.Join(dir, ".ssh", name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, at, []byte(content))
	}
	return dir
}

func TestFromSSHConfig(t *testing.T) {
	_, encrypted := newSigner(t, "secret")
	h := home(t, map[string]string{
		"id_ed25519": "x", "pi key": "x", "gate.pem": "x", "locked": string(must(os.ReadFile(encrypted))),
		"known_hosts": "", "lab_hosts": "", "lab hosts": "",
		"config": `
Include more
User nobody%
Host pi1
	HostName 192.0.2.1
	User pi
	Port 2222
	IdentityFile "~/.ssh/pi key"
	IdentityFile ~/.ssh/missing
	ProxyJump gate
	UserKnownHostsFile ~/.ssh/lab_hosts "~/.ssh/lab hosts"
	GlobalKnownHostsFile none
	HostKeyAlias pi1.lan
	ConnectTimeout 5
	ServerAliveInterval 7
Host gate
	HostName %h.example.org
	IdentityFile %d/.ssh/gate.pem
	ProxyJump far@outer:2022
Host two
	ProxyJump root@gate,ssh://gate2:22
Host direct
	ProxyJump none
	StrictHostKeyChecking accept-new
	UserKnownHostsFile ~/.ssh/new_hosts
	GlobalKnownHostsFile none
	IdentityAgent ~/.ssh/agent.%r
	IdentityFile ~/.ssh/locked
Host loose
	StrictHostKeyChecking no
	LocalCommand rm -rf /
Host v6
	HostName 2001:db8::1
`,
		"more": "Host included\n  User inside\n",
	})
	in := func(name string) string { return filepath.Join(h, ".ssh", name) }
	resolve := func(alias string) ssh.Target {
		t.Helper()
		to, _, err := ssh.FromSSHConfig("", alias)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	pi1 := resolve("pi1")
	if pi1.Address != "192.0.2.1:2222" || pi1.ConnectTimeout != 5*time.Second ||
		pi1.KeepAlive != 7*time.Second || pi1.Name != "pi1" {
		t.Errorf("%+v", pi1)
	}
	if want := []ssh.KeyFile{{Path: in("pi key")}}; !reflect.DeepEqual(pi1.Auth.KeyFiles, want) ||
		pi1.Auth.AgentSocket != "" {
		t.Errorf("%+v", pi1.Auth)
	}
	if want := (ssh.HostKeys{KnownHosts: []string{in("lab_hosts"), in("lab hosts")},
		Alias: "pi1.lan"}); !reflect.DeepEqual(pi1.HostKeys, want) {
		t.Errorf("%+v", pi1.HostKeys)
	}
	chain := func(to ssh.Target) (list []string) {
		for _, j := range to.Jump {
			list = append(list, j.User+"@"+j.Address)
			if len(j.Jump) > 0 {
				t.Error("a jump has jumps")
			}
		}
		return list
	}
	for alias, want := range map[string]string{
		"pi1":    "far@outer:2022 nobody%@gate.example.org:22",
		"two":    "far@outer:2022 root@gate.example.org:22 nobody%@gate2:22",
		"direct": "",
	} {
		if got := strings.Join(chain(resolve(alias)), " "); got != want {
			t.Errorf("%s: %s", alias, got)
		}
	}
	if got := resolve("pi1").Jump[1].Auth.KeyFiles; len(got) != 1 || got[0].Path != in("gate.pem") {
		t.Errorf("%+v", got)
	}
	direct := resolve("direct")
	if direct.HostKeys.AcceptNew != in("new_hosts") ||
		direct.Auth.AgentSocket != in("agent.nobody%") || len(direct.Auth.KeyFiles) != 0 {
		t.Errorf("%+v %+v", direct.HostKeys, direct.Auth)
	}
	if got := resolve("v6"); got.Address != "[2001:db8::1]:22" {
		t.Error(got.Address)
	}
	if got := resolve("any"); got.Address != "any:22" || len(got.Auth.KeyFiles) != 1 ||
		got.Auth.KeyFiles[0].Path != in("id_ed25519") || got.HostKeys.KnownHosts[0] != in("known_hosts") {
		t.Errorf("%+v", got)
	}
	to, ignored, err := ssh.FromSSHConfig(in("config"), "loose")
	if err != nil || len(ignored) != 2 || !strings.Contains(strings.Join(ignored, "\n"),
		"StrictHostKeyChecking no is not honoured") || to.HostKeys.AcceptNew != "" {
		t.Errorf("%q %+v %v", ignored, to, err)
	}
}

func TestFromSSHConfigRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		kind   error
		want   string
	}{
		"ProxyCommand":      {"Host *\nProxyCommand nc %h %p\n", lab.ErrRefused, "use ProxyJump"},
		"of a jump":         {"Host pi1\nProxyJump gate\nHost gate\nProxyCommand nc %h %p\n", lab.ErrRefused, "gate: "},
		"KnownHostsCommand": {"KnownHostsCommand /bin/x\n", lab.ErrRefused, "KnownHostsCommand"},
		"PKCS11Provider":    {"PKCS11Provider /x.so\n", lab.ErrRefused, "PKCS11Provider"},
		"Match exec":        {"Match exec \"touch /x\"\nUser x\n", lab.ErrRefused, "Match"},
		"cycle":             {"Host pi1\nProxyJump a\nHost a\nProxyJump pi1\n", lab.ErrInvalid, "cycle"},
		"jump":              {"ProxyJump a b\n", lab.ErrInvalid, "ProxyJump"},
		"port":              {"Port ssh\n", lab.ErrInvalid, "Port ssh"},
		"timeout":           {"ConnectTimeout soon\n", lab.ErrInvalid, "ConnectTimeout"},
		"certificate":       {"CertificateFile ~/.ssh/config\n", lab.ErrInvalid, "not an OpenSSH certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			home(t, map[string]string{"config": test.config})
			_, _, err := ssh.FromSSHConfig("", "pi1")
			if !errors.Is(err, test.kind) {
				t.Errorf("got %v", err)
			}
			contains(t, err, test.want)
		})
	}
	home(t, nil)
	if _, _, err := ssh.FromSSHConfig("", "pi1"); !errors.Is(err, lab.ErrNotFound) {
		t.Error(err)
	}
}

// TestFromSSHConfigDial connects as ssh would.
func TestFromSSHConfigDial(t *testing.T) {
	gate, s := real.SSHD(t), real.SSHDWith(t, real.SSHOptions{UserCA: true})
	key, keyFile := newSigner(t, "")
	cert := must(real.Certify(s.UserCA, key.PublicKey(), cryptossh.UserCert, s.User))
	certFile := write(t, filepath.Join(t.TempDir(), "cert"), cryptossh.MarshalAuthorizedKey(cert))
	home(t, map[string]string{"config": `
Host gate
	HostName 127.0.0.1
	Port ` + strings.TrimPrefix(gate.Addr, "127.0.0.1:") + `
	IdentityFile ` + gate.KeyFile + `
	UserKnownHostsFile ` + gate.KnownHosts + `
Host pi1
	HostName ` + s.Host + `
	Port ` + strings.TrimPrefix(s.Addr, "127.0.0.1:") + `
	IdentityFile ` + gate.KeyFile + `
	IdentityFile ` + keyFile + `
	CertificateFile ` + certFile + `
	UserKnownHostsFile ` + s.KnownHosts + `
	ProxyJump gate
Match all
	User ` + s.User + `
`})
	to, ignored, err := ssh.FromSSHConfig("", "pi1")
	if err != nil || len(ignored) > 0 {
		t.Fatal(ignored, err)
	}
	if k := to.Auth.KeyFiles; len(k) != 2 || k[0].Certificate != "" || k[1].Certificate != certFile {
		t.Errorf("%+v", k)
	}
	dial(t, to)
}

// TestOddSSHConfig has files that people have. What ssh(1) reads of them, we do.
func TestOddSSHConfig(t *testing.T) {
	const plain = "Host pi1\n  HostName 192.0.2.7\n  User me\n  Port 2222\n"
	for name, c := range map[string]struct {
		content string
		refused string // part of the error; empty means that it is read like plain
	}{
		"plain":             {plain, ""},
		"CRLF":              {strings.ReplaceAll(plain, "\n", "\r\n"), ""},
		"quoted":            {"Host \"pi1\"\n  HostName \"192.0.2.7\"\n  User \"me\"\n  Port \"2222\"\n", ""},
		"equals":            {"Host=pi1\n  HostName=192.0.2.7\n  User = me\n  Port=2222\n", ""},
		"tabs and case":     {"host\tpi1\n\thostname\t192.0.2.7\n\tUSER\tme\n\tport\t2222\n", ""},
		"no newline at end": {strings.TrimSpace(plain), ""},
		"options before":    {"ServerAliveCountMax 3\nHashKnownHosts yes\n" + plain, ""},
		"Match all":         {plain + "Match all\n  Compression yes\n", ""},
		"Match of a secret": {"Match battery secretword\n" + plain, "line 1"},
		"jump":              {plain + "  ProxyJump pi:secretword@a b\n", "ProxyJump"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, map[string]string{"config": c.content})
			got, _, err := ssh.FromSSHConfig("", "pi1")
			switch {
			case c.refused == "" && (err != nil || got.Address != "192.0.2.7:2222" || got.User != "me"):
				t.Errorf("%+v %v", got, err)
			case c.refused != "":
				contains(t, err, c.refused)
				if err != nil && strings.Contains(err.Error()+strings.Join(lab.Hints(err), ""), "secretword") {
					t.Errorf("it repeats what is in the file: %v", err)
				}
			}
			client, notFound := exec.LookPath("ssh")
			if notFound != nil || c.refused != "" {
				return
			}
			out, err := exec.CommandContext(t.Context(), client, "-G", "-F", filepath.Join(dir, ".ssh/config"), "pi1").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "hostname 192.0.2.7\n") || !strings.Contains(string(out), "port 2222\n") {
				t.Errorf("ssh(1) reads it otherwise: %v %s", err, out)
			}
		})
	}
}
