package longhornprep

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Row is one thing that Longhorn needs of a machine.
type Row struct {
	Name  string // "iscsid"
	OK    bool
	Found string // what was found, in words
	Next  string // what to do; empty if it is OK
}

// Report is what was found on a machine.
type Report struct {
	Initiator string // the name of its initiator; empty if it has none
	Rows      []Row  // in a fixed order
}

// OK reports whether the machine has everything.
func (r Report) OK() bool { return !slices.ContainsFunc(r.Rows, func(r Row) bool { return !r.OK }) }

//go:embed examine.sh
var examineScript string

// Examine looks at a machine with one exec, and changes nothing. data is Longhorn's data directory; empty
// means that it is not looked at.
func Examine(ctx context.Context, m *host.Machine, data string) (Report, error) {
	var out strings.Builder
	res, err := m.Run(ctx, ssh.Command{Script: "data=" + ssh.Quote(data) + "\n" + examineScript, Root: true, Stdout: &out})
	if err == nil {
		err = res.Err()
	}
	if err != nil {
		return Report{}, err
	}
	return report(readFacts(out.String()), data), nil
}

// facts are the lines of examine.sh by their first word.
type facts map[string][]string

func readFacts(out string) facts {
	f := facts{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		f[key] = append(f[key], value)
	}
	return f
}

func (f facts) one(key string) string {
	if len(f[key]) == 0 {
		return ""
	}
	return f[key][0]
}

// report judges what was found. It is pure.
func report(f facts, data string) Report {
	r := Report{Initiator: f.one("initiator")}
	add := func(name string, ok bool, found, next string) {
		if ok {
			next = ""
		}
		r.Rows = append(r.Rows, Row{Name: name, OK: ok, Found: found, Next: next})
	}
	add("commands", len(f["lacks"]) == 0, listed(f["lacks"], "all are installed", "missing: "), "install the packages of this component")
	add("iscsid", f.one("iscsid") == "active", f.one("iscsid"), "systemctl enable --now iscsid")
	add("initiator", r.Initiator != "", listed(f["initiator"], "it has no name", ""), "apply the state of this component")
	for _, module := range []string{"iscsi_tcp", "dm_crypt"} {
		has := slices.Contains(f["module"], module)
		add("module "+module, has, map[bool]string{true: "loaded", false: "not loaded"}[has], "modprobe "+module)
	}
	config := f["config"]
	nfs := slices.ContainsFunc(config, func(line string) bool {
		return strings.HasPrefix(line, "CONFIG_NFS_V4_1=") || strings.HasPrefix(line, "CONFIG_NFS_V4_2=")
	})
	add("NFS 4.1 or 4.2", nfs, listed(config, "the configuration of kernel "+f.one("kernel")+" says nothing of it", ""),
		"use a kernel with CONFIG_NFS_V4_1 or CONFIG_NFS_V4_2 for volumes that several pods write to")
	multi := f.one("multipathd")
	add("multipathd", multi != "active" || len(f["listed"]) > 0, multi+listed(f["listed"], "", ", leaves disks named sd* alone"),
		"apply the state of this component, or: systemctl disable --now multipathd.socket multipathd")
	add("mount propagation", f.one("propagation") == "shared", f.one("propagation"), "mount --make-rshared /")
	if data != "" {
		target, kind, _ := strings.Cut(f.one("data"), " ")
		ok := target != "" && target != "/" && (kind == "ext4" || kind == "xfs")
		add("data directory", ok, fmt.Sprintf("%s is on %s, %s", data, target, kind),
			"give it a disk of its own, with ext4 or xfs: package host/disk")
	}
	return r
}

// listed returns the words after a prefix, or what to say if there are none.
func listed(words []string, none, prefix string) string {
	if len(words) == 0 {
		return none
	}
	return prefix + strings.TrimSpace(strings.Join(words, " "))
}
