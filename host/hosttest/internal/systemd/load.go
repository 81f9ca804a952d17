package systemd

import (
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/lib/systemd/system", lateGenerator}

func (s *Manager) read(file string) ([]byte, fileStamp, error) {
	t := s.k.Tree
	t.Lock()
	defer t.Unlock()
	sp, err := t.Must(kernel.RootCred, "/", file, true)
	if err != nil {
		return nil, fileStamp{}, err
	}
	i := sp.At.Inode()
	if i.IsDir() {
		return nil, fileStamp{}, syscall.EISDIR
	}
	return slices.Clip(i.Data), fileStamp{file, i.Num, i.Changes, i.MTime}, nil
}

// parsedFile gives a parsed unit file; those of the images are parsed once for all machines.
func (s *Manager) parsedFile(file string) (*UnitFile, fileStamp, error) {
	t := s.k.Tree
	t.Lock()
	sp, err := t.Must(kernel.RootCred, "/", file, true)
	if err != nil {
		t.Unlock()
		return nil, fileStamp{}, err
	}
	i := sp.At.Inode()
	raw, own := i.Data, i.Owned
	stamp := fileStamp{file, i.Num, i.Changes, i.MTime}
	var text string
	if own {
		text = string(raw)
	}
	t.Unlock()
	if own {
		return ParseUnit(text, file), stamp, nil
	}
	return parseShared(raw, file), stamp, nil
}

func TemplateOf(name string) (template, instance string) {
	at := strings.IndexByte(name, '@')
	dot := strings.LastIndexByte(name, '.')
	if at < 0 || dot < at {
		return "", ""
	}
	return name[:at+1] + name[dot:], name[at+1 : dot]
}

// find gives the fragment of a unit name and, through links, the unit's own name.
func (s *Manager) find(name string) (fragment, id string, masked bool) {
	fs := s.k.FS()
	for _, n := range []string{name, first(TemplateOf(name))} {
		if n == "" {
			continue
		}
		for _, dir := range unitDirs {
			file := dir + "/" + n
			st, err := fs.Lstat(file)
			if err != nil {
				continue
			}
			if st.IsSymlink() {
				if st.Target == "/dev/null" {
					return file, name, true
				}
				to := path.Base(st.Target)
				if to != n && to != "" {
					if _, inst := TemplateOf(name); inst != "" {
						if tmpl, ti := TemplateOf(to); tmpl != "" && ti == "" {
							to = strings.Replace(tmpl, "@.", "@"+inst+".", 1)
						}
					}
					if to != name {
						if f, id, masked := s.find(to); f != "" {
							return f, id, masked
						}
					}
				}
				r, err := fs.Stat(file)
				if err != nil {
					continue
				}
				if r.IsRegular() {
					if strings.HasPrefix(r.Path, "/usr/lib/systemd/system/") {
						return r.Path[len("/usr"):], name, false
					}
					return r.Path, name, false
				}
				continue
			}
			if st.IsRegular() {
				if st.Size == 0 {
					return file, name, true
				}
				return file, name, false
			}
		}
	}
	return "", name, false
}

func first(a, _ string) string { return a }

// loadUnit reads a unit anew, keeping its state.
func (s *Manager) loadUnit(name string) *unit {
	fragment, id, masked := s.find(name)
	u := s.units[id]
	if u == nil {
		u = &unit{name: id, active: "inactive", sub: "dead", result: "success"}
		s.units[id] = u
	}
	if name != id {
		s.units[name] = u
		if !slices.Contains(u.names, name) {
			u.names = append(u.names, name)
		}
	}
	u.fragment, u.dropIns, u.stamps = fragment, nil, nil
	u.file = &UnitFile{settings: map[string][]string{}}
	if masked {
		u.load = "masked"
		return u
	}
	u.load = s.loadFragment(u)
	switch u.load {
	case "error", "not-found":
		return u
	}
	for _, f := range s.findDropIns(u) {
		s.loadDropIn(u, f)
	}
	if u.load == "loaded" && strings.HasSuffix(id, ".service") {
		u.load = s.loadedService(u)
	}
	return u
}

// loadFragment reads the unit file, and gives the load state. What is mounted, a device, a slice and a scope are there
// without a file.
func (s *Manager) loadFragment(u *unit) string {
	if u.fragment == "" {
		if where, ok := s.mountedUnit(u.name); ok {
			u.file.settings["Mount.Where"] = []string{where}
			return "loaded"
		}
		switch path.Ext(u.name) {
		case ".device", ".slice", ".scope":
			return "loaded"
		}
		return "not-found"
	}
	f, st, err := s.parsedFile(u.fragment)
	if err != nil {
		return "error"
	}
	u.file, u.stamps = f, append(u.stamps, st)
	return "loaded"
}

// findDropIns gives the drop-ins of the unit, of its template and of its type, in the order of their own names. Of
// those of one name, the first that is found counts.
func (s *Manager) findDropIns(u *unit) []string {
	dirs := []string{u.name + ".d"}
	for _, n := range u.names {
		dirs = append(dirs, n+".d")
	}
	if t, _ := TemplateOf(u.name); t != "" {
		dirs = append(dirs, t+".d")
	}
	dirs = append(dirs, strings.TrimPrefix(path.Ext(u.name), ".")+".d")
	found := map[string]string{}
	for _, base := range unitDirs {
		for _, d := range dirs {
			names, _ := s.k.FS().ReadDir(base + "/" + d)
			for _, n := range names {
				if strings.HasSuffix(n, ".conf") && found[n] == "" {
					found[n] = base + "/" + d + "/" + n
				}
			}
		}
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[n])
	}
	return out
}

// loadDropIn adds the settings of a drop-in. One that is masked counts as not there.
func (s *Manager) loadDropIn(u *unit, file string) {
	b, st, err := s.read(file)
	if err != nil {
		return
	}
	if l, e := s.k.FS().Lstat(file); e == nil && l.IsSymlink() && l.Target == "/dev/null" {
		return
	}
	u.file = u.file.merge(string(b), file)
	u.dropIns = append(u.dropIns, file)
	u.stamps = append(u.stamps, st)
}

// loadedService gives the load state of a service whose files were read.
func (s *Manager) loadedService(u *unit) string {
	n, oneshot := len(u.file.all("Service.ExecStart")), u.file.get("Service.Type") == "oneshot"
	switch {
	case u.file.bad != "":
		return u.file.bad
	case oneshot:
		return "loaded"
	case n > 1, n == 0 && u.fragment != "" && !s.isDone(u):
		return "bad-setting"
	}
	return "loaded"
}

// isDone: a service without ExecStart= is allowed when it has ExecStop= and RemainAfterExit=yes, or a success action.
func (s *Manager) isDone(u *unit) bool {
	return u.file.get("Unit.SuccessAction") != "" ||
		len(u.file.all("Service.ExecStop")) > 0 && IsYes(u.file.get("Service.RemainAfterExit")) ||
		u.name == "systemd-reboot.service"
}

func IsYes(v string) bool { return v == "yes" || v == "true" || v == "1" || v == "on" }

// Unit gives a loaded unit, loading it when it is not in memory.
func (s *Manager) Unit(name string) *unit {
	if u := s.units[name]; u != nil {
		// What is not running is not kept: systemd reads it again.
		if u.load == "not-found" || u.active == "inactive" && u.load != "masked" && len(u.stamps) > 0 && s.stale(u) &&
			u.proc == nil && s.gone(u) {
			return s.loadUnit(name)
		}
		return u
	}
	return s.loadUnit(name)
}

// gone tells that a unit's file was removed, so that an inactive unit is forgotten.
func (s *Manager) gone(u *unit) bool {
	f, _, _ := s.find(u.name)
	return f != u.fragment
}

// stale is NeedDaemonReload: a file of the unit, or the set of its drop-ins, has changed since it was loaded.
func (s *Manager) stale(u *unit) bool {
	for _, st := range u.stamps {
		if _, now, err := s.read(st.path); err != nil || now != st {
			return true
		}
	}
	fresh := &Manager{k: s.k, units: map[string]*unit{}}
	f := fresh.loadUnit(u.name)
	return f.fragment != u.fragment || !slices.Equal(f.dropIns, u.dropIns) || (f.load == "masked") != (u.load == "masked")
}
