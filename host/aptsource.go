package host

import (
	"fmt"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// AptSource is a package source in the deb822 format (sources.list(5)), with the key that signs it.
// It consists of two files: /etc/apt/sources.list.d/NAME.sources and /etc/apt/keyrings/NAME.asc.
//
// A source that would make apt-get fail is not put in place: one that another file of the machine names with
// another key is refused by the plan, and one that is not there, or that the key does not sign, by a trial
// before the file is moved into place. A source that cannot be reached at the moment is put in place.
type AptSource struct {
	Order `yaml:",inline"`
	composite

	Name          string   `yaml:"name,required"`
	URIs          []string `yaml:"uris"`
	Suites        []string `yaml:"suites"`        // the codename of a release, or a path that ends in a slash
	Components    []string `yaml:"components"`    // empty for a suite that is a path
	Architectures []string `yaml:"architectures"` // empty means the machine's
	Key           string   `yaml:"key"`           // the public key of the source, ASCII-armored; empty means one of the system's keys
	Fingerprint   string   `yaml:"fingerprint"`   // that the key must have, 40 hexadecimal digits; empty means that it is not checked
	Trusted       bool     `yaml:"trusted"`       // packages are not verified; for a source on the machine itself
	Absent        bool     `yaml:"absent"`
}

// ID returns "aptsource:NAME".
func (a AptSource) ID() string { return "aptsource:" + a.Name }

// Validate implements [Resource].
func (a AptSource) Validate() (ps lab.Problems) {
	if !fileNamePattern.MatchString(a.Name) || len(a.Name) > 200 {
		ps = append(ps, lab.Problem{Path: "name", Text: a.Name, Message: "is not a file name: letters, digits, - _ and ."})
	}
	if a.Absent {
		return ps
	}
	if len(a.URIs) == 0 || len(a.Suites) == 0 {
		ps.Add("uris", "uris and suites are both required")
	}
	for field, words := range map[string][]string{
		"uris": a.URIs, "suites": a.Suites, "components": a.Components, "architectures": a.Architectures,
	} {
		for i, w := range words {
			if w == "" || strings.ContainsAny(w, " \t\n\r\x00") {
				ps = append(ps, lab.Problem{Path: fmt.Sprintf("%s[%d]", field, i), Text: w, Message: "is empty or contains a space"})
			}
		}
	}
	if a.Key != "" && !strings.Contains(a.Key, "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
		ps = append(ps, lab.Problem{Path: "key", Message: "is not an ASCII-armored public key",
			Hint: "gpg --export --armor FINGERPRINT"})
	}
	switch want := strings.ReplaceAll(a.Fingerprint, " ", ""); {
	case want == "":
	case !fingerprintPattern.MatchString(want):
		ps = append(ps, lab.Problem{Path: "fingerprint", Text: a.Fingerprint,
			Message: "is not a fingerprint: 40 hexadecimal digits", Hint: "gpg --show-keys FILE"})
	case a.Key == "":
		ps.Add("fingerprint", "requires a key")
	default:
		if err := checkFingerprint(a.Key, want); err != nil {
			ps = append(ps, lab.Problem{Path: "key", Message: err.Error() + ", not " + strings.ToUpper(want),
				Hint: "get the key again, from whom the fingerprint is, and trust no other"})
		}
	}
	return ps
}

var fingerprintPattern = regexp.MustCompile(`^[0-9A-Fa-f]{40}$`)

// Resources implements [Set].
func (a AptSource) Resources() []Resource {
	source, key := "/etc/apt/sources.list.d/"+a.Name+".sources", "/etc/apt/keyrings/"+a.Name+".asc"
	if a.Absent {
		return []Resource{File{Path: source, Absent: true}, File{Path: key, Absent: true}}
	}
	var b strings.Builder
	line := func(name string, words ...string) {
		if len(words) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(words, " "))
		}
	}
	line("Types", "deb")
	line("URIs", a.URIs...)
	line("Suites", a.Suites...)
	line("Components", a.Components...)
	line("Architectures", a.Architectures...)
	targets := "Targets: none"
	if a.Trusted {
		line("Trusted", "yes")
		targets = ""
	}
	trial := func(key, text string) string {
		return shell("apt-trial", "name", a.Name, "key", key, "source", strings.TrimSpace(text), "targets", targets, "t", aptTrial)
	}
	var out []Resource
	if a.Key != "" {
		validate := "file=%s\n" + trial(key, b.String())
		line("Signed-By", key)
		out = append(out, Directory{Path: "/etc/apt/keyrings"}, aptKeyFile{File{Path: key, Content: a.Key, ValidateWith: validate}})
	}
	return append(out,
		aptSourceFile{File: File{Path: source, Content: b.String(), ValidateWith: "file=%s\n" + trial("", "")}},
		aptSources{own: []sourceFile{{path: source, text: b.String()}}})
}

// aptKeyFile is the file of a key, of which a plan shows what a person can compare: its fingerprint.
type aptKeyFile struct{ File }

// Load implements [Loader].
func (f aptKeyFile) Load() (Resource, error) { return f, nil }

// Bind implements [Binder].
func (f aptKeyFile) Bind(*Whole) Resource { return f }

// Plan implements [Resource].
func (f aptKeyFile) Plan(o *Observation) ([]Op, error) {
	ops, err := f.File.Plan(o)
	prints, unknown := pgpFingerprints(f.Content)
	for i := range ops {
		if ops[i].Payload != nil && unknown == nil {
			ops[i].Diff = "+" + strings.ToUpper(strings.Join(prints, "\n+")) + "\n"
		}
	}
	return ops, err
}

// aptSourceFile is the file of a source, which comes after the removal of other files of sources: until then
// they could contradict it.
type aptSourceFile struct {
	File
	removed []string
}

// Load implements [Loader].
func (f aptSourceFile) Load() (Resource, error) { return f, nil }

// Bind implements [Binder].
func (f aptSourceFile) Bind(w *Whole) Resource {
	for _, r := range w.resources {
		if other, ok := r.(File); ok && other.Absent && isSourceFile(other.Path) {
			f.removed = append(f.removed, pathToken+other.Path)
		}
	}
	return f
}

func (f aptSourceFile) Relations() Relations {
	r := f.File.Relations()
	r.Needs = append(r.Needs, f.removed...)
	return r
}
