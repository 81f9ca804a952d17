package stepca

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// Program is where a program comes from: a file or a tar archive that every machine downloads and
// verifies, or whatever else has installed it.
type Program struct {
	// URL is https, or file:// for a file on the machine. A tar archive (.tar, .tar.gz, .tgz), as
	// Smallstep releases them, is unpacked into /opt; anything else is the program itself. Empty
	// means that it is installed otherwise, as by a package.
	URL string `yaml:"url"`

	SHA256 string `yaml:"sha256"` // of what is downloaded, 64 lower-case hex digits; empty without URL

	// Path is the program on the machine; in an archive, relative to its top directory. Empty means
	// /usr/local/bin/NAME for a file, bin/step and step-ca in archives, /usr/bin/NAME without URL.
	Path string `yaml:"path"`
}

// archived reports whether the program comes in a tar archive.
func (p Program) archived() bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz"} {
		if strings.HasSuffix(p.URL, end) {
			return true
		}
	}
	return false
}

// problems returns what is wrong with the program, which is in the field of the name.
func (p Program) problems(field string) (ps lab.Problems) {
	if p.URL == "" && p.SHA256 != "" {
		ps = append(ps, lab.Problem{Path: "sha256", Message: "there is no url that it is of"})
	}
	if p.Path != "" && path.IsAbs(p.Path) == p.archived() {
		ps = append(ps, lab.Problem{Path: "path", Text: p.Path, Message: "must be absolute, or in an archive relative"})
	}
	if strings.ContainsAny(p.Path, " \t\n\"'$%\\;") || strings.Contains(p.Path, "..") {
		ps = append(ps, lab.Problem{Path: "path", Text: p.Path, Message: "is not a plain path"})
	}
	if p.URL != "" && len(ps) == 0 {
		for _, r := range p.resources("step") {
			ps = append(ps, r.Validate()...)
		}
	}
	return ps.Under(field)
}

// directory is where the archive of the program of the name is unpacked.
func (p Program) directory(name string) string { return "/opt/" + name }

// path returns the path on the machine of the program of the name.
func (p Program) path(name string) string {
	switch {
	case p.archived() && p.Path != "":
		return path.Join(p.directory(name), p.Path)
	case p.archived() && name == clientName: // as in Smallstep's archive; that of the server has no directories
		return path.Join(p.directory(name), "bin", name)
	case p.archived():
		return path.Join(p.directory(name), name)
	case p.Path != "":
		return p.Path
	case p.URL != "":
		return "/usr/local/bin/" + name
	}
	return "/usr/bin/" + name
}

// resources returns what brings the program of the name: one resource, none if it is installed otherwise.
func (p Program) resources(name string) host.State {
	switch {
	case p.URL == "":
		return nil
	case p.archived():
		return host.State{host.Archive{Path: p.directory(name), URL: p.URL, SHA256: p.SHA256, Strip: 1}}
	}
	return host.State{host.Download{Path: p.path(name), URL: p.URL, SHA256: p.SHA256}}
}

// The programs' names.
const (
	clientName = "step"
	serverName = "step-ca"
)
