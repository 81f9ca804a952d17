package systemd

import (
	"path"
	"slices"
	"strings"
)

// enabledState is UnitFileState; "" when there is no such unit file.
func (s *Manager) enabledState(name string) string {
	fragment, id, masked := s.find(name)
	fs := s.k.FS()
	if masked {
		if strings.HasPrefix(fragment, "/run/") {
			return "masked-runtime"
		}
		return "masked"
	}
	if fragment == "" {
		return ""
	}
	if strings.HasPrefix(fragment, "/run/systemd/generator") {
		return "generated"
	}
	if id != name {
		if tmpl, _ := TemplateOf(name); tmpl == "" || tmpl != id {
			return "alias"
		}
	}
	f, _, err := s.parsedFile(fragment)
	if err != nil {
		return "bad"
	}
	known := false // under another name, which its [Install] section does not have
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system"} {
		names, _ := fs.ReadDir(dir)
		for _, n := range names {
			isDir := strings.HasSuffix(n, ".wants") || strings.HasSuffix(n, ".requires") || strings.HasSuffix(n, ".upholds")
			if isDir {
				if st, err := fs.Lstat(dir + "/" + n + "/" + name); err == nil && st.IsSymlink() {
					if dir[1] == 'r' {
						return "enabled-runtime"
					}
					return "enabled"
				}
				if tmpl, inst := TemplateOf(name); tmpl == name && inst == "" {
					entries, _ := fs.ReadDir(dir + "/" + n)
					for _, e := range entries {
						if t, _ := TemplateOf(e); t == name {
							return "indirect"
						}
					}
				}
				continue
			}
			if n == name {
				continue
			}
			st, err := fs.Lstat(dir + "/" + n)
			if err == nil && st.IsSymlink() && path.Base(st.Target) == name {
				if slices.Contains(f.Words("Install.Alias"), n) {
					return "enabled"
				}
				known = true
			}
		}
	}
	if known {
		return "indirect"
	}
	if st, err := fs.Lstat("/etc/systemd/system/" + name); err == nil && st.IsSymlink() {
		return "linked"
	}
	if len(f.Words("Install.WantedBy"))+len(f.Words("Install.RequiredBy"))+len(f.Words("Install.Alias"))+
		len(f.Words("Install.UpheldBy")) > 0 {
		return "disabled"
	}
	if len(f.Words("Install.Also")) > 0 {
		return "indirect"
	}
	return "static"
}
