package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// unwilling is an ssh-agent that does not sign with one of its keys, as when nobody confirms.
type unwilling struct {
	agent.Agent
	key cryptossh.PublicKey
}

func (u unwilling) Sign(key cryptossh.PublicKey, data []byte) (*cryptossh.Signature, error) {
	if bytes.Equal(key.Marshal(), u.key.Marshal()) {
		return nil, errors.New("no")
	}
	return u.Agent.Sign(key, data)
}

// TestAgentDoesNotSign: the next key is tried, as by ssh(1), and if there is none, the error says so.
func TestAgentDoesNotSign(t *testing.T) {
	s := real.SSHD(t)
	first, firstFile := newSigner(t, "")
	write(t, filepath.Join(s.Dir, "authorized_keys"), append(cryptossh.MarshalAuthorizedKey(first.PublicKey()),
		cryptossh.MarshalAuthorizedKey(s.Key.PublicKey())...))
	ring := agent.NewKeyring()
	socket := filepath.Join(t.TempDir(), "a")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = agent.ServeAgent(unwilling{ring, first.PublicKey()}, c)
			}()
		}
	}()
	to := target(s)
	to.Auth = ssh.Auth{AgentSocket: socket}
	for _, file := range []string{firstFile, s.KeyFile} {
		raw := must(cryptossh.ParseRawPrivateKey(must(os.ReadFile(file))))
		if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
			t.Fatal(err)
		}
		c, err := ssh.Dial(t.Context(), to)
		if file == s.KeyFile {
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			continue
		}
		if !errors.Is(err, lab.ErrUnauthorized) || !lab.SafeToRetry(err) {
			t.Errorf("got %v", err)
		}
		contains(t, err, "did not sign with ssh-rsa "+cryptossh.FingerprintSHA256(first.PublicKey()), "confirm")
	}
}

// TestAccountHints has accounts that cannot run a script. Each has its own cause and next step, with
// sudo and without.
func TestAccountHints(t *testing.T) {
	type change struct {
		program string
		args    []string // %s is the user
	}
	for name, test := range map[string]struct {
		change change
		bashrc string
		kind   error
		want   []string
	}{
		"expired password": {change{"chage", []string{"-d", "0", "%s"}}, "", lab.ErrUnauthorized,
			[]string{"has expired", "passwd %s"}},
		"password too old": {change{"chage", []string{"-M", "1", "-d", "2020-01-01", "%s"}}, "", lab.ErrUnauthorized,
			[]string{"has expired", "passwd %s"}},
		"expired account": {change{"chage", []string{"-E", "1", "%s"}}, "", lab.ErrUnauthorized,
			[]string{"account has expired", "chage -l %s"}},
		"nologin": {change{"usermod", []string{"-s", "/usr/sbin/nologin", "%s"}}, "", lab.ErrConflict,
			[]string{"not available", "usermod -s"}},
		"false": {change{"usermod", []string{"-s", "/bin/false", "%s"}}, "", lab.ErrConflict,
			[]string{"status 1", "usermod -s"}},
		"true": {change{"usermod", []string{"-s", "/bin/true", "%s"}}, "", lab.ErrConflict,
			[]string{"status 0", "ForceCommand"}},
		"startup file ends": {change{"true", nil}, "echo bye; exit 1\n", lab.ErrConflict, []string{"bye", "startup files"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, to := scratchUser(t, "bash", "%s ALL=(ALL) NOPASSWD: ALL")
			s.Stop() // only PAM looks at the age of a password
			config := filepath.Join(s.Dir, "sshd_config")
			if err := os.WriteFile(config, append([]byte("UsePAM yes\n"), must(os.ReadFile(config))...), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			args := test.change.args
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "%s", to.User)
			}
			if out, err := exec.Command(test.change.program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if test.bashrc != "" {
				file := filepath.Join("/tmp", to.User, ".bashrc")
				if err := os.WriteFile(file, []byte(test.bashrc), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, root := range []bool{false, true} {
				c, err := ssh.Dial(t.Context(), to)
				if err == nil {
					_, err = c.Run(t.Context(), ssh.Command{Script: "true", Root: root})
					c.Close()
				}
				if !errors.Is(err, test.kind) || !lab.SafeToRetry(err) {
					t.Fatalf("root %v: %v", root, err)
				}
				for _, w := range test.want {
					contains(t, err, strings.ReplaceAll(w, "%s", to.User))
				}
				if text := err.Error() + strings.Join(lab.Hints(err), "\n"); strings.Contains(text, "sudo password") ||
					strings.Contains(text, "NOPASSWD") {
					t.Errorf("root %v: sudo is not the cause: %s", root, text)
				}
			}
		})
	}
}

// TestTooManyKeys offers more keys than the machine lets be tried.
func TestTooManyKeys(t *testing.T) {
	s := real.SSHD(t)
	to := target(s)
	to.Auth = ssh.Auth{}
	for i := range 8 {
		signer, err := cryptossh.NewSignerFromKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+i)), 32))))
		if err != nil {
			t.Fatal(err)
		}
		to.Auth.Signers = append(to.Auth.Signers, signer)
	}
	to.Auth.Signers = append(to.Auth.Signers, s.Key)
	_, err := ssh.Dial(t.Context(), to)
	if !errors.Is(err, lab.ErrUnauthorized) || !lab.SafeToRetry(err) {
		t.Errorf("got %v", err)
	}
	contains(t, err, "MaxAuthTries", "ssh-add -l", cryptossh.FingerprintSHA256(s.Key.PublicKey()))
	if text := strings.Join(lab.Hints(err), "\n"); strings.Contains(text, "authorized_keys") {
		t.Errorf("that is not the cause: %s", text)
	}
}

// TestCutBeforeMasked: the error of a script whose output is longer than what is collected has no part
// of a line, in which a secret could not be masked.
func TestCutBeforeMasked(t *testing.T) {
	secret := lab.NewSecret("correct horse battery staple")
	for size := 1<<20 - 40; size < 1<<20; size++ {
		r := ssh.Cut(strings.Repeat("x", size-8)+"\nbefore\n"+secret.Reveal()+"\nafter\n", 1<<20)
		text := lab.Mask(r.Err().Error(), secret)
		for from := range len(secret.Reveal()) - 6 {
			if part := secret.Reveal()[from : from+6]; strings.Contains(text, part) {
				t.Fatalf("%d bytes before it: %q is in the error", size, part)
			}
		}
	}
}

// TestKeyFilesDoNotLeak has files that are no keys and hold secrets in places that a parser of keys repeats.
func TestKeyFilesDoNotLeak(t *testing.T) {
	const secret = "horsebattery"
	for name, content := range map[string]string{
		"type":    "-----BEGIN " + secret + "-----\nAAAA\n-----END " + secret + "-----\n",
		"text":    secret + "\n",
		"putty":   "PuTTY-User-Key-File-3: " + secret + "\n",
		"pkcs8":   "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n# " + secret + "\n",
		"openssh": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + "\n-----END OPENSSH PRIVATE KEY-----\n",
		"headers": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " + secret +
			",00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		"half key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n" + secret,
	} {
		for _, phrase := range []string{"", "a " + secret} {
			file := write(t, filepath.Join(t.TempDir(), "id"), []byte(content))
			ctx, cancel := context.WithCancel(t.Context())
			_, err := ssh.Dial(ctx, ssh.Target{Address: "127.0.0.1:1", User: "pi",
				Auth: ssh.Auth{KeyFiles: []ssh.KeyFile{{Path: file, Passphrase: lab.NewSecret(phrase)}}}})
			cancel()
			if err == nil || len(lab.Hints(err)) == 0 {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if text := err.Error() + strings.Join(lab.Hints(err), ""); strings.Contains(text, secret) {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}
