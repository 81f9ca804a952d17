package host

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Download is a file, such as a program, that the machine downloads over HTTPS. Its checksum is
// verified before it is moved into place.
type Download struct {
	Order `yaml:",inline"`

	Path   string `yaml:"path,required"`
	URL    string `yaml:"url,required"`    // https, or file:// for a file on the machine
	SHA256 string `yaml:"sha256,required"` // 64 hex digits
	Mode   Mode   `yaml:"mode"`            // 0 means 0755
	Owner  string `yaml:"owner"`           // empty means root
	Group  string `yaml:"group"`           // empty means root
}

// ID returns "download:PATH".
func (d Download) ID() string { return "download:" + d.Path }

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// checkURL reports the problems of the URL and the checksum of a download.
func checkURL(ps *lab.Problems, raw, sum string) {
	u, err := url.Parse(raw)
	allowed := err == nil &&
		(u.Scheme == "https" || u.Scheme == "file" || u.Scheme == "http" && isLoopback(u.Hostname()))
	if !allowed || strings.ContainsAny(raw, "\n\x00 ") {
		*ps = append(*ps, lab.Problem{Path: "url", Text: raw, Message: "is not an https or file URL"})
	}
	if err == nil && u.User != nil {
		*ps = append(*ps, lab.Problem{Path: "url", Message: "contains a user name, and maybe a password, that everybody could see",
			Hint: "serve it without authentication, or upload it as a file"})
	}
	if !sha256Pattern.MatchString(sum) {
		*ps = append(*ps, lab.Problem{Path: "sha256", Text: sum, Message: "is not 64 lower-case hex digits"})
	}
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Validate implements [Resource].
func (d Download) Validate() (ps lab.Problems) {
	checkPath(&ps, "path", d.Path)
	checkURL(&ps, d.URL, d.SHA256)
	checkMode(&ps, d.Mode)
	checkOwner(&ps, "owner", d.Owner)
	checkOwner(&ps, "group", d.Group)
	checkSudoers(&ps, d.Path, d.Mode, d.Owner)
	return ps
}

// Relations implements [Related].
func (d Download) Relations() Relations {
	return Relations{Provides: []string{"path:" + d.Path}, Needs: append(accountNeeds(d.Owner, d.Group), "path:"+d.Path,
		"package:curl"), Claims: []Claim{{Path: d.Path}}, Files: []string{d.Path}}
}

// Fingerprint implements [Fingerprinter].
func (d Download) Fingerprint() string { return "download " + d.SHA256 }

func (d Download) want() (sum [32]byte) {
	_, _ = hex.Decode(sum[:], []byte(d.SHA256)) // Validate has checked that it is hex
	return sum
}

// Observe implements [Resource].
func (d Download) Observe(q *Query) { q.Sum(d.Path, d.want()) }

// downloadTo returns the script that downloads the URL to a file, which gets the attributes of the
// one it replaces (see like in sh/apply.sh). It fails, and removes the file, if the checksum differs.
func downloadTo(raw, file, replaces, sum string) string {
	return shell("download", "url", raw, "temp", file, "replaces", replaces, "sum", sum)
}

// Plan implements [Resource].
func (d Download) Plan(o *Observation) ([]Op, error) {
	st := o.Stat(d.Path)
	mode, owner, group := d.Mode.or(0o755), orRoot(d.Owner), orRoot(d.Group)
	op := Op{Action: lab.Create, Cause: "not found", Diff: fmt.Sprintf("+%s, sha256 %s\n", d.URL, d.SHA256)}
	switch {
	case st.Type == DirFile:
		return nil, &lab.Error{Op: "download", Hint: "remove the directory, or choose another path",
			Err: fmt.Errorf("%w: the path is a directory", lab.ErrConflict)}
	case st.Type == RegularFile && o.Sum(d.Path) == d.SHA256:
		return ownership(d.Path, st, mode, owner, group), nil
	case st.Type != NoFile:
		op.Action, op.Cause = lab.Update, "content differs"
	}
	if st.Type != RegularFile {
		st = Stat{}
	}
	op.Diff = attributes(st, mode, owner, group) + op.Diff
	temp := tempFor(d.Path)
	op.Temps = append(validatorTemps(d.Path), temp)
	op.Script = downloadTo(d.URL, temp, d.Path, d.SHA256) + placed(temp, d.Path, mode, owner, group)
	return []Op{op}, nil
}
