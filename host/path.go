package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// checkPath reports what is wrong with an absolute path on a machine. Limits are Linux's: 255 bytes a name, 4095 a path (path_resolution(7)).
func checkPath(ps *lab.Problems, field, p string) {
	bad := func(format string, args ...any) {
		*ps = append(*ps, lab.Problem{Path: field, Text: p, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case p == "":
		ps.Add(field, "is empty")
	case strings.ContainsRune(p, 0):
		bad("holds a NUL")
	case !strings.HasPrefix(p, "/"):
		bad("is not absolute")
	case path.Clean(p) != p:
		*ps = append(*ps, lab.Problem{Path: field, Text: p, Message: "is not in its shortest form", Hint: "write " + path.Clean(p)})
	case p == "/":
		bad("is the root")
	case len(p) > 4000:
		bad("is longer than 4000 bytes")
	default:
		for _, name := range strings.Split(p, "/") {
			if len(name) > 255 {
				bad("holds a name of more than 255 bytes")
				return
			}
		}
	}
}

// tempFor returns the name under which new content for the file is stored beside it until it is moved into place. It is always the same for
// the same file, so that what a run that was cut off left behind is overwritten, not gathered.
func tempFor(file string) string {
	h := sha256.Sum256([]byte(file))
	return strings.TrimSuffix(path.Dir(file), "/") + "/.lab-" + hex.EncodeToString(h[:8]) + ".tmp"
}

// placed returns the script line that moves a file into place whose content was compared.
func placed(temp, file string, mode Mode, owner, group string) string {
	return fmt.Sprintf("place %s %s %s %s ''", ssh.Quote(temp), ssh.Quote(file), mode, ssh.Quote(owner+":"+group))
}

// put returns the script line that moves a payload into place.
func put(temp, file string, mode Mode, owner, group string, sum [32]byte, validate string) string {
	line := fmt.Sprintf("put %s %s %s %s %s", ssh.Quote(temp), ssh.Quote(file), mode, ssh.Quote(owner+":"+group), hex.EncodeToString(sum[:]))
	if validate != "" {
		line += " " + ssh.Quote(strings.ReplaceAll(validate, "%s", `"$1"`))
	}
	return line
}

// checkValidate reports what is wrong with a validation command.
func checkValidate(ps *lab.Problems, validate string) {
	if validate != "" && !strings.Contains(validate, "%s") {
		*ps = append(*ps, lab.Problem{Path: "validate", Text: validate, Message: "does not say where the file's name goes", Hint: "write %s there, as in: visudo -cf %s"})
	}
	if strings.ContainsRune(validate, 0) {
		ps.Add("validate", "holds a NUL")
	}
}

// checkMode reports a mode that has more than permission bits.
func checkMode(ps *lab.Problems, m Mode) {
	if m > 0o7777 {
		ps.Add("mode", "is more than 07777")
	}
}

// checkName reports what is wrong with the name of an account (useradd(8)).
func checkName(ps *lab.Problems, field, name string) {
	ok := name != "" && len(name) <= 32
	for i, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || i > 0 && (r >= '0' && r <= '9' || r == '-' || r == '.'))
	}
	if !ok {
		*ps = append(*ps, lab.Problem{Path: field, Text: name, Message: "is not the name of an account: 1 to 32 letters, digits, _ - and ., a letter or _ first"})
	}
}
