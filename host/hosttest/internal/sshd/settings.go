package sshd

import (
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// settings are what sshd_config(5) says about one user, by keyword in lower case. Of several lines the first counts, and a
// Match block counts more than the rest.
type settings struct{ global, matched map[string]string }

// defaults are the settings that are known here, in the order and with the values of sshd -T.
var defaults = []struct{ keyword, value string }{
	{"usepam", "no"},
	{"permitrootlogin", "without-password"},
	{"pubkeyauthentication", "yes"},
	{"passwordauthentication", "yes"},
	{"kbdinteractiveauthentication", "yes"},
	{"x11forwarding", "no"},
	{"printmotd", "yes"},
	{"strictmodes", "yes"},
	{"subsystem", "none"},
	{"authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2"},
}

func (s settings) get(keyword string) string {
	for _, from := range []map[string]string{s.matched, s.global} {
		if v, ok := from[keyword]; ok {
			return v
		}
	}
	for _, d := range defaults {
		if d.keyword == keyword {
			return d.value
		}
	}
	return ""
}

// settingsOf reads a configuration, and what it includes, for a user.
func settingsOf(k *kernel.Kernel, file, user string) settings {
	s := settings{map[string]string{}, map[string]string{}}
	s.read(k, file, user, "", 0)
	return s
}

// read reads a file. within is the criteria of the Match block that includes it; empty when none does.
func (s settings) read(k *kernel.Kernel, file, user, within string, depth int) {
	b, err := k.FS().ReadFile(file)
	if err != nil || depth > 16 {
		return
	}
	match := within
	for line := range strings.SplitSeq(string(b), "\n") {
		keyword, value, _ := strings.Cut(strings.Replace(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), "=", " ", 1), " ")
		keyword, value = strings.ToLower(keyword), strings.TrimSpace(strings.ReplaceAll(value, `"`, ""))
		if value == "" || keyword[0] == '#' {
			continue
		}
		switch {
		case keyword == "match":
			match = value
		case match != "" && !matches(k, match, user):
		case keyword == "include":
			names, _ := k.FS().ReadDir(path.Dir(value))
			slices.Sort(names)
			for _, n := range names {
				if libc.Fnmatch(path.Base(value), n) {
					s.read(k, path.Dir(value)+"/"+n, user, match, depth+1)
				}
			}
		default:
			to := s.global
			if match != "" {
				to = s.matched
			}
			if _, ok := to[keyword]; !ok {
				to[keyword] = canonical(keyword, value)
			}
		}
	}
}

// canonical is how sshd -T prints a value.
func canonical(keyword, value string) string {
	if keyword == "permitrootlogin" && value == "prohibit-password" {
		return "without-password"
	}
	return value
}

// matches evaluates the criteria of a Match line: all, or names of users and groups. What depends on the connection does
// not match, as in sshd -T, which is not told of one.
func matches(k *kernel.Kernel, criteria, user string) bool {
	f := strings.Fields(criteria)
	for i := 0; i < len(f); i += 2 {
		what := strings.ToLower(f[i])
		if what == "all" {
			continue
		}
		if i+1 == len(f) || what != "user" && what != "group" {
			return false
		}
		names := []string{user}
		if what == "group" {
			names = nil
			if u := libc.UserByName(k, user); u != nil {
				for _, gid := range append(libc.GroupsOf(k, user), u.GID) {
					names = append(names, libc.GroupName(k, gid))
				}
			}
		}
		if !slices.ContainsFunc(strings.Split(f[i+1], ","), func(pattern string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return libc.Fnmatch(pattern, n) })
		}) {
			return false
		}
	}
	return true
}
