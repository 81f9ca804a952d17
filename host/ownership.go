package host

import (
	"cmp"
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// ownership returns the op that sets the mode and owner of a path, nothing if it has them.
func ownership(path string, st Stat, mode Mode, owner, group string) []Op {
	var causes, lines []string
	if !accountMatches(owner, st.User, st.UID) || !accountMatches(group, st.Group, st.GID) {
		causes = append(causes, fmt.Sprintf("owner is %s:%s, not %s:%s", st.User, st.Group, owner, group))
		lines = append(lines, fmt.Sprintf("chown -h -- %s %s", ssh.Quote(owner+":"+group), ssh.Quote(path)))
	}
	if st.Mode != mode || len(lines) > 0 && mode&0o6000 != 0 { // chown clears setuid and setgid
		if st.Mode != mode {
			causes = append(causes, fmt.Sprintf("mode is %s, not %s", st.Mode, mode))
		}
		lines = append(lines, fmt.Sprintf("chmod -- %s %s", mode.exact(), ssh.Quote(path)))
	}
	if len(lines) == 0 {
		return nil
	}
	return []Op{{Action: lab.Update, Cause: strings.Join(causes, ", "), Script: strings.Join(lines, "\n")}}
}

// attributes returns the line of a diff that says what mode and owner a path gets that is created, or
// how they change along with its content; empty if they stay.
func attributes(st Stat, mode Mode, owner, group string) string {
	if st.Type == NoFile {
		return fmt.Sprintf("mode %s, owner %s:%s\n", mode, owner, group)
	}
	var parts []string
	if st.Mode != mode {
		parts = append(parts, fmt.Sprintf("mode %s becomes %s", st.Mode, mode))
	}
	if !accountMatches(owner, st.User, st.UID) || !accountMatches(group, st.Group, st.GID) {
		parts = append(parts, fmt.Sprintf("owner %s:%s becomes %s:%s", st.User, st.Group, owner, group))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "\n"
}

// checkOwner reports the problem of the owner or group of a file: a name, from any account
// database, a number, or empty.
func checkOwner(ps *lab.Problems, field, name string) {
	digits := name != "" && strings.Trim(name, "0123456789") == ""
	switch {
	case digits && (len(name) > 10 || len(name) > 1 && name[0] == '0'):
		*ps = append(*ps, lab.Problem{Path: field, Text: name, Message: "is not the number of an account",
			Hint: "write it without leading zeros"})
	case strings.ContainsAny(name, ":/ \t\r\n\x00"), strings.HasPrefix(name, "-"), strings.HasPrefix(name, "+"):
		*ps = append(*ps, lab.Problem{Path: field, Text: name, Message: "is neither the name nor the number of an account"})
	}
}

// orRoot returns the account name, or root if it is empty.
func orRoot(name string) string { return cmp.Or(name, "root") }

// accountMatches reports whether the wanted name or number is that of a file's account.
func accountMatches(want, name string, id int) bool {
	return want == name || want == fmt.Sprint(id)
}

// accountNeeds returns the tokens of an owner and a group.
func accountNeeds(owner, group string) (tokens []string) {
	if owner != "" {
		tokens = append(tokens, "user:"+owner)
	}
	if group != "" {
		tokens = append(tokens, "group:"+group)
	}
	return tokens
}
