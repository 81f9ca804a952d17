package nfs

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// exportsFile is read by exportfs besides /etc/exports.
const exportsFile = "/etc/exports.d/lab.exports"

// exports is a kind of resource: what the machine exports, in its file and as it is.
type exports struct{ list []Export }

//go:embed exports.sh
var exportsScript string

func (exports) ID() string { return "exports:" + exportsFile }

func (exports) Validate() lab.Problems { return nil }

func (x exports) Relations() host.Relations {
	r := host.Relations{
		Provides: []string{"path:" + exportsFile},
		Needs:    []string{"path:" + exportsFile, "package:nfs-kernel-server"},
		Claims:   []host.Claim{{Path: exportsFile}},
	}
	for _, e := range x.list {
		r.Needs = append(r.Needs, "path:"+e.Path)
	}
	return r
}

func (x exports) Observe(q *host.Query) {
	q.Content(exportsFile)
	q.Probe(x.ID(), "ours="+ssh.Quote(exportsFile)+"\n"+exportsScript)
	for _, e := range x.list {
		q.MountPoint(e.Path)
	}
}

// options returns those of exports(5) by which a client has the directory. The last one has the server itself look
// whether the path is a mount point.
func (e Export) options() []string {
	access, root := "rw", "root_squash"
	if e.ReadOnly {
		access = "ro"
	}
	if e.NoRootSquash {
		root = "no_root_squash"
	}
	return []string{access, "sync", "no_subtree_check", root, "mountpoint"}
}

// content returns the file.
func (x exports) content() string {
	var b strings.Builder
	b.WriteString("# See exports(5). Clients are named one by one.\n")
	for _, e := range x.list {
		b.WriteString(e.Path)
		for _, client := range e.Clients {
			fmt.Fprintf(&b, " %s(%s)", client, strings.Join(e.options(), ","))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (x exports) Plan(o *host.Observation) ([]host.Op, error) {
	found := readExports(string(o.Probe(x.ID()).Output))
	check := ""
	for _, e := range x.list {
		if err := e.refuse(o, found); err != nil {
			return nil, err
		}
		check += fmt.Sprintf("mountpoint -q -- %[1]s || { cause %[1]s' is not a mount point: mount its disk'; exit 1; }\n",
			ssh.Quote(e.Path))
	}
	old, exists := o.Content(exportsFile)
	content := []byte(x.content())
	if string(old) == string(content) {
		if diff := x.differs(found); diff != "" {
			return []host.Op{{Action: lab.Run, Cause: diff, Script: check + "exportfs -ra"}}, nil
		}
		return nil, nil
	}
	op := host.Op{Action: lab.Create, Cause: "not found", Diff: lab.Diff(exportsFile, old, content)}
	if exists {
		op.Action, op.Cause = lab.Update, "content differs"
	}
	op.Payload = &host.Payload{Temp: "/etc/exports.d/.lab.exports", Size: int64(len(content)), Content: content, Replaces: exportsFile}
	op.Script = check + fmt.Sprintf("put %s %s 0644 root:root %x\nexportfs -ra", op.Payload.Temp, exportsFile, sha256.Sum256(content))
	return []host.Op{op}, nil
}

// refuse returns an error if the path must not be exported.
func (e Export) refuse(o *host.Observation, found exported) error {
	m, ok := o.MountAt(e.Path)
	if !ok && o.PendingToken("path:"+e.Path) == "" {
		return &lab.Error{Op: "export directory", Hint: "mount its disk, or export the directory of a disk of its own",
			Err: fmt.Errorf("%w: %s is not a mount point: clients would fill the disk under it", lab.ErrRefused, e.Path)}
	}
	if ok && m.FSType == "autofs" {
		return &lab.Error{Op: "export directory", Hint: "mount it at boot, without x-systemd.automount",
			Err: fmt.Errorf("%w: %s is mounted at the first access, which an export does not wait for", lab.ErrRefused, e.Path)}
	}
	if file := found.elsewhere[path.Clean(e.Path)]; file != "" {
		return &lab.Error{Op: "export directory", Hint: "remove the line there",
			Err: fmt.Errorf("%w: %s exports %s too", lab.ErrConflict, lab.Printable(file), e.Path)}
	}
	return nil
}

// exported is what exports.sh reports.
type exported struct {
	elsewhere map[string]string              // path -> another file that exports it
	now       map[string]map[string][]string // path -> client -> options
}

func readExports(out string) exported {
	x := exported{elsewhere: map[string]string{}, now: map[string]map[string][]string{}}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) > 2 && f[0] == "file" && !strings.HasPrefix(f[2], "#"):
			x.elsewhere[path.Clean(strings.Trim(f[2], `"`))] = f[1]
		case len(f) > 2 && f[0] == "now":
			client, options, _ := strings.Cut(strings.TrimSuffix(f[2], ")"), "(")
			if x.now[f[1]] == nil {
				x.now[f[1]] = map[string][]string{}
			}
			x.now[f[1]][client] = strings.Split(options, ",")
		}
	}
	return x
}

// differs says in which way the exports are not as the file says; "" if they are.
func (x exports) differs(found exported) string {
	for _, e := range x.list {
		now := found.now[e.Path]
		for _, client := range e.Clients {
			for _, option := range e.options() {
				if !slices.Contains(now[client], option) {
					return fmt.Sprintf("%s is not exported to %s as the file says", e.Path, client)
				}
			}
		}
		if len(now) > len(e.Clients) {
			return e.Path + " is exported to others too"
		}
	}
	return ""
}
