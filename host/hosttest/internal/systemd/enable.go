package systemd

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
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
		if len(f.Words("Install.WantedBy"))+len(f.Words("Install.RequiredBy"))+len(f.Words("Install.Alias")) > 0 || true {
			return "linked"
		}
	}
	if len(f.Words("Install.WantedBy"))+len(f.Words("Install.RequiredBy"))+len(f.Words("Install.Alias"))+len(f.Words("Install.UpheldBy")) > 0 {
		return "disabled"
	}
	if len(f.Words("Install.Also")) > 0 {
		return "indirect"
	}
	return "static"
}

func (c *systemctl) enable(verb string, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	root := "/etc/systemd/system"
	if c.o.Has("runtime") {
		root = "/run/systemd/system"
	}
	var units []string
	for _, a := range args {
		if strings.HasPrefix(a, "/") && verb != "disable" {
			b := path.Base(a)
			if _, err := p.Stat(a); err != nil {
				p.Warnf("Failed to enable unit: File %s: No such file or directory\n", a)
				return 1
			}
			if _, err := p.Lstat(root + "/" + b); err != nil {
				if err := p.Symlink(a, root+"/"+b); err == nil {
					p.Warnf("Created symlink %s %s %s.\n", root+"/"+b, arrow(p), a)
				}
			}
			a = b
		}
		units = append(units, unitNameOf(a))
	}
	for _, n := range units {
		fragment, _, masked := s.find(n)
		if masked {
			if verb == "enable" || verb == "reenable" {
				p.Warnf("Failed to %s unit: Unit file %s is masked.\n", verb, fragment)
				return 1
			}
		}
		if fragment == "" {
			p.Warnf("Failed to %s unit: Unit file %s does not exist.\n", verb, n)
			return 1
		}
		if strings.HasPrefix(fragment, "/run/systemd/generator/") && verb != "disable" {
			p.Warnf("Failed to %s unit: Unit %s is transient or generated.\n", verb, fragment)
			return 1
		}
	}
	changed := false
	for i := 0; i < len(units); i++ {
		n := units[i]
		fragment, id, _ := s.find(n)
		if strings.HasPrefix(fragment, lateGenerator+"/") {
			c.sysvInstall(verb, strings.TrimSuffix(n, ".service"))
			changed = true
			continue
		}
		f, _, err := s.parsedFile(fragment)
		if err != nil {
			continue
		}
		for _, also := range f.Words("Install.Also") {
			if !slices.Contains(units, also) {
				units = append(units, also)
			}
		}
		if verb == "disable" || verb == "reenable" {
			changed = c.removeLinks(root, n) || changed
			if id != n {
				changed = c.removeLinks(root, id) || changed
			}
		}
		if verb == "disable" {
			continue
		}
		if id != n {
			n = id
		}
		inst := n
		if tmpl, in := TemplateOf(n); tmpl != "" && in == "" {
			if d := f.get("Install.DefaultInstance"); d != "" {
				inst = strings.Replace(n, "@.", "@"+d+".", 1)
			}
		}
		u := &unit{name: inst}
		var links [][2]string
		for _, a := range f.Words("Install.Alias") {
			links = append(links, [2]string{root + "/" + s.specifiers(u, a), fragment})
		}
		for key, dir := range map[string]string{"WantedBy": ".wants", "RequiredBy": ".requires", "UpheldBy": ".upholds"} {
			for _, w := range f.Words("Install." + key) {
				links = append(links, [2]string{root + "/" + s.specifiers(u, w) + dir + "/" + inst, fragment})
			}
		}
		slices.SortStableFunc(links, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
		if len(links) == 0 && len(f.Words("Install.Also")) == 0 && !c.o.Has("q") {
			p.Warnf("The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\nAlias= settings in the [Install] section, and DefaultInstance= for template\nunits). This means they are not meant to be enabled using systemctl.\n \nPossible reasons for having this kind of units are:\n• A unit may be statically enabled by being symlinked from another unit's\n  .wants/ or .requires/ directory.\n• A unit's purpose may be to act as a helper for some other unit which has\n  a requirement dependency on it.\n• A unit may be started when needed via activation (socket, path, timer,\n  D-Bus, udev, scripted systemctl call, ...).\n• In case of template units, the unit is meant to be enabled with some\n  instance name specified.\n")
		}
		for _, l := range links {
			if st, err := p.Lstat(l[0]); err == nil {
				if st.IsSymlink() && (path.Base(st.Target) == path.Base(l[1])) {
					continue
				}
				if !c.o.Has("f") {
					p.Warnf("Failed to %s unit: File %s already exists and is a symlink to %s.\n", verb, l[0], st.Target)
					return 1
				}
				p.Unlink(l[0])
			}
			if err := libc.MkdirOne(p, path.Dir(l[0]), true, nil, false); err != nil {
				libc.SayError(p, err)
				return 1
			}
			if err := p.Symlink(l[1], l[0]); err != nil {
				p.Warnf("Failed to %s unit: %s\n", verb, kernel.Strerror(err))
				return 1
			}
			changed = true
			if !c.o.Has("q") {
				p.Warnf("Created symlink %s %s %s.\n", l[0], arrow(p), l[1])
			}
		}
	}
	if changed && !c.o.Has("no-reload") {
		s.daemonReload()
	}
	if c.o.Has("now") {
		jobVerb := "start"
		if verb == "disable" {
			jobVerb = "stop"
		}
		var starts []string
		for _, n := range units {
			if tmpl, in := TemplateOf(n); tmpl == "" || in != "" {
				starts = append(starts, n)
			}
		}
		s.mu.Unlock()
		code := c.job(jobVerb, starts)
		s.mu.Lock()
		return code
	}
	return 0
}

// removeLinks takes away the links that enable a unit, and says so.
func (c *systemctl) removeLinks(root, name string) bool {
	p := c.p
	changed := false
	names, _ := p.ReadDir(root)
	slices.Sort(names)
	tmpl, inst := TemplateOf(name)
	same := func(n string) bool {
		if n == name {
			return true
		}
		t, _ := TemplateOf(n)
		return tmpl != "" && inst == "" && t == name
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".wants") || strings.HasSuffix(n, ".requires") || strings.HasSuffix(n, ".upholds") {
			entries, _ := p.ReadDir(root + "/" + n)
			for _, e := range entries {
				if same(e) {
					if p.Unlink(root+"/"+n+"/"+e) == nil {
						changed = true
						if !c.o.Has("q") {
							p.Warnf("Removed \"%s\".\n", root+"/"+n+"/"+e)
						}
					}
				}
			}
			if len(entries) > 0 {
				p.Rmdir(root + "/" + n) // only when it is empty now
			}
			continue
		}
		st, err := p.Lstat(root + "/" + n)
		if err == nil && st.IsSymlink() && (path.Base(st.Target) == name || n == name && st.Target != "/dev/null") {
			if p.Unlink(root+"/"+n) == nil {
				changed = true
				if !c.o.Has("q") {
					p.Warnf("Removed \"%s\".\n", root+"/"+n)
				}
			}
		}
	}
	return changed
}

func (c *systemctl) mask(on bool, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	root := "/etc/systemd/system"
	if c.o.Has("runtime") {
		root = "/run/systemd/system"
	}
	changed := false
	for _, a := range args {
		n := unitNameOf(a)
		file := root + "/" + n
		st, err := p.Lstat(file)
		if on {
			if f, _, _ := s.find(n); f == "" {
				p.Warnf("Unit %s does not exist, proceeding anyway.\n", n)
			}
			if err == nil {
				if st.IsSymlink() && st.Target == "/dev/null" {
					continue
				}
				if !st.IsSymlink() {
					p.Warnf("Failed to mask unit: File %s already exists.\n", file)
					return 1
				}
				p.Unlink(file)
			}
			if err := p.Symlink("/dev/null", file); err != nil {
				p.Warnf("Failed to mask unit: %s\n", kernel.Strerror(err))
				return 1
			}
			changed = true
			if !c.o.Has("q") {
				p.Warnf("Created symlink %s %s /dev/null.\n", file, arrow(p))
			}
			continue
		}
		if err == nil && st.IsSymlink() && st.Target == "/dev/null" {
			p.Unlink(file)
			changed = true
			if !c.o.Has("q") {
				p.Warnf("Removed \"%s\".\n", file)
			}
		}
	}
	if changed {
		s.daemonReload()
		for _, a := range args {
			if u := s.units[unitNameOf(a)]; u != nil {
				s.loadUnit(u.name)
			}
		}
	}
	if on && c.o.Has("now") {
		s.mu.Unlock()
		code := c.job("stop", args)
		s.mu.Lock()
		return code
	}
	return 0
}
