package dns

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/script"
)

// Where the resolvers of a machine are.
const (
	resolvConf   = "/etc/resolv.conf"
	formerConf   = "/var/lib/lab/resolv.conf" // that of before
	resolvTemp   = "/etc/.resolv.conf.lab.tmp"
	manager      = "NetworkManager.service"
	managerPart  = "/etc/NetworkManager/conf.d/90-lab-dns.conf"
	managerText  = "# Written by lab: the name servers are in " + resolvConf + ".\n[main]\ndns=none\n"
	resolvMark   = "# Written by lab: changes here are undone. A name server that does not answer is left after a second."
	resolversSet = "resolvers"
)

// Resolvers returns the state in which a machine asks the Pi-holes. It is right when Validate finds nothing.
func (c Config) Resolvers() host.State { return host.State{resolvers{c}} }

// resolvers are two resources, since they are of two minds about the same file: one writes it when all name servers
// answer, the other puts the former back when none does.
type resolvers struct{ config Config }

// ID implements [host.Resource].
func (r resolvers) ID() string { return resolversSet + ":" + resolvConf }

// Validate implements [host.Resource].
func (r resolvers) Validate() lab.Problems {
	return append(r.config.validateAsked(true), r.config.validateServers()...)
}

// Observe implements [host.Resource]: the parts ask.
func (r resolvers) Observe(*host.Query) {}

// Plan implements [host.Resource]: the parts are planned.
func (r resolvers) Plan(*host.Observation) ([]host.Op, error) { return nil, nil }

// Resources implements [host.Set].
func (r resolvers) Resources() []host.Resource {
	return []host.Resource{restore(r), flip(r)}
}

// text returns resolv.conf.
func (r resolvers) text() string {
	var b strings.Builder
	b.WriteString(resolvMark + "\n")
	for _, s := range r.config.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", s.Address)
	}
	if len(r.config.Search) > 0 {
		b.WriteString("search " + strings.Join(r.config.Search, " ") + "\n")
	}
	b.WriteString("options timeout:1 attempts:2 rotate\n")
	return b.String()
}

func (r resolvers) variables() script.Variables {
	var servers []string
	for _, s := range r.config.Servers {
		servers = append(servers, s.Address.String())
	}
	v := r.config.asking()
	maps.Copy(v, script.Variables{"servers": strings.Join(servers, " "), "text": strings.TrimSuffix(r.text(), "\n"),
		"former": formerConf, "mark": resolvMark, "manager": manager, "setting": managerPart, "setting_text": managerText,
		"temp": resolvTemp})
	return v
}

// managed returns the variables of a script that changes the resolvers.
func (r resolvers) managed(yes string) script.Variables {
	v := r.variables()
	v["managed"] = yes
	return v
}

// observe asks what both parts need to know; it is asked once.
func (r resolvers) observe(q *host.Query) {
	q.Content(resolvConf)
	q.Link(resolvConf)
	q.MountPoint(resolvConf)
	q.Path(formerConf)
	q.Content(managerPart)
	q.Unit(manager)
	q.Package("resolvconf")
	q.Package("openresolv")
	q.Probe(r.ID(), script.Join(embedded, r.variables(), "ask.sh", "resolvers.sh"))
}

// seen is what a machine has.
type seen struct {
	written bool   // resolv.conf is as wanted
	manager bool   // NetworkManager is installed
	free    bool   // it was told to leave resolv.conf alone, or is not installed
	up      bool   // a name server answers, or all of them if resolv.conf is not as wanted
	none    bool   // no name server answers
	owner   string // which program writes resolv.conf, and would write over ours; empty if there is none
	hint    string // what to do about it
	down    []string
	former  bool
}

func (r resolvers) read(o *host.Observation) (s seen) {
	content, _ := o.Content(resolvConf)
	part, _ := o.Content(managerPart)
	end := func(text string) string { return strings.TrimRight(text, "\n") } // as $(cat) does, in resolvers.sh
	s.written = o.Stat(resolvConf).Type == host.RegularFile && end(string(content)) == end(r.text())
	s.manager = o.Unit(manager).Load == "loaded"
	s.free = !s.manager || string(part) == managerText
	s.former = o.Stat(formerConf).Type == host.RegularFile
	output := o.Probe(r.ID()).Output
	up := addresses(output, "up ")
	for line := range strings.Lines(string(output)) {
		if why, ok := strings.CutPrefix(line, "down "); ok {
			_, why, _ = strings.Cut(strings.TrimSpace(why), " ")
			s.down = append(s.down, why)
		}
	}
	s.none, s.up = len(up) == 0, len(up) > 0
	if !s.written {
		s.up = len(up) == len(r.config.Servers)
	}
	s.owner, s.hint = owner(o, addresses(output, "runs "))
	return s
}

// owner returns which program writes resolv.conf that cannot be told to leave it to us, and what to do about it.
func owner(o *host.Observation, programs []string) (name, hint string) {
	link := o.Link(resolvConf)
	if _, mounted := o.MountAt(resolvConf); mounted {
		return "what mounts it", "it is a mount of its own, as in a container: set the name servers where that is started"
	}
	switch {
	case strings.Contains(link, "systemd/resolve"):
		return "systemd-resolved", "apt-get remove systemd-resolved; or systemctl disable --now systemd-resolved and " +
			"rm /etc/resolv.conf, after writing down its name servers (resolvectl dns)"
	case o.Package("resolvconf").Installed, o.Package("openresolv").Installed, strings.Contains(link, "resolvconf"):
		return "resolvconf", "apt-get remove resolvconf openresolv"
	case slices.Contains(programs, "dhcpcd"):
		return "dhcpcd", "write the line nohook resolv.conf into /etc/dhcpcd.conf, and restart dhcpcd"
	case slices.Contains(programs, "dhclient"):
		return "dhclient", "echo 'make_resolv_conf() { :; }' >/etc/dhcp/dhclient-enter-hooks.d/lab"
	case len(programs) > 0:
		return programs[0], "give the machine a fixed address, or let NetworkManager get one, so that no " + programs[0] + " runs"
	}
	return "", ""
}

// flip writes resolv.conf when all name servers answer.
type flip struct{ config Config }

// ID implements [host.Resource].
func (f flip) ID() string { return "resolv-conf:" + resolvConf }

// Validate implements [host.Resource].
func (f flip) Validate() lab.Problems { return nil }

// Relations implements [host.Related].
func (f flip) Relations() host.Relations {
	return host.Relations{Provides: []string{"path:" + resolvConf}, Files: []string{resolvConf},
		Claims: []host.Claim{{Path: resolvConf}, {Path: managerPart}}}
}

// Observe implements [host.Resource].
func (f flip) Observe(q *host.Query) { resolvers(f).observe(q) }

// Plan implements [host.Resource].
func (f flip) Plan(o *host.Observation) ([]host.Op, error) {
	r := resolvers(f)
	s := r.read(o)
	switch {
	case s.written && (s.free || s.none):
		return nil, nil
	case s.owner != "":
		return nil, &lab.Error{Op: "set resolvers", Hint: s.hint,
			Err: fmt.Errorf("%w: %s writes %s, and would undo it", lab.ErrRefused, s.owner, resolvConf)}
	case !s.up:
		return nil, &lab.Error{Op: "set resolvers",
			Hint: "bring the Pi-holes up, and see that the machine reaches their port 53; " + resolvConf + " is left as it is",
			Err:  fmt.Errorf("%w: %s", lab.ErrRefused, lab.Printable(strings.Join(s.down, "; ")))}
	}
	before, _ := o.Content(resolvConf)
	cause := "name servers differ"
	switch {
	case s.written:
		cause = "NetworkManager would write over it"
	case o.Stat(resolvConf).Type == host.LinkFile:
		cause = "is a link to " + lab.Printable(o.Link(resolvConf))
	case o.Stat(resolvConf).Type == host.NoFile:
		cause = "not found"
	}
	text, diff := []byte(r.text()), ""
	if !s.free {
		part, _ := o.Content(managerPart)
		diff = lab.Diff(managerPart, part, []byte(managerText))
	}
	return []host.Op{{Action: lab.Update, Cause: cause, Temps: []string{formerConf + ".tmp", managerPart + ".tmp"},
		Diff:    diff + lab.Diff(resolvConf, before, text),
		Payload: &host.Payload{Temp: resolvTemp, Size: int64(len(text)), Content: text},
		Script: script.Join(embedded, r.managed(yes(s.manager)), "ask.sh", "manager.sh", "flip.sh") +
			fmt.Sprintf("put %s %s 0644 root:root %x\n", ssh.Quote(resolvTemp), resolvConf, sha256.Sum256(text))}}, nil
}

// restore puts the resolv.conf of before back when no name server answers any more.
type restore struct{ config Config }

// ID implements [host.Resource].
func (r restore) ID() string { return "former-resolvers:" + resolvConf }

// Validate implements [host.Resource].
func (r restore) Validate() lab.Problems { return nil }

// Observe implements [host.Resource].
func (r restore) Observe(q *host.Query) { resolvers(r).observe(q) }

// Plan implements [host.Resource].
func (r restore) Plan(o *host.Observation) ([]host.Op, error) {
	s := resolvers(r).read(o)
	if !s.none || !s.written {
		return nil, nil
	}
	if !s.former {
		return nil, &lab.Error{Op: "restore resolvers",
			Hint: "write the router's address into " + resolvConf + ": nameserver 192.168.1.1",
			Err: fmt.Errorf("%w: no Pi-hole answers (%s), and no %s is kept from before", lab.ErrNotFound,
				lab.Printable(strings.Join(s.down, "; ")), path.Base(resolvConf))}
	}
	return []host.Op{{Action: lab.Update, Cause: "no Pi-hole answers: " + lab.Printable(strings.Join(s.down, "; ")),
		Temps:  []string{resolvTemp},
		Script: script.Join(embedded, resolvers(r).managed(yes(s.manager)), "ask.sh", "manager.sh", "restore.sh")}}, nil
}

// yes returns a truth as scripts take it.
func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}
