package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Hostname is the machine's name: in /etc/hostname, in the kernel, and, as is Debian's convention, in
// /etc/hosts for 127.0.1.1, whose other aliases are kept.
//
// A machine that is a node of a k3s cluster cannot be renamed: the node would join a second time
// under the new name, and its old node password would be rejected.
type Hostname struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"` // one label: letters, digits and hyphens
	Domain string `yaml:"domain"`        // if set, /etc/hosts has the fully qualified name too; empty means none
}

// ID returns "hostname:NAME".
func (h Hostname) ID() string { return "hostname:" + h.Name }

var (
	labelPattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // RFC 1123, lowercase
	domainPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// Validate implements [Resource].
func (h Hostname) Validate() (ps lab.Problems) {
	if !labelPattern.MatchString(h.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: h.Name,
			Message: "is not a host name: 1 to 63 letters a-z, digits and hyphens"})
	}
	if h.Domain != "" && (!domainPattern.MatchString(h.Domain) || len(h.Domain) > 200) {
		ps = append(ps, lab.Problem{Path: "domain", Text: h.Domain, Message: "is not a domain"})
	}
	return ps
}

// Relations implements [Related].
func (h Hostname) Relations() Relations {
	return Relations{
		Provides: []string{"path:/etc/hosts", "path:/etc/hostname", hostnameToken},
		Needs:    []string{"path:/etc/hosts", "path:/etc/hostname"},
		Claims:   []Claim{{Path: "/etc/hostname"}, {Path: "/etc/hosts", Part: true}},
	}
}

// k3sData exists if the machine is, or was, a node of a k3s cluster.
const k3sData = "/var/lib/rancher/k3s"

// Observe implements [Resource].
func (h Hostname) Observe(q *Query) {
	q.Content("/etc/hostname")
	q.Content("/etc/hosts")
	q.Path(k3sData)
}

// Plan implements [Resource]. The hosts come first: as long as the machine has its old name, that can be
// told from its aliases there.
func (h Hostname) Plan(o *Observation) ([]Op, error) {
	have, _ := o.Content("/etc/hostname")
	name := strings.TrimSpace(string(have))
	if (name != h.Name || o.Facts.Hostname != h.Name) && o.Stat(k3sData).Type == DirFile {
		return nil, &lab.Error{Op: "change hostname", Hint: "remove the node from the cluster and uninstall k3s first",
			Err: fmt.Errorf("%w: the machine is the node %q of a k3s cluster", lab.ErrRefused, name)}
	}
	ops, err := edit{path: "/etc/hosts", create: true}.plan(o, func(lines []string) []string {
		return h.hosts(lines, name, o.Facts.Hostname)
	})
	if err != nil {
		return nil, err
	}
	for i := range ops {
		ops[i].Name = "hosts"
	}
	if name != h.Name {
		f := File{Path: "/etc/hostname", Content: h.Name + "\n"}
		op := f.write([]byte(f.Content))
		op.Action, op.Cause, op.Diff = lab.Update, fmt.Sprintf("is %q", name), lab.Diff(f.Path, have, []byte(f.Content))
		ops = append(ops, op)
	}
	if o.Facts.Hostname != h.Name {
		ops = append(ops, Op{Name: "now", Action: lab.Update, Cause: fmt.Sprintf("the kernel's is %q", o.Facts.Hostname),
			Script: "hostname -- " + ssh.Quote(h.Name), Expected: Expected{Hostname: h.Name}})
	}
	return ops, nil
}

// ownAddress is the address that Debian gives the machine's own name in /etc/hosts (Debian Reference,
// section 5.1.1).
const ownAddress = "127.0.1.1"

// hosts returns the lines of /etc/hosts with the names on the last line of the own address, in place of
// those that the machine had. Other aliases on the line are kept, and so is a comment.
func (h Hostname) hosts(lines []string, had ...string) []string {
	want := []string{h.Name}
	if h.Domain != "" {
		want = []string{h.Name + "." + h.Domain, h.Name}
	}
	end := lineEnd(lines)
	for i := len(lines) - 1; i >= 0; i-- {
		names, comment, commented := strings.Cut(lineText(lines[i]), "#")
		f := strings.Fields(names)
		if len(f) == 0 || f[0] != ownAddress {
			continue
		}
		for j, alias := range f[1:] {
			if !h.replaces(alias, j == 0, had) && !slices.Contains(want, alias) {
				want = append(want, alias)
			}
		}
		if slices.Equal(f[1:], want) {
			return lines // the same up to white space
		}
		text := ownAddress + " " + strings.Join(want, " ")
		if commented {
			text += " #" + comment
		}
		out := slices.Clone(lines)
		out[i] = replaced(lines[i], text, end)
		return out
	}
	return insertText(lines, len(lines), end, ownAddress+" "+strings.Join(want, " "))
}

// replaces reports whether the name on the line of the own address is an old one of the machine: one that
// it had, with a domain or without, or, if it is the first name, its own in another domain.
func (h Hostname) replaces(alias string, first bool, had []string) bool {
	host, _, full := strings.Cut(alias, ".")
	for _, old := range had {
		if old != "" && old != h.Name && host == old {
			return true
		}
	}
	return first && full && host == h.Name
}
