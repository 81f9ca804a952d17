package systemd

import (
	"path"
	"slices"
	"strings"
)

// enabledState is UnitFileState; "" when there is no such unit file.
func (s *Manager) enabledState(name string) string {
	fragment, id, masked := s.find(name)
	switch {
	case masked && strings.HasPrefix(fragment, "/run/"):
		return "masked-runtime"
	case masked:
		return "masked"
	case fragment == "":
		return ""
	case strings.HasPrefix(fragment, "/run/systemd/generator"):
		return "generated"
	}
	if tmpl, _ := TemplateOf(name); id != name && (tmpl == "" || tmpl != id) {
		return "alias"
	}
	f, _, err := s.parsedFile(fragment)
	if err != nil {
		return "bad"
	}
	if state := s.linkState(name, f); state != "" {
		return state
	}
	if st, err := s.k.FS().Lstat("/etc/systemd/system/" + name); err == nil && st.IsSymlink() {
		return "linked"
	}
	for _, key := range []string{"WantedBy", "RequiredBy", "Alias", "UpheldBy"} {
		if len(f.Words("Install."+key)) > 0 {
			return "disabled"
		}
	}
	if len(f.Words("Install.Also")) > 0 {
		return "indirect"
	}
	return "static"
}

// linkState is the state that the links of administrators give a unit file; "" when there are none.
func (s *Manager) linkState(name string, f *UnitFile) string {
	fs := s.k.FS()
	state := ""
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system"} {
		names, _ := fs.ReadDir(dir)
		for _, n := range names {
			if isDependencyDir(n) {
				if state := s.wantedState(dir+"/"+n, name); state != "" {
					return state
				}
				continue
			}
			st, err := fs.Lstat(dir + "/" + n)
			if n == name || err != nil || !st.IsSymlink() || path.Base(st.Target) != name {
				continue
			}
			if slices.Contains(f.Words("Install.Alias"), n) {
				return "enabled"
			}
			state = "indirect" // known under another name, which its [Install] section does not have
		}
	}
	return state
}

// wantedState is the state that a directory of dependencies gives a unit file.
func (s *Manager) wantedState(dir, name string) string {
	fs := s.k.FS()
	if st, err := fs.Lstat(dir + "/" + name); err == nil && st.IsSymlink() {
		if strings.HasPrefix(dir, "/run/") {
			return "enabled-runtime"
		}
		return "enabled"
	}
	if tmpl, inst := TemplateOf(name); tmpl == name && inst == "" {
		entries, _ := fs.ReadDir(dir)
		for _, e := range entries {
			if t, _ := TemplateOf(e); t == name {
				return "indirect"
			}
		}
	}
	return ""
}

// isDependencyDir tells the directories whose links make others depend on a unit.
func isDependencyDir(name string) bool {
	return strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires") || strings.HasSuffix(name, ".upholds")
}
