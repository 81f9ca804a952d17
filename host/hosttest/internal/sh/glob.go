package sh

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// glob expands a pattern against the file system; nothing when no name matches.
func (sh *shell) glob(pat string) []string {
	parts := strings.Split(pat, "/")
	found := []string{""}
	if strings.HasPrefix(pat, "/") {
		found = []string{"/"}
		parts = parts[1:]
	}
	for i, part := range parts {
		var next []string
		for _, dir := range found {
			if part == "" {
				if i == len(parts)-1 {
					if st, err := sh.p.Stat(orDot(dir)); err == nil && st.IsDir() {
						next = append(next, dir)
					}
				} else {
					next = append(next, dir+"/")
				}
				continue
			}
			if !strings.ContainsAny(part, "*?[") {
				name := dir + unquotePattern(part)
				if i < len(parts)-1 {
					next = append(next, name+"/")
				} else if _, err := sh.p.Lstat(name); err == nil {
					next = append(next, name)
				}
				continue
			}
			names, err := sh.p.ReadDir(orDot(dir))
			if err != nil {
				continue
			}
			if strings.HasPrefix(part, ".") {
				names = append(names, ".", "..")
			}
			slices.Sort(names)
			for _, n := range names {
				if n[0] == '.' && !strings.HasPrefix(part, ".") {
					continue
				}
				if !libc.ShellMatch(part, n) {
					continue
				}
				if i < len(parts)-1 {
					if st, err := sh.p.Stat(dir + n); err == nil && st.IsDir() {
						next = append(next, dir+n+"/")
					}
					continue
				}
				next = append(next, dir+n)
			}
		}
		found = next
	}
	slices.Sort(found)
	return found
}

func orDot(s string) string {
	if s == "" {
		return "."
	}
	return s
}

func unquotePattern(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}
