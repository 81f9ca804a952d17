package ssh_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestOddKnownHosts has lines that people's known_hosts files have. Apart from revoked keys, where we
// refuse more, ssh(1) must decide as we do.
func TestOddKnownHosts(t *testing.T) {
	s := real.SSHD(t)
	stranger, _ := newSigner(t, "")
	key := strings.TrimSpace(string(cryptossh.MarshalAuthorizedKey(s.HostKey)))
	other := strings.TrimSpace(string(cryptossh.MarshalAuthorizedKey(stranger.PublicKey())))
	name := knownhosts.Normalize(s.Addr)
	good := name + " " + key + "\n"
	port := strconv.Itoa(s.Port)
	windows := func(text string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return string(b)
	}
	const (
		accepted = iota
		unknown
		refused  // by us and by ssh(1)
		stricter // by us, though not by ssh(1)
	)
	for test, c := range map[string]struct {
		content  string
		want     int
		warnings int
	}{
		"key of protocol version 1": {"pi1 1024 35 1234567890123456789\n" + good, accepted, 1},
		"the same, of this machine": {name + " 1024 35 1234567890123456789\n" + good, accepted, 1},
		"cut key":                   {"pi1 " + key[:40] + "\n" + good, accepted, 1},
		"cut key of this machine":   {name + " " + key[:40] + "\n" + good, accepted, 1},
		"only a cut key of this machine": {
			name + " " + key[:40] + "\n", unknown, 1},
		"cut at the end of the file":  {good + "pi1 ssh-ed255", accepted, 1},
		"no key":                      {"pi1\npi1 ssh-rsa\n" + good, accepted, 2},
		"comment in place of the key": {name + " # was reinstalled\n" + good, accepted, 1},
		"merge conflict": {"<<<<<<< HEAD\n" + good + "=======\n" + "pi9 " + other + "\n>>>>>>> theirs\n",
			accepted, 3},
		"unknown type":                {name + " ssh-frob AAAACHNzaC1mcm9i\n" + good, accepted, 1},
		"type of another key":         {name + " ssh-rsa " + strings.Fields(key)[1] + "\n" + good, accepted, 1},
		"unknown marker":              {"@frob " + good + good, accepted, 1},
		"only after a marker":         {"@frob " + good, unknown, 1},
		"two markers":                 {"@cert-authority @cert-authority " + good + good, accepted, 1},
		"marker of another case":      {"@Cert-Authority * " + key + "\n" + good, accepted, 1},
		"CRLF":                        {"# a\r\n\r\n" + name + " " + key + "\r\n", accepted, 0},
		"CRLF after a comment":        {name + " " + key + " root@pi1\r\n", accepted, 0},
		"tabs and spaces":             {" \t" + name + "\t" + key + " \n", accepted, 0},
		"no newline at the end":       {strings.TrimSpace(good), accepted, 0},
		"byte order mark":             {"\ufeff# a\n" + good, accepted, 0},
		"UTF-16 appended":             {good + windows("pi1 "+key+"\r\n"), accepted, 1},
		"only UTF-16":                 {windows(good), unknown, 1},
		"public key file":             {key + " root@pi1\n" + good, accepted, 1},
		"damaged hash":                {"|1|AAAA|BBBB " + key + "\n|2|a|b " + key + "\n" + good, accepted, 2},
		"hash":                        {knownhosts.HashHostname(name) + " " + key + "\n", accepted, 0},
		"hash of the name alone":      {knownhosts.HashHostname(s.Host) + " " + key + "\n", accepted, 0},
		"hash of another name":        {knownhosts.HashHostname("pi1") + " " + key + "\n", unknown, 0},
		"bracket that is not closed":  {"[pi1 " + key + "\n" + good, accepted, 0},
		"empty names in a list":       {",," + name + ", " + key + "\n", accepted, 0},
		"wildcard":                    {"127.0.?.* " + key + "\n", accepted, 0},
		"wildcard over the port":      {"*:" + port + " " + key + "\n", accepted, 0},
		"any port":                    {"[127.0.0.1]:* " + key + "\n", accepted, 0},
		"everything":                  {"* " + key + "\n", accepted, 0},
		"negated":                     {"*,!" + name + ",!127.0.0.1 " + key + "\n", unknown, 0},
		"negated alone":               {"!pi1 " + key + "\n", unknown, 0},
		"sign without a name":         {"!," + name + " " + key + "\n", accepted, 0},
		"second key of the same type": {name + " " + other + "\n" + name + " " + key + "\n", accepted, 0},
		"another key":                 {name + " " + other + "\n", refused, 0},
		"revoked":                     {"@revoked * " + key + "\n" + good, refused, 0},
		"revoked, CRLF":               {"@revoked * " + key + "\r\n" + good, refused, 0},
		"revoked, tabs":               {"@revoked\t*\t" + key + "\n" + good, stricter, 0},
		"revoked for another machine": {"@revoked pi1 " + key + "\n" + good, stricter, 0},
		"another revoked":             {"@revoked * " + other + "\n" + good, accepted, 0},
		"revoked, cut":                {"@revoked pi1 " + key[:40] + "\n" + good, stricter, 0},
		"revoked, nothing else":       {"@revoked\n" + good, stricter, 0},
		"revoked, no names":           {"@revoked " + key + "\n" + good, stricter, 0},
		"revoked, damaged hash":       {"@revoked |1|a|b " + key + "\n" + good, stricter, 0},
		"revoked, wrong type":         {"@revoked * ssh-rsa " + strings.Fields(key)[1] + "\n" + good, stricter, 0},
		"revoked, misspelt type":      {"@revoked * ssh-ed2551 " + strings.Fields(key)[1] + "\n" + good, stricter, 0},
		"revoked, misspelt":           {"@REVOKED * " + key + "\n" + good, stricter, 0},
		"revoked, two markers":        {"@cert-authority @revoked * " + key + "\n" + good, stricter, 0},
		"revoked, UTF-16":             {windows("\ufeff@revoked * "+key+"\n") + "\n" + good, stricter, 0},
		"revoked, version 1":          {"@revoked * 1024 35 1234567890\n" + good, accepted, 1},
		"revoked, type not in use":    {"@revoked * ssh-frob AAAACHNzaC1mcm9i\n" + good, accepted, 1},
	} {
		t.Run(test, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "known_hosts"), []byte(c.content))
			to := target(s)
			to.HostKeys = ssh.HostKeys{KnownHosts: []string{file}}
			var log bytes.Buffer
			to.Logger = slog.New(slog.NewTextHandler(&log, nil))
			conn, err := ssh.Dial(t.Context(), to)
			if err == nil {
				conn.Close()
			} else if !lab.SafeToRetry(err) || len(lab.Hints(err)) == 0 {
				t.Errorf("%v %q", err, lab.Hints(err))
			}
			if (err == nil) != (c.want == accepted) {
				t.Errorf("got %v", err)
			}
			if c.want == unknown && !errors.Is(err, lab.ErrHostKey) {
				t.Errorf("got %v", err)
			}
			if n := strings.Count(log.String(), "skipped"); n != c.warnings {
				t.Errorf("%d warnings:\n%s", n, log.String())
			}
			out, known := openSSH(t, s, file)
			if known != (c.want == accepted || c.want == stricter) {
				t.Errorf("ssh(1) decides otherwise: %v\n%s", known, out)
			}
		})
	}

	// what cannot be read may be the key that the machine had: it is no new machine
	for content, refused := range map[string]bool{
		name + " " + key[:40] + "\n": true, "pi1 " + key[:40] + "\n": false, "<<<<<<< HEAD\n": false} {
		to := target(s)
		to.HostKeys = ssh.HostKeys{AcceptNew: write(t, filepath.Join(t.TempDir(), "known_hosts"), []byte(content))}
		c, err := ssh.Dial(t.Context(), to)
		if err == nil {
			c.Close()
		}
		if errors.Is(err, lab.ErrHostKey) != refused || !refused && err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// openSSH reports whether ssh(1) knows the server by the file.
func openSSH(t *testing.T, s *real.SSHServer, knownHosts string) (output string, known bool) {
	t.Helper()
	client, err := exec.LookPath("ssh")
	if err != nil {
		real.Missing(t, "ssh of OpenSSH")
	}
	out, err := exec.CommandContext(t.Context(), client, "-F", "none", "-i", s.KeyFile, "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile="+knownHosts, "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes",
		"-p", strconv.Itoa(s.Port), s.User+"@"+s.Host, "true").CombinedOutput()
	return string(out), err == nil
}
