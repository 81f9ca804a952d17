package host

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Archive is a tar archive, plain or compressed with gzip, that the machine downloads and unpacks
// into a directory. The file .lab-archive in the directory records which archive was unpacked last.
// Files that only an older archive contained are kept.
type Archive struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"` // the directory; created if it does not exist
	URL    string `yaml:"url,required"`  // https, or file:// for a file on the machine
	SHA256 string `yaml:"sha256,required"`
	Strip  int    `yaml:"strip"` // leading components that are removed from names in the archive
	Owner  string `yaml:"owner"` // of the directory and its contents; empty means root for unpacked files and no change for others
	Group  string `yaml:"group"` // empty means root
}

// ID returns "archive:PATH".
func (a Archive) ID() string { return "archive:" + a.Path }

// Validate implements [Resource].
func (a Archive) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", a.Path)
	checkURL(&ps, a.URL, a.SHA256)
	checkOwner(&ps, "owner", a.Owner)
	checkOwner(&ps, "group", a.Group)
	if a.Strip < 0 || a.Strip > 20 {
		ps.Add("strip", "is not between 0 and 20")
	}
	return ps
}

// Relations implements [Related].
func (a Archive) Relations() Relations {
	return Relations{Provides: []string{"path:" + a.Path}, Needs: append(accountNeeds(a.Owner, a.Group), "path:"+a.Path, "package:curl")}
}

// Fingerprint implements [Fingerprinter].
func (a Archive) Fingerprint() string { return "archive " + a.SHA256 }

func (a Archive) stamp() string { return a.Path + "/.lab-archive" }

// Observe implements [Resource].
func (a Archive) Observe(q *Query) { q.Content(a.stamp()) }

// Plan implements [Resource].
func (a Archive) Plan(o *Observation) ([]Op, error) {
	have, ok := o.Content(a.stamp())
	if ok && strings.TrimSpace(string(have)) == a.SHA256 {
		return nil, nil
	}
	op := Op{Action: lab.Create, Cause: "not found", Diff: fmt.Sprintf("+%s, sha256 %s\n", a.URL, a.SHA256)}
	if ok {
		op.Action, op.Cause = lab.Update, "another archive was unpacked"
	} else {
		op.Diff = fmt.Sprintf("owner %s:%s, modes as in the archive\n", orRoot(a.Owner), orRoot(a.Group)) + op.Diff
	}
	owner := orRoot(a.Owner) + ":" + orRoot(a.Group)
	if owner == "root:root" {
		owner = ""
	}
	temp := tempFor(a.Path)
	op.Temps = []string{temp}
	create := "created=''; [ -d %[1]s ] || { ( umask 022; mkdir -p -- %[1]s ); created=yes; }\n"
	op.Script = fmt.Sprintf(create, ssh.Quote(a.Path)) +
		downloadTo(a.URL, temp, "", a.SHA256) +
		shell("unpack", "temp", temp, "dir", a.Path, "stamp", a.stamp(),
			"sum", a.SHA256, "strip", fmt.Sprint(a.Strip), "owner", owner)
	return []Op{op}, nil
}
