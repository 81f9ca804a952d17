// Command machine plans or applies one machine from a YAML list of resources.
//
//	machine plan  -host pi@192.0.2.11 [flags] STATE.yaml   show what would be done; exit 2 when there is something
//	machine apply -host pi@192.0.2.11 [flags] STATE.yaml   do it
//	machine schema                                         the JSON schema of STATE.yaml
//
// STATE.yaml is a list: "- file: {path: /etc/motd, content: hello}". Only the machine that -host names is reached, and the jumps that -jump
// names. Exit codes: 0 done or nothing to do, 2 changes pending, 3 blocked, 4 refused, 1 error, 130 interrupted.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/internal/cli"
)

//go:embed schema.json
var schema string

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return cli.Usage("plan, apply or schema")
	}
	switch args[0] {
	case "schema":
		_, err := io.WriteString(stdout, schema)
		return err
	case "plan", "apply":
		return planOrApply(ctx, args[0], args[1:], stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprintln(stdout, "usage: machine plan|apply -host USER@ADDR[:PORT] [flags] STATE.yaml\n       machine schema\n\nflags: machine plan -h")
		return nil
	}
	return cli.Usage("%q: plan, apply or schema", args[0])
}

func planOrApply(ctx context.Context, verb string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("machine "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	var identities, knownHosts, jumps, only, confirm cli.List
	to := flags.String("host", "", "the machine, `USER@ADDR[:PORT]`")
	flags.Var(&identities, "identity", "a private key `file` (may be repeated); without one, the keys of the ssh-agent at SSH_AUTH_SOCK, else ~/.ssh/id_ed25519")
	passphrase := flags.String("passphrase", "", "where the passphrase of the keys is, `file:PATH or env:NAME`")
	flags.Var(&knownHosts, "known-hosts", "a known_hosts `file` (may be repeated); without one, ~/.ssh/known_hosts")
	acceptNew := flags.Bool("accept-new", false, "add the key of a machine that is seen for the first time to the first known_hosts file")
	sudo := flags.String("sudo-password", "", "where the password for sudo is, `file:PATH or env:NAME`; without it, sudo must not ask")
	flags.Var(&jumps, "jump", "a machine to go through, `USER@ADDR[:PORT]` (may be repeated, the first dialled first)")
	flags.Var(&only, "only", "only resources whose ID matches this `glob` (may be repeated)")
	flags.Var(&confirm, "confirm", "the `ID` of a change that may lose data, to confirm it (may be repeated)")
	planFile := flags.String("plan", "", "apply only what this reviewed plan `file` holds, written by plan -output json")
	output := flags.String("output", "text", "text, or json: an object a line")
	if err := flags.Parse(args); err != nil {
		return flagError(err)
	}
	if flags.NArg() != 1 || *to == "" {
		return cli.Usage("want -host USER@ADDR and one STATE.yaml")
	}
	out, err := cli.NewPrinter(stdout, *output)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return &lab.Error{Op: "read state", Path: flags.Arg(0), Err: err}
	}
	state, err := host.ReadState(flags.Arg(0), data)
	if err != nil {
		return err
	}
	if state, err = state.Resolve(os.LookupEnv, os.ReadFile); err != nil {
		return err
	}
	target, err := newTarget(ctx, *to, jumps, login{identities, *passphrase, *sudo, knownHosts, *acceptNew})
	if err != nil {
		return err
	}
	m := &host.Machine{Target: target}
	defer m.Close() // nothing is left to be said on it
	plan, err := m.Plan(ctx, state, only...)
	if err != nil {
		return err
	}
	out.Plan(plan)
	summary := func(failed int) {
		s := m.Stats()
		out.Object(map[string]any{"type": "summary", "changes": len(plan.Changes()), "failed": failed, "connections": s.Connections, "execs": s.Execs})
	}
	if verb == "plan" || plan.Empty() {
		summary(0)
		if !plan.Empty() {
			return cli.ErrPending
		}
		return nil
	}
	if *planFile != "" {
		if err := within(plan, *planFile); err != nil {
			return err
		}
	}
	o := &lab.ApplyOptions{Events: out.Event}
	for _, id := range confirm {
		o.Confirmed = append(o.Confirmed, lab.Confirm(id))
	}
	report, err := plan.Apply(ctx, o)
	out.Report(report)
	summary(len(report.Results) - report.Count(lab.StatusDone))
	return err
}

func flagError(err error) error {
	if err == flag.ErrHelp {
		return err
	}
	return cli.Usage("%v", err)
}

// within holds the plan to a reviewed one: the first line of what plan -output json printed.
func within(plan *lab.Plan, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return &lab.Error{Op: "read reviewed plan", Path: file, Err: err}
	}
	defer f.Close() // it was only read
	var first json.RawMessage
	if err := json.NewDecoder(f).Decode(&first); err != nil {
		return &lab.Error{Op: "read reviewed plan", Path: file, Hint: "write it with: machine plan -output json", Err: err}
	}
	changes, err := lab.ReadChanges(first)
	if err != nil {
		return err
	}
	return plan.Within(changes)
}

// login is how to log in, in the words of the command line.
type login struct {
	identities       []string
	passphrase, sudo string
	knownHosts       []string
	acceptNew        bool
}

func newTarget(ctx context.Context, to string, jumps []string, l login) (host.Target, error) {
	auth, keys, err := l.read()
	if err != nil {
		return host.Target{}, err
	}
	sudo, err := secret(l.sudo)
	if err != nil {
		return host.Target{}, err
	}
	t, err := parseTarget(to)
	if err != nil {
		return host.Target{}, err
	}
	t.Auth, t.HostKeys, t.SudoPassword = auth, keys, sudo
	for _, j := range jumps {
		jump, err := parseTarget(j)
		if err != nil {
			return host.Target{}, err
		}
		jump.Auth, jump.HostKeys = auth, keys
		t.Jump = append(t.Jump, jump)
	}
	t.Boundary, err = boundary(ctx, t)
	return t, err
}

func parseTarget(s string) (host.Target, error) {
	user, addr, ok := strings.Cut(s, "@")
	if !ok || user == "" || addr == "" {
		return host.Target{}, cli.Usage("%q is not USER@ADDR[:PORT]", s)
	}
	return host.Target{Name: addr, Address: addr, User: user}, nil
}

// boundary allows the machines of the command line and nothing else.
func boundary(ctx context.Context, t host.Target) (*lab.Boundary, error) {
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
		return nil, &lab.Error{Op: "resolve", Target: first, Hint: "is the name right?", Err: fmt.Errorf("%w: %w", lab.ErrUnreachable, err)}
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

func (l login) read() (host.Auth, host.HostKeys, error) {
	var auth host.Auth
	var keys host.HostKeys
	home, err := os.UserHomeDir()
	if err != nil {
		return auth, keys, err
	}
	phrase, err := secret(l.passphrase)
	if err != nil {
		return auth, keys, err
	}
	for _, f := range l.identities {
		auth.KeyFiles = append(auth.KeyFiles, host.KeyFile{Path: f, Passphrase: phrase})
	}
	if len(auth.KeyFiles) == 0 {
		if auth.AgentSocket = os.Getenv("SSH_AUTH_SOCK"); auth.AgentSocket == "" {
			auth.KeyFiles = []host.KeyFile{{Path: filepath.Join(home, ".ssh", "id_ed25519"), Passphrase: phrase}}
		}
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

func secret(ref string) (lab.Secret, error) {
	r, err := lab.ParseSecretRef(ref)
	if err != nil {
		return lab.Secret{}, err
	}
	return r.Resolve(os.LookupEnv, os.ReadFile)
}
