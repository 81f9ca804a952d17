package accounts

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// A sudoRule is what /etc/sudoers lets somebody do.
type sudoRule struct {
	who      string // user, %group, #uid or ALL
	noPasswd bool
	commands []string
	runas    string
}

// sudoRules reads /etc/sudoers and what it includes. What is wrong is told to warn, and left out, as sudo does.
func sudoRules(k *kernel.Kernel, warn func(string)) []sudoRule {
	return readSudoers(k, "/etc/sudoers", "", 0, warn)
}

// readSudoers reads a file and what it includes; text, when not empty, stands for the file.
func readSudoers(k *kernel.Kernel, file, text string, depth int, warn func(string)) []sudoRule {
	if text == "" {
		b, err := k.FS().ReadFile(file)
		if err != nil {
			warn(fmt.Sprintf("sudo: unable to open %s: %s\n", file, kernel.Strerror(err)))
			return nil
		}
		text = string(b)
	}
	rules, included, bad := parseSudoers(text)
	for _, e := range bad {
		warn(e.text(file))
	}
	for _, inc := range included {
		if depth > 8 {
			break
		}
		dir, ok := strings.CutPrefix(inc, "dir ")
		if !ok {
			rules = append(rules, readSudoers(k, inc, "", depth+1, warn)...)
			continue
		}
		names, err := k.FS().ReadDir(dir)
		if err != nil {
			continue
		}
		slices.Sort(names)
		for _, n := range names {
			if includes(k, dir, n, warn) {
				rules = append(rules, readSudoers(k, dir+"/"+n, "", depth+1, warn)...)
			}
		}
	}
	return rules
}

// includes tells whether sudo reads a file of an included directory. A name with a dot or with a tilde at the end is
// skipped; what somebody else than root could have written is told to warn.
func includes(k *kernel.Kernel, dir, name string, warn func(string)) bool {
	if strings.Contains(name, ".") || strings.HasSuffix(name, "~") {
		return false
	}
	st, err := k.FS().Stat(dir + "/" + name)
	switch {
	case err != nil || !st.IsRegular() || st.Size == 0:
		return false
	case st.UID != 0:
		warn(fmt.Sprintf("sudo: %s/%s is owned by uid %d, should be 0\n", dir, name, st.UID))
		return false
	case st.Mode&0o022 != 0:
		warn(fmt.Sprintf("sudo: %s/%s is world writable\n", dir, name))
		return false
	}
	return true
}

// sudoAllows finds the last rule that is about the user and the command.
func sudoAllows(k *kernel.Kernel, u *libc.User, command string, args []string,
	warn func(string)) (allowed, noPasswd, named bool) {
	rules := sudoRules(k, warn)
	groups := map[string]bool{}
	for _, gid := range append(libc.GroupsOf(k, u.Name), u.GID) {
		groups[libc.GroupName(k, gid)] = true
	}
	for _, r := range rules {
		for who := range strings.SplitSeq(r.who, ",") {
			g, isGroup := strings.CutPrefix(who, "%")
			if who != "ALL" && who != u.Name && !(isGroup && groups[g]) && who != fmt.Sprintf("#%d", u.UID) {
				continue
			}
			named = true
			for _, c := range r.commands {
				pattern, not := strings.CutPrefix(c, "!")
				if commandMatches(pattern, command, args) {
					allowed, noPasswd = !not, r.noPasswd
				}
			}
		}
	}
	return allowed, noPasswd, named
}

// commandMatches tells whether a command of a rule is about a command line: a program or a directory, with arguments
// when the rule names some, where "" is none.
func commandMatches(pattern, command string, args []string) bool {
	if pattern == "ALL" {
		return true
	}
	program, pargs, hasArgs := strings.Cut(pattern, " ")
	if strings.HasSuffix(program, "/") && path.Dir(command)+"/" == program {
		return true
	}
	return libc.Fnmatch(program, command) &&
		(!hasArgs || libc.Fnmatch(pargs, strings.Join(args, " ")) || pargs == `""` && len(args) == 0)
}
