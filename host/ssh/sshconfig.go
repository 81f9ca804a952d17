package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// FromSSHConfig returns the target that ssh(1) would reach under the name alias, from the
// configuration file at path; "" means the user's own, ~/.ssh/config. The system-wide file is not
// read.
//
// The options that are used are HostName, Port, User, IdentityFile, CertificateFile, IdentityAgent,
// ProxyJump, UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias, ConnectTimeout,
// ServerAliveInterval and StrictHostKeyChecking accept-new, with the defaults of ssh(1), except
// two: an ssh-agent is used only if IdentityAgent names one, and an unknown host key is refused
// without asking. An encrypted identity is left to the ssh-agent if there is one.
//
// An option that would run a program (ProxyCommand, KnownHostsCommand, Match exec) or load a
// library (PKCS11Provider) is an [lab.ErrRefused]. StrictHostKeyChecking no is not honoured. It and
// LocalCommand are reported in ignored, as one sentence each, for the caller to show.
func FromSSHConfig(path, alias string) (t Target, ignored []string, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return Target{}, nil, &lab.Error{Op: "read ssh_config", Hint: "export HOME", Err: err}
	}
	if path == "" {
		path = filepath.Join(home, ".ssh", "config")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: no such file", lab.ErrNotFound)
		}
		return Target{}, nil, &lab.Error{Op: "read ssh_config", Path: path, Err: err}
	}
	parsed, err := ssh_config.DecodeBytes(unquoteHosts(b))
	if err != nil {
		hint := "fix the line"
		kind := lab.ErrInvalid
		if strings.Contains(err.Error(), "Match Exec") {
			kind, hint = lab.ErrRefused, "move the host's settings to a Host block in a separate file"
		}
		return Target{}, nil, &lab.Error{Op: "read ssh_config", Path: path, Hint: hint,
			Err: fmt.Errorf("%w: %s", kind, configError(err))}
	}
	me := ""
	if u, err := user.Current(); err == nil {
		me = u.Username
	}
	c := &sshConfig{parsed: parsed, path: path, home: home, user: me}
	t, err = c.target(alias)
	return t, c.ignored, err
}

var hostLine = regexp.MustCompile(`(?im)^[ \t]*host[ \t=].*$`)

// unquoteHosts removes the quotes of patterns: the parser takes them for a part of the name.
func unquoteHosts(config []byte) []byte {
	return hostLine.ReplaceAllFunc(config, func(line []byte) []byte {
		return bytes.ReplaceAll(line, []byte(`"`), nil)
	})
}

// configPosition is where a line of the file, or of one that it includes, cannot be read.
var configPosition = regexp.MustCompile(`\(([0-9]{1,9}), [0-9]{1,9}\): `)

// configError says where the parser could not go on. Its own message is not passed on, because it
// repeats a part of the line.
func configError(err error) string {
	what := "cannot be read"
	text := err.Error()
	switch {
	case strings.Contains(text, "Match Exec"):
		what = "Match exec would run a program"
	case strings.Contains(text, "unsupported Match criterion"):
		what = "this criterion of Match is not supported"
	case strings.Contains(text, "Invalid host pattern"):
		what = "not a pattern for hosts"
	}
	var lines []string
	for _, m := range configPosition.FindAllStringSubmatch(text, -1) {
		lines = append(lines, "line "+m[1])
	}
	if len(lines) == 0 {
		return what
	}
	return strings.Join(lines, ", included ") + ": " + what
}

// sshConfig is a parsed configuration file.
type sshConfig struct {
	parsed     *ssh_config.Config
	path       string
	home, user string // of the user who runs this program
	ignored    []string
}

// target resolves alias with its jumps.
func (c *sshConfig) target(alias string) (Target, error) {
	t, err := c.hop(alias, "", "")
	if err != nil {
		return Target{}, err
	}
	t.Jump, err = c.jumps(alias, []string{alias})
	return t, err
}

func (c *sshConfig) fail(alias, option, hint string, err error) error {
	return &lab.Error{Op: "read ssh_config", Target: alias, Path: c.path, Hint: hint,
		Err: fmt.Errorf("%s: %w", option, err)}
}

func (c *sshConfig) get(alias, key string) string {
	v, _ := c.parsed.Get(alias, key)
	v = strings.TrimSpace(v)
	if strings.Count(v, "\"") == 2 { // one quoted value; a list of files is split by its reader
		v = unquote(v)
	}
	return v
}

// jumps returns the chain that ProxyJump names. Of several jumps only the first is reached through
// its own ProxyJump, as in ssh(1).
func (c *sshConfig) jumps(alias string, seen []string) ([]Target, error) {
	value := c.get(alias, "ProxyJump")
	if value == "" || strings.EqualFold(value, "none") {
		return nil, nil
	}
	var chain []Target
	for i, text := range strings.Split(value, ",") {
		user, host, port, err := parseJump(strings.TrimSpace(text))
		if err != nil {
			return nil, c.fail(alias, "ProxyJump", "[user@]host[:port], separated by commas", err)
		}
		if i == 0 {
			if slices.Contains(seen, host) {
				return nil, c.fail(alias, "ProxyJump", "",
					fmt.Errorf("%w: a cycle: %s", lab.ErrInvalid, strings.Join(append(seen, host), ", ")))
			}
			if chain, err = c.jumps(host, append(seen, host)); err != nil {
				return nil, err
			}
		}
		t, err := c.hop(host, user, port)
		if err != nil {
			return nil, err
		}
		chain = append(chain, t)
	}
	return chain, nil
}

// parseJump reads "[user@]host[:port]" and "ssh://[user@]host[:port]".
func parseJump(text string) (user, host, port string, err error) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "ssh://"), "/")
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		user, text = text[:at], text[at+1:]
	}
	address, err := HostPort(text)
	if err != nil {
		return "", "", "", fmt.Errorf("%w: %w", lab.ErrInvalid, err)
	}
	host, port, err = net.SplitHostPort(address)
	if !strings.Contains(text, ":") || host == text {
		port = "" // the configuration may set another one
	}
	return user, host, port, err
}

// hop resolves one machine without its jumps. A non-empty user or port comes from ProxyJump and takes
// precedence.
func (c *sshConfig) hop(alias, user, port string) (Target, error) {
	t := Target{Name: alias}
	for _, option := range []string{"ProxyCommand", "KnownHostsCommand", "PKCS11Provider"} {
		if v := c.get(alias, option); v != "" && !strings.EqualFold(v, "none") {
			hint := "remove it"
			if option == "ProxyCommand" {
				hint = "use ProxyJump instead"
			}
			return t, c.fail(alias, option, hint,
				fmt.Errorf("%w: programs and libraries named in a configuration file are not run", lab.ErrRefused))
		}
	}
	if c.get(alias, "LocalCommand") != "" {
		c.ignored = append(c.ignored, alias+": LocalCommand is not run")
	}

	host := alias
	if v := c.get(alias, "HostName"); v != "" {
		host = strings.NewReplacer("%%", "%", "%h", alias).Replace(v)
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	port = first(port, c.get(alias, "Port"), "22")
	t.Address = net.JoinHostPort(strings.Trim(host, "[]"), port)
	if _, err := HostPort(t.Address); err != nil {
		return t, c.fail(alias, "HostName "+host+", Port "+port, "", fmt.Errorf("%w: %w", lab.ErrInvalid, err))
	}
	t.User = first(user, c.get(alias, "User"), c.user)
	tokens := strings.NewReplacer("%%", "%", "%h", host, "%n", alias, "%p", port, "%r", t.User, "%u", c.user, "%d",
		c.home, "%k", first(c.get(alias, "HostKeyAlias"), host), "${HOME}", c.home)
	file := func(path string) string {
		path = tokens.Replace(path)
		if path == "~" || strings.HasPrefix(path, "~/") {
			path = c.home + path[1:]
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.home, path)
		}
		return path
	}

	switch agent := c.get(alias, "IdentityAgent"); {
	case agent == "" || agent == "none":
	case agent == "SSH_AUTH_SOCK":
		t.Auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	case strings.HasPrefix(agent, "$"):
		t.Auth.AgentSocket = os.Getenv(strings.Trim(agent, "${}"))
	default:
		t.Auth.AgentSocket = file(unquote(agent))
	}
	if err := c.identities(&t, alias, file); err != nil {
		return t, err
	}
	c.hostKeys(&t, alias, file)

	for option, to := range map[string]*time.Duration{"ConnectTimeout": &t.ConnectTimeout,
		"ServerAliveInterval": &t.KeepAlive} {
		if v := c.get(alias, option); v != "" && !strings.EqualFold(v, "none") {
			seconds, err := strconv.Atoi(v)
			if err != nil || seconds < 0 {
				return t, c.fail(alias, option+" "+v, "a number of seconds", lab.ErrInvalid)
			}
			*to = time.Duration(seconds) * time.Second
		}
	}
	return t, nil
}

// identities fills in the key files that exist, each with its certificate.
func (c *sshConfig) identities(t *Target, alias string, file func(string) string) error {
	all := func(option string) (paths []string) {
		values, _ := c.parsed.GetAll(alias, option)
		for _, v := range values {
			if v = unquote(strings.TrimSpace(v)); v != "" && v != "none" && !slices.Contains(paths, file(v)) {
				paths = append(paths, file(v))
			}
		}
		return paths
	}
	keys := all("IdentityFile")
	if len(keys) == 0 { // the defaults of ssh(1), the fastest first
		keys = []string{file("~/.ssh/id_ed25519"), file("~/.ssh/id_ecdsa"), file("~/.ssh/id_rsa")}
	}
	for _, path := range keys {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var encrypted *ssh.PassphraseMissingError
		if _, err := ssh.ParsePrivateKey(b); errors.As(err, &encrypted) && t.Auth.AgentSocket != "" {
			continue
		}
		t.Auth.KeyFiles = append(t.Auth.KeyFiles, KeyFile{Path: path})
	}
	for _, path := range all("CertificateFile") {
		b, err := os.ReadFile(path)
		if err != nil {
			return c.fail(alias, "CertificateFile "+path, "", err)
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey(b)
		cert, ok := public.(*ssh.Certificate)
		if err != nil || !ok {
			return c.fail(alias, "CertificateFile "+path, "ssh-keygen -L -f "+Quote(path),
				fmt.Errorf("%w: not an OpenSSH certificate", lab.ErrInvalid))
		}
		i := slices.IndexFunc(t.Auth.KeyFiles, func(k KeyFile) bool { return k.isFor(cert) })
		if i < 0 && len(t.Auth.KeyFiles) == 1 {
			i = 0
		}
		if i < 0 {
			return c.fail(alias, "CertificateFile "+path, "name its key with IdentityFile",
				fmt.Errorf("%w: no key file is for the key that it certifies", lab.ErrNotFound))
		}
		t.Auth.KeyFiles[i].Certificate = path
	}
	return nil
}

// isFor reports whether the certificate is for this key, judging by the .pub file next to it, or
// else by the key itself.
func (k KeyFile) isFor(cert *ssh.Certificate) bool {
	if b, err := os.ReadFile(k.Path + ".pub"); err == nil {
		if public, _, _, _, err := ssh.ParseAuthorizedKey(b); err == nil {
			return bytes.Equal(public.Marshal(), cert.Key.Marshal())
		}
	}
	b, err := os.ReadFile(k.Path)
	if err != nil {
		return false
	}
	signer, err := ssh.ParsePrivateKey(b)
	return err == nil && bytes.Equal(signer.PublicKey().Marshal(), cert.Key.Marshal())
}

// hostKeys fills in the known_hosts files that exist.
func (c *sshConfig) hostKeys(t *Target, alias string, file func(string) string) {
	list := func(option, byDefault string) (paths []string) {
		v := c.get(alias, option)
		if v == "" {
			v = byDefault
		}
		for _, p := range fields(v) {
			if p != "none" {
				paths = append(paths, file(p))
			}
		}
		return paths
	}
	own := list("UserKnownHostsFile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")
	for _, p := range append(slices.Clone(own),
		list("GlobalKnownHostsFile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")...) {
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			t.HostKeys.KnownHosts = append(t.HostKeys.KnownHosts, p)
		}
	}
	t.HostKeys.Alias = c.get(alias, "HostKeyAlias")
	switch strict := strings.ToLower(c.get(alias, "StrictHostKeyChecking")); strict {
	case "accept-new":
		if len(own) > 0 {
			t.HostKeys.AcceptNew = own[0]
			t.HostKeys.KnownHosts = slices.DeleteFunc(t.HostKeys.KnownHosts, func(p string) bool { return p == own[0] })
		}
	case "no", "off":
		c.ignored = append(c.ignored, fmt.Sprintf("%s: StrictHostKeyChecking %s is not honoured: "+
			"an unknown machine is refused; accept-new would accept it the first time", alias, strict))
	}
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// fields splits s at blanks outside double quotes.
func fields(s string) (words []string) {
	var word strings.Builder
	quoted, any := false, false
	end := func() {
		if any {
			words = append(words, word.String())
		}
		word.Reset()
		any = false
	}
	for _, c := range []byte(s) {
		switch {
		case c == '"':
			quoted, any = !quoted, true
		case (c == ' ' || c == '\t') && !quoted:
			end()
		default:
			word.WriteByte(c)
			any = true
		}
	}
	end()
	return words
}
