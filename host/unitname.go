package host

import (
	"path"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// unitPattern matches the unit names that systemd allows (systemd.unit(5)), and none of the wildcards
// of systemctl.
var unitPattern = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|mount|automount|path|target|swap|slice|scope)$`)

// maxUnitName is the maximum length of a unit's name in bytes.
const maxUnitName = 255

// checkUnitName reports the problem of a unit name.
func checkUnitName(ps *lab.Problems, field, name string) {
	if len(name) > maxUnitName || !unitPattern.MatchString(name) {
		*ps = append(*ps, lab.Problem{Path: field, Text: name, Message: "is not the name of a unit",
			Hint: `with its suffix: "ssh.service"`})
	}
}

// isUnitPath reports whether the file is in a directory of unit files (systemd.unit(5)) that an
// administrator may write to.
func isUnitPath(file string) bool {
	for _, dir := range []string{
		"/etc/systemd/system/", "/usr/local/lib/systemd/system/", "/run/systemd/system/",
		"/lib/systemd/system/", "/usr/lib/systemd/system/",
	} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// unitOf returns the name of the unit whose file or drop-in is at the path.
func unitOf(file string) string {
	if u, ok := strings.CutSuffix(path.Base(path.Dir(file)), ".d"); ok && unitPattern.MatchString(u) {
		return u
	}
	return path.Base(file)
}
