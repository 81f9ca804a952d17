package systemd

import (
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
)

var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator", "/usr/local/lib/systemd/system", "/lib/systemd/system", lateGenerator}

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
	switch {
	case masked:
		u.load = "masked"
		return u
	case fragment == "":
		u.load = "not-found"
		if where, ok := s.mountedUnit(id); ok {
			u.load = "loaded"
			u.file.settings["Mount.Where"] = []string{where}
		}
		if strings.HasSuffix(id, ".device") || strings.HasSuffix(id, ".slice") || strings.HasSuffix(id, ".scope") {
			u.load = "loaded"
		}
	default:
		f, st, err := s.parsedFile(fragment)
		if err != nil {
			u.load = "error"
			return u
		}
		u.file, u.stamps = f, append(u.stamps, st)
		u.load = "loaded"
	}
	// Drop-ins of the unit, of its template, and of its type.
	seen := map[string]string{}
	dirs := []string{id + ".d"}
	for _, n := range u.names {
		dirs = append(dirs, n+".d")
	}
	if t, _ := TemplateOf(id); t != "" {
		dirs = append(dirs, t+".d")
	}
	dirs = append(dirs, strings.TrimPrefix(path.Ext(id), ".")+".d")
	fs := s.k.FS()
	for _, base := range unitDirs {
		for _, d := range dirs {
			names, err := fs.ReadDir(base + "/" + d)
			if err != nil {
				continue
			}
			for _, n := range names {
				if strings.HasSuffix(n, ".conf") && seen[n] == "" {
					seen[n] = base + "/" + d + "/" + n
				}
			}
		}
	}
	if u.load != "not-found" {
		for _, n := range slices.Sorted(maps.Keys(seen)) {
			b, st, err := s.read(seen[n])
			if err != nil {
				continue
			}
			if l, e := fs.Lstat(seen[n]); e == nil && l.IsSymlink() && l.Target == "/dev/null" {
				continue
			}
			u.file = u.file.merge(string(b), seen[n])
			u.dropIns = append(u.dropIns, seen[n])
			u.stamps = append(u.stamps, st)
		}
	}
	if u.load == "loaded" && strings.HasSuffix(id, ".service") {
		if u.file.bad != "" {
			u.load = u.file.bad
		} else if len(u.file.all("Service.ExecStart")) == 0 && u.file.get("Service.Type") != "oneshot" && fragment != "" && !s.isDone(u) {
			u.load = "bad-setting"
		} else if n := len(u.file.all("Service.ExecStart")); n > 1 && u.file.get("Service.Type") != "oneshot" {
			u.load = "bad-setting"
		}
	}
	return u
}

// isDone: a service without ExecStart= is allowed when it has ExecStop= and RemainAfterExit=yes, or a success action.
func (s *Manager) isDone(u *unit) bool {
	return u.file.get("Unit.SuccessAction") != "" || len(u.file.all("Service.ExecStop")) > 0 && IsYes(u.file.get("Service.RemainAfterExit")) || u.name == "systemd-reboot.service"
}

func IsYes(v string) bool { return v == "yes" || v == "true" || v == "1" || v == "on" }

// Unit gives a loaded unit, loading it when it is not in memory.
func (s *Manager) Unit(name string) *unit {
	if u := s.units[name]; u != nil {
		// What is not running is not kept: systemd reads it again.
		if u.load == "not-found" || u.active == "inactive" && u.load != "masked" && len(u.stamps) > 0 && s.stale(u) && u.proc == nil && s.gone(u) {
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
