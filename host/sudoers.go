package host

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const sudoersDir = "/etc/sudoers.d"

// isSudoers reports whether sudo reads the file, or may be told to, as part of sudoers(5). A file that
// does not parse can lock everybody out of root.
func isSudoers(file string) bool { return file == "/etc/sudoers" || below(file, sudoersDir) }

// visudo is the command that must accept a part of sudoers, %s.
const visudo = `{ command -v visudo >/dev/null || { echo 'there is no visudo to check it with: install sudo first' >&2; false; }; } &&
visudo -c -f %s >/dev/null`

// checkSudoers reports why sudo would ignore a file below /etc/sudoers.d (sudoers(5), "Including other
// files from within sudoers").
func checkSudoers(ps *lab.Problems, file string, mode Mode, owner string) {
	if !isSudoers(file) {
		return
	}
	name := path.Base(file)
	if file != "/etc/sudoers" && (strings.Contains(name, ".") || strings.HasSuffix(name, "~")) {
		*ps = append(*ps, lab.Problem{Path: "path", Text: file, Hint: "use another name",
			Message: "is ignored by sudo: its name contains a dot, or ends with a tilde"})
	}
	if mode&0o022 != 0 {
		*ps = append(*ps, lab.Problem{Path: "mode", Text: mode.String(), Hint: "use 0440",
			Message: "lets others write to it, so that sudo ignores it"})
	}
	if owner != "" && owner != "root" && owner != "0" {
		*ps = append(*ps, lab.Problem{Path: "owner", Text: owner, Hint: "leave it empty",
			Message: "is not root, so that sudo ignores it"})
	}
}

// sudoNeeds returns the token of the package that checks a part of sudoers.
func sudoNeeds(file string) []string {
	if isSudoers(file) {
		return []string{"package:sudo"}
	}
	return nil
}
