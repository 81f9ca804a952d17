package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// checkPath reports the problem of an absolute path on a machine. Linux allows 255 bytes for a name
// and 4095 for a path (path_resolution(7)).
func checkPath(ps *lab.Problems, field, p string) {
	bad := func(format string, args ...any) {
		*ps = append(*ps, lab.Problem{Path: field, Text: p, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case p == "":
		ps.Add(field, "is empty")
	case strings.ContainsRune(p, 0):
		bad("contains a NUL byte")
	case !strings.HasPrefix(p, "/"):
		bad("is not absolute")
	case path.Clean(p) != p:
		*ps = append(*ps, lab.Problem{Path: field, Text: p, Message: "is not in its shortest form", Hint: "use " + path.Clean(p)})
	case p == "/":
		bad("is the root directory")
	case len(p) > 4000:
		bad("is longer than 4000 bytes")
	default:
		for _, name := range strings.Split(p, "/") {
			if len(name) > 255 {
				bad("contains a name of more than 255 bytes")
				return
			}
		}
	}
}

// tempFor returns the name under which new content of the file is stored, in the same directory,
// until it is moved into place. It depends on the file's name only, so that a file left behind by
// an interrupted run is overwritten.
func tempFor(file string) string {
	h := sha256.Sum256([]byte(file))
	return strings.TrimSuffix(path.Dir(file), "/") + "/.lab-" + hex.EncodeToString(h[:8]) + ".tmp"
}

// placed returns the script line that moves a file into place whose content has been verified. What
// reads the file may have to accept it first, see [validator].
func placed(temp, file string, mode Mode, owner, group string) string {
	return fmt.Sprintf("place %s %s %s %s %s", ssh.Quote(temp), ssh.Quote(file), mode, ssh.Quote(owner+":"+group),
		ssh.Quote(validator(file, "")))
}

// put returns the script line that moves a payload into place. validate is the command that must accept
// it, empty means none but that of what reads the file, see [validator].
func put(temp, file string, mode Mode, owner, group string, sum [32]byte, validate string) string {
	line := fmt.Sprintf("put %s %s %s %s %x", ssh.Quote(temp), ssh.Quote(file), mode, ssh.Quote(owner+":"+group), sum)
	if validate = validator(file, validate); validate != "" {
		line += " " + ssh.Quote(validate)
	}
	return line
}

// validator returns the command that must accept the new content of a file, $1, before it is moved into
// place (place in sh/apply.sh): the given one, in which %s stands for the content, and that of the program
// that reads the file, where a wrong file can lock everybody out. Empty means none.
func validator(file, given string) string {
	own := ""
	switch {
	case isSudoers(file):
		own = visudo
	case isSSHDConfig(file):
		own = "( " + shell("sshd-accepts", "file", file) + ")"
	}
	if own != "" && given != "" {
		own = "{ " + given + "\n} && " + own
	}
	return strings.ReplaceAll(cmp.Or(own, given), "%s", `"$1"`)
}

// aptTrial is the temporary directory of sh/apt-trial.sh. apt's own account reads it.
const aptTrial = "/var/lib/lab/.apt-trial"

// validatorTemps returns the temporary files of the validator of a file.
func validatorTemps(file string) []string {
	switch {
	case isSSHDConfig(file):
		return []string{"/run/.lab-sshd/"} // see sh/sshd-accepts.sh
	case strings.HasPrefix(file, "/etc/apt/"):
		return []string{aptTrial + "/"}
	}
	return nil
}

// checkValidate reports the problems of a validation command.
func checkValidate(ps *lab.Problems, validate string) {
	if validate != "" && !strings.Contains(validate, "%s") {
		*ps = append(*ps, lab.Problem{Path: "validate", Text: validate, Message: "does not contain %s for the file's name",
			Hint: "as in: visudo -cf %s"})
	}
	if strings.ContainsRune(validate, 0) {
		ps.Add("validate", "contains a NUL byte")
	}
}

// fileNamePattern are the names of the files that resources write into a directory of configuration.
var fileNamePattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

var accountPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// checkName reports the problem of the name of a user or group (useradd(8)).
func checkName(ps *lab.Problems, field, name string) {
	if len(name) > 32 || !accountPattern.MatchString(name) {
		*ps = append(*ps, lab.Problem{Path: field, Text: name,
			Message: "is not the name of an account: 1 to 32 letters, digits, _ - and ., a letter or _ first"})
	}
}
