package systemd

import (
	"path"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// An enabling is one enable, disable or reenable.
type enabling struct {
	c       *systemctl
	p       *kernel.Process
	s       *Manager
	verb    string
	root    string   // where the links are
	units   []string // those that are named, and those that their Also= adds
	changed bool
}

func (c *systemctl) enable(verb string, args []string) int {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &enabling{c: c, p: c.p, s: s, verb: verb, root: c.linkRoot()}
	for _, a := range args {
		if code := e.name(a); code != 0 {
			return code
		}
	}
	for _, n := range e.units {
		if code := e.check(n); code != 0 {
			return code
		}
	}
	for i := 0; i < len(e.units); i++ { // grows by Also=
		if code := e.unit(e.units[i]); code != 0 {
			return code
		}
	}
	if e.changed && !c.o.Has("no-reload") {
		s.daemonReload()
	}
	if c.o.Has("now") {
		return e.now()
	}
	return 0
}

// linkRoot is where the links of administrators are.
func (c *systemctl) linkRoot() string {
	if c.o.Has("runtime") {
		return "/run/systemd/system"
	}
	return "/etc/systemd/system"
}

// name takes an argument: the name of a unit, or the path of a unit file, which is linked first.
func (e *enabling) name(arg string) int {
	p := e.p
	if !strings.HasPrefix(arg, "/") || e.verb == "disable" {
		e.units = append(e.units, unitNameOf(arg))
		return 0
	}
	if _, err := p.Stat(arg); err != nil {
		p.Warnf("Failed to enable unit: File %s: No such file or directory\n", arg)
		return 1
	}
	link := e.root + "/" + path.Base(arg)
	if _, err := p.Lstat(link); err != nil {
		if err := p.Symlink(arg, link); err == nil {
			p.Warnf("Created symlink %s %s %s.\n", link, arrow(p), arg)
		}
	}
	e.units = append(e.units, unitNameOf(path.Base(arg)))
	return 0
}

// check refuses a unit that cannot be enabled or disabled.
func (e *enabling) check(name string) int {
	p, verb := e.p, e.verb
	fragment, _, masked := e.s.find(name)
	switch {
	case masked && verb != "disable":
		p.Warnf("Failed to %s unit: Unit file %s is masked.\n", verb, fragment)
	case fragment == "":
		p.Warnf("Failed to %s unit: Unit file %s does not exist.\n", verb, name)
	case strings.HasPrefix(fragment, "/run/systemd/generator/") && verb != "disable":
		p.Warnf("Failed to %s unit: Unit %s is transient or generated.\n", verb, fragment)
	default:
		return 0
	}
	return 1
}

// unit enables or disables one unit.
func (e *enabling) unit(name string) int {
	fragment, id, _ := e.s.find(name)
	if strings.HasPrefix(fragment, lateGenerator+"/") {
		e.c.sysvInstall(e.verb, strings.TrimSuffix(name, ".service"))
		e.changed = true
		return 0
	}
	f, _, err := e.s.parsedFile(fragment)
	if err != nil {
		return 0
	}
	for _, also := range f.Words("Install.Also") {
		if !slices.Contains(e.units, also) {
			e.units = append(e.units, also)
		}
	}
	if e.verb == "disable" || e.verb == "reenable" {
		e.changed = e.c.removeLinks(e.root, name) || e.changed
		if id != name {
			e.changed = e.c.removeLinks(e.root, id) || e.changed
		}
	}
	if e.verb == "disable" {
		return 0
	}
	links := e.links(f, id)
	if len(links) == 0 && len(f.Words("Install.Also")) == 0 && !e.c.o.Has("q") {
		e.p.Warnf(noInstallConfig)
	}
	for _, l := range links {
		if code := e.link(l, fragment); code != 0 {
			return code
		}
	}
	return 0
}

// links gives the links that the section Install asks for, in the order of their names.
func (e *enabling) links(f *UnitFile, id string) []string {
	instance := id
	if tmpl, in := TemplateOf(id); tmpl != "" && in == "" {
		if d := f.get("Install.DefaultInstance"); d != "" {
			instance = strings.Replace(id, "@.", "@"+d+".", 1)
		}
	}
	u := &unit{name: instance}
	var links []string
	for _, a := range f.Words("Install.Alias") {
		links = append(links, e.root+"/"+e.s.specifiers(u, a))
	}
	for _, by := range [][2]string{{"WantedBy", ".wants"}, {"RequiredBy", ".requires"}, {"UpheldBy", ".upholds"}} {
		for _, w := range f.Words("Install." + by[0]) {
			links = append(links, e.root+"/"+e.s.specifiers(u, w)+by[1]+"/"+instance)
		}
	}
	slices.Sort(links)
	return links
}

// link makes one link to a unit file, unless it is there.
func (e *enabling) link(file, target string) int {
	p := e.p
	if st, err := p.Lstat(file); err == nil {
		if st.IsSymlink() && path.Base(st.Target) == path.Base(target) {
			return 0
		}
		if !e.c.o.Has("f") {
			p.Warnf("Failed to %s unit: File %s already exists and is a symlink to %s.\n", e.verb, file, st.Target)
			return 1
		}
		p.Unlink(file)
	}
	if err := libc.MkdirOne(p, path.Dir(file), true, nil, false); err != nil {
		libc.SayError(p, err)
		return 1
	}
	if err := p.Symlink(target, file); err != nil {
		p.Warnf("Failed to %s unit: %s\n", e.verb, kernel.Strerror(err))
		return 1
	}
	e.changed = true
	if !e.c.o.Has("q") {
		p.Warnf("Created symlink %s %s %s.\n", file, arrow(p), target)
	}
	return 0
}

// now starts or stops the units, but for templates.
func (e *enabling) now() int {
	verb := "start"
	if e.verb == "disable" {
		verb = "stop"
	}
	var units []string
	for _, n := range e.units {
		if tmpl, in := TemplateOf(n); tmpl == "" || in != "" {
			units = append(units, n)
		}
	}
	e.s.mu.Unlock()
	defer e.s.mu.Lock()
	return e.c.job(verb, units)
}

const noInstallConfig = `The unit files have no installation config (WantedBy=, RequiredBy=, Also=,
Alias= settings in the [Install] section, and DefaultInstance= for template
units). This means they are not meant to be enabled using systemctl.
 
Possible reasons for having this kind of units are:
• A unit may be statically enabled by being symlinked from another unit's
  .wants/ or .requires/ directory.
• A unit's purpose may be to act as a helper for some other unit which has
  a requirement dependency on it.
• A unit may be started when needed via activation (socket, path, timer,
  D-Bus, udev, scripted systemctl call, ...).
• In case of template units, the unit is meant to be enabled with some
  instance name specified.
`

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
		if isDependencyDir(n) {
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
