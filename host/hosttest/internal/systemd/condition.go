package systemd

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

func (s *Manager) describe(u *unit) string {
	if d := u.file.get("Unit.Description"); d != "" {
		return u.name + " - " + s.specifiers(u, d)
	}
	return u.name
}

// unmet gives a condition or an assertion of a unit that is not met, as ConditionPathExists and its value, or "" when
// all are met.
func (s *Manager) unmet(u *unit) (setting, value string) {
	for k, vals := range u.file.settings {
		name := strings.TrimPrefix(k, "Unit.")
		if !strings.HasPrefix(name, "Condition") && !strings.HasPrefix(name, "Assert") {
			continue
		}
		kind := strings.TrimPrefix(strings.TrimPrefix(name, "Condition"), "Assert")
		for _, v := range vals {
			if !s.condition(kind, v) {
				return name, v
			}
		}
	}
	return "", ""
}

// skip ends the start of a unit that is not to run now: well for a condition, with an error for an assertion.
func (s *Manager) skip(u *unit, setting, value string, boot bool) error {
	assert := strings.HasPrefix(setting, "Assert")
	u.conditioned, u.met = s.k.Now(), assert
	if !boot && !s.referenced(u) {
		s.forget(u)
	}
	s.log(u, "systemd", 1, "%s was skipped because of an unmet condition check (%s=%s).",
		s.describe(u), setting, value)
	if assert {
		return fmt.Errorf("Assertion failed on job for %s.", u.name)
	}
	return nil
}

func (s *Manager) condition(kind, v string) bool {
	v = strings.TrimPrefix(v, "|")
	not := strings.HasPrefix(v, "!")
	v = strings.TrimPrefix(v, "!")
	fs := s.k.FS()
	st, err := fs.Stat(v)
	ok := true
	switch kind {
	case "PathExists":
		ok = err == nil
	case "PathIsDirectory":
		ok = err == nil && st.IsDir()
	case "PathIsMountPoint":
		ok = slices.ContainsFunc(s.k.Mounts(), func(m kernel.Mount) bool { return m.Target == path.Clean(v) })
	case "FileNotEmpty":
		ok = err == nil && st.IsRegular() && st.Size > 0
	case "FileIsExecutable":
		ok = err == nil && st.IsRegular() && st.Mode&0o111 != 0
	case "DirectoryNotEmpty":
		names, err := fs.ReadDir(v)
		ok = err == nil && len(names) > 0
	case "PathExistsGlob":
		names, _ := fs.ReadDir(path.Dir(v))
		ok = slices.ContainsFunc(names, func(n string) bool { return libc.Fnmatch(path.Base(v), n) })
	case "Virtualization":
		ok = false
		if v == "no" {
			ok = true
		}
	case "Architecture":
		ok = v == s.k.Config.Arch || v == map[string]string{"amd64": "x86-64"}[s.k.Config.Arch]
	case "Host":
		ok = v == s.k.Hostname()
	}
	return ok != not
}

// specifiers expands %i, %n and the like.
func (s *Manager) specifiers(u *unit, v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	tmpl, inst := TemplateOf(u.name)
	prefix := strings.TrimSuffix(u.name, path.Ext(u.name))
	if tmpl != "" {
		prefix, _, _ = strings.Cut(u.name, "@")
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '%' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		i++
		switch v[i] {
		case 'i':
			b.WriteString(inst)
		case 'I':
			b.WriteString(strings.TrimPrefix(unescapeUnitPath(inst), "/"))
		case 'n':
			b.WriteString(u.name)
		case 'N':
			b.WriteString(strings.TrimSuffix(u.name, path.Ext(u.name)))
		case 'p', 'P':
			b.WriteString(prefix)
		case 'f':
			b.WriteString(unescapeUnitPath(cmp.Or(inst, prefix)))
		case 't':
			b.WriteString("/run")
		case 'S':
			b.WriteString("/var/lib")
		case 'C':
			b.WriteString("/var/cache")
		case 'L':
			b.WriteString("/var/log")
		case 'E':
			b.WriteString("/etc")
		case 'h':
			b.WriteString("/root")
		case 'u':
			b.WriteString("root")
		case 'U':
			b.WriteString("0")
		case 'H':
			b.WriteString(s.k.Hostname())
		case 'm':
			id, _ := s.k.FS().ReadFile("/etc/machine-id")
			b.WriteString(strings.TrimSpace(string(id)))
		case 'b':
			b.WriteString(strings.ReplaceAll(s.k.BootID(), "-", ""))
		case '%':
			b.WriteByte('%')
		default:
			b.WriteString(v[i-1 : i+1])
		}
	}
	return b.String()
}
