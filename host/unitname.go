package host

import (
	"path"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// unitPattern is of the names that systemd takes (systemd.unit(5)), without the escapes of systemctl's own patterns.
var unitPattern = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|mount|automount|path|target|swap|slice|scope)$`)

func checkUnitName(ps *lab.Problems, field, name string) {
	if len(name) > 255 || !unitPattern.MatchString(name) {
		*ps = append(*ps, lab.Problem{Path: field, Text: name, Message: "is not the name of a unit", Hint: `with its suffix: "ssh.service"`})
	}
}

// isUnitPath reports whether systemd reads its units' files there (systemd.unit(5)), as far as an administrator writes them.
func isUnitPath(file string) bool {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/local/lib/systemd/system/", "/run/systemd/system/", "/lib/systemd/system/", "/usr/lib/systemd/system/"} {
		if strings.HasPrefix(file, dir) {
			return true
		}
	}
	return false
}

// unitOf returns the unit whose file, or whose drop-in, is at the path.
func unitOf(file string) string {
	if u, ok := strings.CutSuffix(path.Base(path.Dir(file)), ".d"); ok && unitPattern.MatchString(u) {
		return u
	}
	return path.Base(file)
}
