package login

import (
	"crypto/ed25519"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

func TestDefaultAuth(t *testing.T) {
	dir, err := os.MkdirTemp("", "login") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, block *pem.Block, err error) ssh.KeyFile {
		t.Helper()
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ssh.KeyFile{Path: path}
	}
	plain, err := cryptossh.MarshalPrivateKey(key, "")
	open := write("open", plain, err)
	encrypted, err := cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte("open sesame"))
	locked := write("locked", encrypted, err)
	unlocked := locked
	unlocked.Passphrase = lab.NewSecret("open sesame")
	none := ssh.KeyFile{Path: filepath.Join(dir, "none")}

	serve := func(name string, keys ...agent.AddedKey) string {
		t.Helper()
		ring := agent.NewKeyring()
		for _, k := range keys {
			if err := ring.Add(k); err != nil {
				t.Fatal(err)
			}
		}
		socket := filepath.Join(dir, name)
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { _ = agent.ServeAgent(ring, c) }()
			}
		}()
		return socket
	}
	empty, full, gone := serve("e"), serve("f", agent.AddedKey{PrivateKey: key}), filepath.Join(dir, "gone")

	for _, test := range []struct {
		name   string
		socket string
		file   ssh.KeyFile
		agent  string
		files  []ssh.KeyFile
	}{
		{"no ssh-agent", "", open, "", []ssh.KeyFile{open}},
		{"nothing", "", none, "", []ssh.KeyFile{none}},
		{"locked, no ssh-agent", "", locked, "", []ssh.KeyFile{locked}},
		{"both", full, open, full, []ssh.KeyFile{open}},
		{"the ssh-agent alone", full, none, full, nil},
		{"locked, assumed to be in the ssh-agent", full, locked, full, nil},
		{"its passphrase is known", full, unlocked, full, []ssh.KeyFile{unlocked}},
		{"an empty ssh-agent", empty, open, "", []ssh.KeyFile{open}},
		{"an empty ssh-agent, locked", empty, locked, "", []ssh.KeyFile{locked}},
		{"an empty ssh-agent and no file", empty, none, empty, nil},
		{"no ssh-agent at the socket", gone, open, "", []ssh.KeyFile{open}},
		{"no ssh-agent at the socket and no file", gone, none, gone, nil},
	} {
		a := defaultAuth(t.Context(), test.socket, test.file)
		if a.AgentSocket != test.agent || !reflect.DeepEqual(a.KeyFiles, test.files) {
			t.Errorf("%s: %q %v, want %q %v", test.name, a.AgentSocket, a.KeyFiles, test.agent, test.files)
		}
	}
}

// TestDefaultKeys: all keys that can be used are; of encrypted ones none that need not be decrypted.
func TestDefaultKeys(t *testing.T) {
	dir := t.TempDir()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, phrase string) ssh.KeyFile {
		block, err := cryptossh.MarshalPrivateKey(key, "")
		if phrase != "" {
			block, err = cryptossh.MarshalPrivateKeyWithPassphrase(key, "", []byte(phrase))
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ssh.KeyFile{Path: filepath.Join(dir, name)}
	}
	open1, open2, locked1, locked2 := write("o1", ""), write("o2", ""), write("l1", "x"), write("l2", "x")
	none := ssh.KeyFile{Path: filepath.Join(dir, "none")}
	for name, c := range map[string]struct{ files, want []ssh.KeyFile }{
		"all that exist":           {[]ssh.KeyFile{none, open1, open2}, []ssh.KeyFile{open1, open2}},
		"an encrypted one beside":  {[]ssh.KeyFile{locked1, open2}, []ssh.KeyFile{open2}},
		"the last one only":        {[]ssh.KeyFile{none, none, locked2}, []ssh.KeyFile{locked2}},
		"two encrypted ones":       {[]ssh.KeyFile{locked1, locked2}, []ssh.KeyFile{locked1}},
		"none: the first is wrong": {[]ssh.KeyFile{none, none}, []ssh.KeyFile{none}},
	} {
		if got := defaultAuth(t.Context(), "", c.files...); !reflect.DeepEqual(got.KeyFiles, c.want) {
			t.Errorf("%s: %v", name, got.KeyFiles)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{
		"pi@pi1": "pi pi1", "pi@192.0.2.1:2222": "pi 192.0.2.1:2222", "pi@[2001:db8::1]:22": "pi [2001:db8::1]:22",
		"me@corp@pi1": "me@corp pi1",
		"pi1":         "", "": "", "@pi1": "", "pi:battery@pi1": "", "pi:battery@": "", "ssh://pi:battery@pi1": "", "ssh://pi@pi1": "",
	} {
		target, err := parseTarget(in)
		got := target.User + " " + target.Address
		if err != nil {
			got = ""
		}
		if got != want || err != nil && strings.Contains(err.Error(), "battery") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
