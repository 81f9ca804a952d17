// Package login has the flags with which the programs for one machine choose the machine and how to
// log in to it.
package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

// Login is one machine and how to log in to it, as given on the command line.
type Login struct {
	Host string // "pi@192.0.2.11"; empty if it was not given

	identities       []string
	knownHosts       []string
	jumps            []string
	passphrase, sudo string
	acceptNew        bool
	sshConfig        string
}

// Flags defines the flags.
func (l *Login) Flags(flags *pflag.FlagSet) {
	flags.StringVar(&l.Host, "host", "", "the machine, `USER@ADDR[:PORT]`; with --ssh-config, an alias")
	l.FlagsWithoutHost(flags)
}

// FlagsWithoutHost defines the flags of a program that knows its machines otherwise, see [Login.Targets].
func (l *Login) FlagsWithoutHost(flags *pflag.FlagSet) {
	flags.StringVar(&l.sshConfig, "ssh-config", "", "the ssh_config `file` in which the machine is an alias; it says how to log in, too")
	flags.StringArrayVar(&l.identities, "identity", nil, "a private key `file` (may be repeated); "+
		"without one, ~/.ssh/id_ed25519, id_ecdsa, id_rsa and the keys of the ssh-agent at SSH_AUTH_SOCK, as far as they exist")
	flags.StringVar(&l.passphrase, "passphrase", "", "the passphrase of the keys, `file:PATH or env:NAME`; without it, "+
		"it is asked for on the terminal")
	flags.StringArrayVar(&l.knownHosts, "known-hosts", nil,
		"a known_hosts `file` (may be repeated); without one, ~/.ssh/known_hosts")
	flags.BoolVar(&l.acceptNew, "accept-new", false,
		"add the host key of a machine that is seen for the first time to the first known_hosts file")
	flags.StringVar(&l.sudo, "sudo-password", "",
		"the password for sudo, `file:PATH or env:NAME`; without it, sudo must not ask")
	flags.StringArrayVar(&l.jumps, "jump", nil,
		"a machine to go through, `USER@ADDR[:PORT]` (may be repeated, the first dialled first)")
}

// Target returns the machine. Its boundary allows only the machines that the flags name. The passphrases
// of its keys are asked for on the terminal; nil means that there is none.
func (l *Login) Target(ctx context.Context, terminal *cli.Terminal) (ssh.Target, error) {
	all, err := l.Targets(ctx, terminal, l.Host)
	if err != nil {
		return ssh.Target{}, err
	}
	return all[0], nil
}

// Targets returns machines that are reached as the flags say, given as --host takes them. The boundary of each allows
// that machine and the jumps alone.
func (l *Login) Targets(ctx context.Context, terminal *cli.Terminal, hosts ...string) ([]ssh.Target, error) {
	sudo, err := Secret(l.sudo)
	if err != nil {
		return nil, err
	}
	all, pointers := make([]ssh.Target, len(hosts)), make([]*ssh.Target, len(hosts))
	for i, h := range hosts {
		one := *l
		one.Host = h
		if all[i], err = one.target(ctx); err != nil {
			return nil, err
		}
		all[i].SudoPassword, pointers[i] = sudo, &all[i]
	}
	if err := UnlockTargets(ctx, terminal, pointers...); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Boundary, err = boundary(ctx, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// target returns the machine as the flags or the ssh_config say that it is reached.
func (l *Login) target(ctx context.Context) (ssh.Target, error) {
	if l.sshConfig != "" {
		return l.fromSSHConfig()
	}
	auth, keys, err := l.read(ctx)
	if err != nil {
		return ssh.Target{}, err
	}
	t, err := parseTarget(l.Host)
	if err != nil {
		return ssh.Target{}, err
	}
	t.Auth, t.HostKeys = auth, keys
	for _, j := range l.jumps {
		jump, err := parseTarget(j)
		if err != nil {
			return ssh.Target{}, err
		}
		jump.Auth, jump.HostKeys = auth, keys
		t.Jump = append(t.Jump, jump)
	}
	return t, nil
}

// fromSSHConfig returns the machine that the ssh_config names.
func (l *Login) fromSSHConfig() (ssh.Target, error) {
	if len(l.jumps)+len(l.knownHosts)+len(l.identities) > 0 || l.acceptNew {
		return ssh.Target{}, cli.Usage("--ssh-config says how to log in: leave --identity, --known-hosts, --accept-new and " +
			"--jump out")
	}
	user, alias := "", l.Host
	if at := strings.LastIndexByte(alias, '@'); at >= 0 {
		user, alias = alias[:at], alias[at+1:]
	}
	path, err := cli.Dir("").Path(l.sshConfig)
	if err != nil {
		return ssh.Target{}, err
	}
	t, _, err := ssh.FromSSHConfig(path, alias)
	if err != nil {
		return t, err
	}
	t.User = cmp.Or(user, t.User)
	phrase, err := Secret(l.passphrase)
	for i := range t.Auth.KeyFiles {
		t.Auth.KeyFiles[i].Passphrase = phrase
	}
	if t.Auth.AgentSocket == "" && len(t.Auth.KeyFiles) == 0 {
		t.Auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	}
	return t, err
}

// Wrong says what is wrong with a machine, given as --host takes it; empty if nothing is, or if it is an alias.
func (l *Login) Wrong(host string) string {
	at := strings.LastIndexByte(host, '@') // a user may be user@domain
	switch {
	case l.sshConfig != "":
		return ""
	case at < 0:
		return fmt.Sprintf("%q is not USER@ADDR[:PORT]", host)
	case at == 0 || at == len(host)-1 || strings.Contains(host[:at], ":"): // not repeated: a password may be in it
		return "a machine is USER@ADDR[:PORT], without a password or a scheme"
	}
	return ""
}

func parseTarget(s string) (ssh.Target, error) {
	if why := (&Login{}).Wrong(s); why != "" {
		return ssh.Target{}, cli.Usage("%s", why)
	}
	at := strings.LastIndexByte(s, '@')
	user, addr := s[:at], s[at+1:]
	return ssh.Target{Name: addr, Address: addr, User: user}, nil
}

// boundary returns a boundary that allows only the machines of the command line.
func boundary(ctx context.Context, t ssh.Target) (*lab.Boundary, error) {
	b := &lab.Boundary{Name: "command line"}
	first := t.Address
	if len(t.Jump) > 0 {
		first = t.Jump[0].Address
		for _, j := range append(t.Jump[1:len(t.Jump):len(t.Jump)], t) {
			b.Names = append(b.Names, hostOf(j.Address))
			if ip, err := netip.ParseAddr(hostOf(j.Address)); err == nil {
				b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", hostOf(first))
	if err != nil {
		return nil, &lab.Error{Op: "resolve", Target: first, Hint: "is the name correct?",
			Err: fmt.Errorf("%w: %w", lab.ErrUnreachable, err)}
	}
	for _, ip := range ips {
		ip = ip.Unmap().WithZone("")
		b.Allow = append(b.Allow, netip.PrefixFrom(ip, ip.BitLen()))
	}
	return b, nil
}

func hostOf(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return strings.Trim(addr, "[]")
}

// read returns how to log in, to the machine and to its jumps.
func (l *Login) read(ctx context.Context) (ssh.Auth, ssh.HostKeys, error) {
	var auth ssh.Auth
	var keys ssh.HostKeys
	home, err := os.UserHomeDir()
	if err != nil {
		return auth, keys, err
	}
	phrase, err := Secret(l.passphrase)
	if err != nil {
		return auth, keys, err
	}
	for _, f := range l.identities {
		auth.KeyFiles = append(auth.KeyFiles, ssh.KeyFile{Path: f, Passphrase: phrase})
	}
	if len(auth.KeyFiles) == 0 {
		auth = defaultAuth(ctx, os.Getenv("SSH_AUTH_SOCK"), keyFiles(phrase, defaultKeys(home)...)...)
	}
	keys.KnownHosts = l.knownHosts
	if len(keys.KnownHosts) == 0 {
		keys.KnownHosts = []string{filepath.Join(home, ".ssh", "known_hosts")}
	}
	if l.acceptNew {
		keys.AcceptNew, keys.KnownHosts = keys.KnownHosts[0], keys.KnownHosts[1:]
	}
	return auth, keys, nil
}

// Default returns how to log in if nothing says it: with the keys of the ssh-agent at SSH_AUTH_SOCK,
// and with those of the files that exist; without any named, the default ones of ssh(1).
func Default(ctx context.Context, files ...string) (ssh.Auth, error) {
	home, err := os.UserHomeDir()
	if len(files) == 0 {
		files = defaultKeys(home)
	}
	return defaultAuth(ctx, os.Getenv("SSH_AUTH_SOCK"), keyFiles(lab.Secret{}, files...)...), err
}

// defaultKeys are the private keys that ssh(1) uses unless it is told others, the fastest first.
func defaultKeys(home string) []string {
	dir := filepath.Join(home, ".ssh")
	return []string{filepath.Join(dir, "id_ed25519"), filepath.Join(dir, "id_ecdsa"), filepath.Join(dir, "id_rsa")}
}

func keyFiles(phrase lab.Secret, paths ...string) (files []ssh.KeyFile) {
	for _, p := range paths {
		files = append(files, ssh.KeyFile{Path: p, Passphrase: phrase})
	}
	return files
}

// defaultAuth is how to log in if no key was given: with the keys of the ssh-agent and with the
// default files, as far as they exist. On macOS SSH_AUTH_SOCK is always set, and its ssh-agent is
// usually empty. Of encrypted files, only the first is used, and only when there is nothing else: each
// must be decrypted, whether it is the right one or not.
func defaultAuth(ctx context.Context, socket string, files ...ssh.KeyFile) ssh.Auth {
	var a ssh.Auth
	if holdsKeys(ctx, socket) {
		a.AgentSocket = socket
	}
	var open, locked []ssh.KeyFile
	for _, file := range files {
		pem, err := os.ReadFile(file.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && encrypted(pem) && file.Passphrase.IsZero():
			locked = append(locked, file)
		default: // the login reports what is wrong with it
			open = append(open, file)
		}
	}
	switch {
	case len(open) > 0:
		a.KeyFiles = open
	case a.AgentSocket != "": // an encrypted key is usually in the ssh-agent
	case len(locked) > 0:
		a.KeyFiles = locked[:1]
	case socket == "":
		a.KeyFiles = files[:1] // the login reports that it does not exist
	default:
		a.AgentSocket = socket // the login reports what is wrong with it
	}
	return a
}

// encrypted reports whether a private key has a passphrase.
func encrypted(pem []byte) bool {
	_, err := cryptossh.ParseRawPrivateKey(pem)
	var missing *cryptossh.PassphraseMissingError
	return errors.As(err, &missing)
}

// agentTimeout is how long an ssh-agent may take to list its keys.
const agentTimeout = 10 * time.Second

func holdsKeys(ctx context.Context, socket string) bool {
	if socket == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	keys, err := agent.NewClient(conn).List()
	return err == nil && len(keys) > 0
}

// Secret reads the secret that the value of a flag refers to, "file:PATH" or "env:NAME"; empty for
// an empty value.
func Secret(ref string) (lab.Secret, error) {
	r, err := lab.ParseSecretRef(ref)
	if err != nil {
		return lab.Secret{}, err
	}
	return r.Resolve(os.LookupEnv, os.ReadFile)
}
