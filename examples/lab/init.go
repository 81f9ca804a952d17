package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	cryptossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
	"gitea.arcodange.lab/arcodange-org/lab/internal/login"
)

// Files that lab init writes beside the config.
const (
	knownHostsFile = "known_hosts"
	schemaFile     = "lab.schema.json"
)

// initial is a call of lab init.
type initial struct {
	environment, domain, sshConfig string
	identities                     []string
	sudo                           string // a reference to the password for sudo; empty means that it does not ask
	yes                            bool
	out                            *cli.Printer
	terminal                       *cli.Terminal
}

// initCommand is the command init.
func initCommand() *cobra.Command {
	i := &initial{}
	c := &cobra.Command{
		Use: "init [flags] [USER@]HOST[:PORT]...", Short: "begin a config with machines that are there",
		Long: `Begin a config: write lab.yaml with the machines, known_hosts with their host
keys, and lab.schema.json for editors, into the current directory. No file is
ever overwritten, and nothing is changed on the machines.

HOST is an address, a name or an alias of ~/.ssh/config. The host keys are
fetched and shown; nothing is trusted, and no login is tried, before they are
confirmed. Without --identity, the keys to log in with are those of the
ssh-agent and those that ~/.ssh/config names, or ~/.ssh/id_ed25519, id_ecdsa and
id_rsa, as far as they exist; the config names those that are used.`,
		Args: cli.Words(1, -1),
		RunE: func(c *cobra.Command, words []string) (err error) {
			if i.out, err = cli.PrinterOf(c, sayInit); err != nil {
				return err
			}
			i.terminal = cli.TerminalOf(c)
			return i.run(c.Context(), words)
		},
	}
	flags := c.Flags()
	flags.StringVar(&i.environment, "env", "home", "the `name` of the environment; apply asks for it")
	flags.StringVar(&i.domain, "domain", "home.arpa", "the DNS `zone` of the machines")
	flags.StringArrayVar(&i.identities, "identity", nil, "a private key `file` to log in with (may be repeated)")
	flags.StringVar(&i.sshConfig, "ssh-config", "~/.ssh/config", "the ssh_config `file` that HOST may be an alias of; empty means none")
	flags.StringVar(&i.sudo, "sudo-password", "",
		"where the password for sudo is, `file:PATH or env:NAME`; without it, sudo must not ask")
	flags.BoolVarP(&i.yes, "yes", "y", false, "accept the host keys without asking")
	return c
}

// found is a machine that lab init was given.
type found struct {
	word   string // as it was given
	name   string // in the config
	ip     netip.Addr
	port   int
	target ssh.Target
	key    cryptossh.PublicKey
	known  bool // the user's known_hosts have the key
	facts  host.Facts
}

func (i *initial) run(ctx context.Context, words []string) error {
	if i.terminal == nil && !i.yes {
		return cli.Usage("without a terminal to confirm the host keys on, --yes is required")
	}
	for _, file := range []string{configFile, knownHostsFile, schemaFile} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return &lab.Error{Op: "init", Path: file, Hint: "begin in another directory, or remove it",
				Err: fmt.Errorf("%w: it exists, and nothing is overwritten", lab.ErrRefused)}
		}
	}
	sudo, err := login.Secret(i.sudo)
	if err != nil {
		return err
	}
	machines := make([]*found, len(words))
	for n, word := range words {
		m, err := i.find(ctx, word)
		if err != nil {
			return err
		}
		machines[n] = m
	}
	if err := each(machines, func(m *found) (err error) {
		m.key, m.known, err = ssh.FetchHostKey(ctx, m.target)
		return err
	}); err != nil {
		return err
	}
	if err := i.confirm(ctx, machines); err != nil {
		return err
	}
	var targets []*ssh.Target
	for _, m := range machines {
		m.target.SudoPassword = sudo
		m.target.HostKeys = ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.key))}}
		targets = append(targets, &m.target)
	}
	if err := login.UnlockTargets(ctx, i.terminal, targets...); err != nil {
		return err
	}
	if err := each(machines, func(m *found) (err error) {
		h := &host.Machine{Target: m.target}
		defer h.Close()
		m.facts, err = h.Facts(ctx)
		return err
	}); err != nil {
		return err
	}
	name(machines)
	return i.write(machines)
}

// each calls f for all machines at once, and returns their errors in order.
func each(machines []*found, f func(*found) error) error {
	errs := make([]error, len(machines))
	var wg sync.WaitGroup
	for n, m := range machines {
		wg.Go(func() { errs[n] = f(m) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// find returns the machine that a word names, with what is known of it here.
func (i *initial) find(ctx context.Context, word string) (*found, error) {
	at := strings.LastIndexByte(word, '@') // a user may be user@domain
	user, address := word[:max(at, 0)], word[at+1:]
	if at == 0 || address == "" || strings.Contains(user, ":") { // not repeated: a password may be in it
		return nil, cli.Usage("a machine is [USER@]HOST[:PORT], without a password or a scheme")
	}
	hostPort, err := ssh.HostPort(address)
	if err != nil {
		return nil, cli.Usage("%q: %v", address, err)
	}
	alias, _, _ := net.SplitHostPort(hostPort) // it was just joined
	t, err := i.fromSSHConfig(alias)
	if err != nil {
		return nil, err
	}
	switch {
	case len(t.Jump) > 0:
		return nil, &lab.Error{Op: "init", Target: alias, Hint: "begin with the machines that are reached directly, and " +
			"add this one to the config, with its jump", Err: fmt.Errorf("%w: it is reached through a jump", lab.ErrInvalid)}
	case user == "" && t.User == "":
		return nil, cli.Usage("%q: write USER@HOST", word)
	}
	if t.Address == "" || strings.Contains(address, ":") && address != alias {
		t.Address = hostPort
	}
	dialled, err := ssh.HostPort(t.Address)
	if err != nil {
		return nil, err
	}
	name, port, _ := net.SplitHostPort(dialled)
	m := &found{word: word, name: name, target: t}
	m.port, _ = strconv.Atoi(port)
	if m.ip, err = resolve(ctx, name); err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(alias); err != nil {
		m.name = alias
	}
	t.Name, t.User = cmp.Or(alias, name), cmp.Or(user, t.User)
	t.HostKeys.Alias = cmp.Or(t.HostKeys.Alias, dialled)
	t.HostKeys.AcceptNew = ""
	t.Address = netip.AddrPortFrom(m.ip, uint16(m.port)).String()
	t.Boundary = &lab.Boundary{Name: i.environment, Allow: []netip.Prefix{netip.PrefixFrom(m.ip, m.ip.BitLen())}}
	keys := i.identities
	for n := 0; len(i.identities) == 0 && n < len(t.Auth.KeyFiles); n++ {
		keys = append(keys, t.Auth.KeyFiles[n].Path)
	}
	if len(i.identities) > 0 {
		t.Auth = ssh.Auth{}
		for _, k := range keys {
			t.Auth.KeyFiles = append(t.Auth.KeyFiles, ssh.KeyFile{Path: k})
		}
	} else if t.Auth, err = login.Default(ctx, keys...); err != nil {
		return nil, err
	}
	m.target = t
	return m, nil
}

// fromSSHConfig returns what the user's ssh_config and known_hosts say of a name; nothing where there
// are none.
func (i *initial) fromSSHConfig(alias string) (ssh.Target, error) {
	path, err := cli.Dir("").Path(i.sshConfig)
	if err != nil {
		return ssh.Target{}, err
	}
	if path != "" {
		t, ignored, err := ssh.FromSSHConfig(path, alias)
		for _, text := range ignored {
			i.out.Printf("note: %s\n", text)
		}
		if !errors.Is(err, lab.ErrNotFound) {
			return t, err
		}
	}
	known, err := cli.Dir("").Path("~/.ssh/known_hosts")
	if err != nil {
		return ssh.Target{}, err
	}
	t := ssh.Target{}
	if _, err := os.Stat(known); err == nil {
		t.HostKeys.KnownHosts = []string{known}
	}
	return t, nil
}

// resolve returns the address of a name, of IPv4 if it has one.
func resolve(ctx context.Context, name string) (netip.Addr, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil || len(ips) == 0 {
		return netip.Addr{}, &lab.Error{Op: "resolve", Target: name, Hint: "is the name correct?",
			Err: fmt.Errorf("%w: %w", lab.ErrUnreachable, err)}
	}
	for n, ip := range ips {
		ips[n] = ip.Unmap().WithZone("")
	}
	if n := slices.IndexFunc(ips, netip.Addr.Is4); n >= 0 {
		return ips[n], nil
	}
	return ips[0], nil
}

// confirm shows the host keys, and asks whether they are right unless all of them are known.
func (i *initial) confirm(ctx context.Context, machines []*found) error {
	ask := false
	for _, m := range machines {
		state := "new: compare it with the machine's own"
		if m.known {
			state = "known"
		}
		ask = ask || !m.known
		i.out.Printf("%s at %s\n  %s %s\n  %s\n", m.word, m.target.Address, m.key.Type(),
			cryptossh.FingerprintSHA256(m.key), state)
		i.out.Object(map[string]any{"type": "hostKey", "machine": m.word, "address": m.target.Address,
			"key": m.key.Type(), "fingerprint": cryptossh.FingerprintSHA256(m.key), "known": m.known})
	}
	if !ask || i.yes {
		return nil
	}
	i.out.Printf("On each machine: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n")
	agrees, err := i.terminal.Agrees(ctx, "Are these the keys of your machines?")
	if err == nil && !agrees {
		err = &lab.Error{Op: "init", Err: fmt.Errorf("%w: the host keys were not confirmed; nothing was written",
			lab.ErrRefused)}
	}
	return err
}

// ownName is a host name that says which machine it is.
var ownName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// name gives each machine a name that no other has: the one that it has, unless that is what every
// machine is called that nobody has named; otherwise the one by which it was given. A name that several
// would have gets a number.
func name(machines []*found) {
	nobodys := []string{"localhost", "raspberrypi", "debian", "raspberry", "dietpi", "orangepi", "rock", "armbian"}
	wanted := make([]string, len(machines))
	count := map[string]int{}
	for n, m := range machines {
		given, _, _ := strings.Cut(strings.ToLower(m.name), ".")
		switch own, _, _ := strings.Cut(m.facts.Hostname, "."); {
		case ownName.MatchString(own) && !slices.Contains(nobodys, own):
			wanted[n] = own
		case ownName.MatchString(given) && !slices.Contains(nobodys, given):
			wanted[n] = given
		default:
			wanted[n] = "pi"
			count["pi"]++ // it gets a number, even if it is the only one
		}
		count[wanted[n]]++
	}
	for n, m := range machines {
		m.name = wanted[n]
		for next := 1; count[m.name] > 1 || m.name != wanted[n] && count[m.name] > 0; next++ {
			m.name = wanted[n] + strconv.Itoa(next)
		}
		if m.name != wanted[n] {
			count[m.name]++ // it is taken now
		}
	}
}

// config returns the lab.yaml.
func (i *initial) config(machines []*found) []byte {
	first := machines[0].target
	var keys []string
	for _, k := range first.Auth.KeyFiles {
		keys = append(keys, scalar(underHome(k.Path)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", schemaFile)
	b.WriteString("# What may be in here: lab schema. An example: lab config. Then: lab plan, lab apply.\n")
	fmt.Fprintf(&b, "environment: %s # the machines carry this name; apply asks for it\n", scalar(i.environment))
	fmt.Fprintf(&b, "domain: %s # the DNS zone of the machines\n", scalar(i.domain))
	fmt.Fprintf(&b, "ssh: {user: %s, identities: [%s], agent: %t, knownHosts: [%s]", scalar(first.User),
		strings.Join(keys, ", "), first.Auth.AgentSocket != "", knownHostsFile)
	if i.sudo != "" {
		fmt.Fprintf(&b, ", sudoPassword: %s", scalar(i.sudo))
	}
	b.WriteString("}\n")
	b.WriteString("inventory:\n  hosts:\n")
	for _, m := range machines {
		fmt.Fprintf(&b, "    %s: {address: %s", m.name, scalar(m.ip.String()))
		if m.port != 22 {
			fmt.Fprintf(&b, ", port: %d", m.port)
		}
		if m.target.User != first.User {
			fmt.Fprintf(&b, ", user: %s", scalar(m.target.User))
		}
		b.WriteString("}\n")
	}
	b.WriteString("# what every machine has, as:\n# system: {timezone: Europe/Paris, packages: [curl], unattended: true}\n")
	return b.Bytes()
}

var plainScalar = regexp.MustCompile(`^[A-Za-z~/][A-Za-z0-9_./~-]*$|^[0-9]+(\.[0-9]+){3}$`)

// scalar returns a string as YAML.
func scalar(s string) string {
	words := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"}
	if plainScalar.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

// underHome returns a path as it is below the home directory, "~/...", if it is; any other is
// absolute.
func underHome(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	home, err := os.UserHomeDir()
	if rest, ok := strings.CutPrefix(path, home+"/"); ok && err == nil {
		return "~/" + rest
	}
	return path
}

// write writes the files: all of them, or none.
func (i *initial) write(machines []*found) (err error) {
	config := i.config(machines)
	if _, err := ReadConfig(configFile, config); err != nil {
		return err
	}
	var known strings.Builder
	for _, m := range machines {
		known.WriteString(knownhosts.Line([]string{m.target.Address}, m.key) + "\n")
	}
	var written []string
	defer func() {
		for _, file := range written {
			if err != nil {
				err = errors.Join(err, os.Remove(file))
			}
		}
	}()
	for _, f := range []struct {
		name string
		data []byte
		mode fs.FileMode
	}{{knownHostsFile, []byte(known.String()), 0o600}, {schemaFile, []byte(schema), 0o644}, {configFile, config, 0o644}} {
		if err := cli.CreateFile(f.name, f.data, f.mode); err != nil {
			return err
		}
		written = append(written, f.name)
	}
	i.out.Printf("\nwrote %s, %s and %s\n\n%s\nnext: lab plan\n", configFile, knownHostsFile, schemaFile, config)
	i.out.Object(map[string]any{"type": "init", "files": []string{configFile, knownHostsFile, schemaFile}})
	return nil
}
