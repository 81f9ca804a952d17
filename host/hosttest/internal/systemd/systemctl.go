package systemd

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// Programs are the programs of systemd.
func Programs() map[string]kernel.Program {
	return map[string]kernel.Program{
		"hostnamectl": cmdHostnamectl, "timedatectl": cmdTimedatectl, "logger": cmdLogger, "/usr/sbin/reboot": cmdReboot, "/usr/sbin/shutdown": cmdReboot, "/usr/sbin/poweroff": cmdReboot,
		"systemctl": cmdSystemctl, "systemd-analyze": cmdAnalyze, "systemd-escape": cmdEscape, "journalctl": cmdJournalctl}
}

// unitName completes a name as systemctl does.
func unitNameOf(s string) string {
	if strings.HasPrefix(s, "/") {
		if strings.HasPrefix(s, "/dev/") {
			return escapeUnitPath(s) + ".device"
		}
		return mountUnitName(s)
	}
	switch path.Ext(s) {
	case ".service", ".timer", ".socket", ".mount", ".automount", ".target", ".path", ".swap", ".slice", ".scope", ".device":
		return s
	}
	return s + ".service"
}

// arrow is what systemd draws between a link and its target: as far as a locale that is named can show it.
func arrow(p *kernel.Process) string {
	for _, v := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if l := strings.ToUpper(p.Getenv(v)); l != "" {
			if strings.Contains(l, "UTF-8") || strings.Contains(l, "UTF8") {
				break
			}
			return "->"
		}
	}
	return "→"
}

func cmdSystemctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "t:p:P:alqfsn:o:iH:M:rT", "type=>t property=>p all>a full>l quiet>q force>f now no-block no-pager no-legend no-reload system user value state= failed plain runtime lines=>n output=>o job-mode= signal=>s kill-who= kill-whom= no-ask-password root= show-types wait dry-run legend= timestamp= recursive>r no-wall message= check-inhibitors= reverse after before global version preset-mode=")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "H", "M", "root", "dry-run", "kill-whom", "kill-who", "preset-mode", "reverse", "after", "before", "global", "timestamp", "show-types") {
		return 1
	}
	if o.Has("version") {
		p.Print("systemd 252 (252.38-1~deb12u1)\n+PAM +AUDIT +SELINUX +APPARMOR +IMA +SMACK +SECCOMP +GCRYPT\n")
		return 0
	}
	verb := "list-units"
	args := o.Args
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if o.Has("user") {
		p.Warnf("Failed to connect to bus: No medium found\n")
		return 1
	}
	if _, err := p.Stat("/run/systemd/system"); err != nil {
		p.Warnf("System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to connect to bus: Host is down\n")
		return 1
	}
	s := Of(p.Kernel)
	c := &systemctl{p: p, s: s, o: o}
	need := func(n int) bool {
		if len(args) < n {
			p.Warnf("Too few arguments.\n")
			return false
		}
		return true
	}
	privileged := func(what string) bool {
		if p.UID != 0 {
			p.Warnf("%s", what)
			return false
		}
		return true
	}
	switch verb {
	case "show", "is-active", "is-enabled", "is-failed", "is-system-running", "cat", "list-units", "list-timers", "list-unit-files", "status", "get-default", "list-dependencies", "show-environment", "list-jobs":
	default:
		what := "Failed to " + verb + " " + unitNameOf(firstWord(args)) + ": Interactive authentication required.\n"
		switch verb {
		case "daemon-reload":
			what = "Failed to reload daemon: Interactive authentication required.\n"
		case "enable", "disable", "mask", "unmask", "reenable":
			what = "Failed to " + verb + " unit: Access denied\n"
		case "reboot", "poweroff":
			what = "Failed to set wall message, ignoring: Interactive authentication required.\nCall to Reboot failed: Interactive authentication required.\n"
		default:
			what += "See system logs and 'systemctl status " + unitNameOf(firstWord(args)) + "' for details.\n"
		}
		if !privileged(what) {
			if verb == "start" || verb == "stop" || verb == "restart" {
				return 4
			}
			return 1
		}
	}
	switch verb {
	case "daemon-reload":
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.daemonReload(); err != nil {
			return 1
		}
		return 0
	case "daemon-reexec":
		return 0
	case "start", "stop", "restart", "reload", "try-restart", "condrestart", "reload-or-restart", "try-reload-or-restart", "force-reload":
		if !need(1) {
			return 1
		}
		return c.job(verb, args)
	case "enable", "disable", "reenable":
		if !need(1) {
			return 1
		}
		return c.enable(verb, args)
	case "mask", "unmask":
		if !need(1) {
			return 1
		}
		return c.mask(verb == "mask", args)
	case "is-active", "is-failed":
		if !need(1) {
			return 1
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		found := false
		for _, a := range args {
			for _, u := range c.expand(a) {
				if !o.Has("q") {
					p.Print(u.active, "\n")
				}
				if verb == "is-active" && (u.active == "active" || u.active == "reloading") || verb == "is-failed" && u.active == "failed" {
					found = true
				}
			}
		}
		if found {
			return 0
		}
		if verb == "is-failed" {
			return 1
		}
		return 3
	case "is-enabled":
		if !need(1) {
			return 1
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		code := 1
		for _, a := range args {
			st := s.enabledState(unitNameOf(a))
			if st == "" {
				p.Flush()
				p.Warnf("Failed to get unit file state for %s: No such file or directory\n", unitNameOf(a))
				return 1
			}
			if !o.Has("q") {
				p.Print(st, "\n")
			}
			switch st {
			case "enabled", "enabled-runtime", "static", "alias", "indirect", "generated":
				code = 0
			}
		}
		return code
	case "is-system-running":
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, u := range s.unitList() {
			if u.active == "failed" {
				p.Print("degraded\n")
				return 1
			}
		}
		p.Print("running\n")
		return 0
	case "show":
		return c.show(args)
	case "cat":
		if !need(1) {
			return 1
		}
		return c.cat(args)
	case "status":
		return c.status(args)
	case "list-units", "list-timers":
		return c.list(verb, args)
	case "list-unit-files":
		return c.listFiles(args)
	case "reset-failed":
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := p.Kernel.Mutate(nil); err != nil {
			return 1
		}
		reset := func(u *unit) {
			if u.next != nil && u.active == "failed" {
				u.next()
				u.next = nil
			}
			u.starts, u.Restarts = nil, 0
			if u.active == "failed" {
				u.result = "success"
				s.setState(u, "inactive", "dead")
			}
		}
		if len(args) == 0 {
			for _, u := range s.unitList() {
				reset(u)
			}
			return 0
		}
		for _, a := range args {
			u := s.Unit(unitNameOf(a))
			if u.load == "not-found" {
				p.Warnf("Failed to reset failed state of unit %s: Unit %s not loaded.\n", u.name, u.name)
				return 1
			}
			reset(u)
		}
		return 0
	case "kill":
		if !need(1) {
			return 1
		}
		sig := kernel.SigTERM
		if o.Has("s") {
			sig = kernel.SignalNumber(o.Get("s"))
		}
		code := 0
		for _, a := range args {
			n := unitNameOf(a)
			s.mu.Lock()
			missing := s.Unit(n).load == "not-found"
			s.mu.Unlock()
			if missing {
				p.Warnf("Failed to kill unit %[1]s: Unit %[1]s not loaded.\n", n)
				code = 1
			}
			for _, q := range p.Kernel.Processes() {
				if q.InUnit(n) {
					q.Signal(sig)
				}
			}
		}
		return code
	case "get-default":
		p.Print("multi-user.target\n")
		return 0
	case "set-default", "preset", "isolate":
		p.Warnf("hosttest: systemctl %s is not supported\n", verb)
		return 1
	case "reboot", "poweroff", "halt", "kexec":
		if err := p.Kernel.Mutate(nil); err != nil {
			return 1
		}
		p.Kernel.Config.Reboot()
		return 0
	}
	p.Warnf("Unknown command verb %s.\n", verb)
	return 1
}

// firstWord returns the first of the words, or "".
func firstWord(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

type systemctl struct {
	p *kernel.Process
	s *Manager
	o *libc.Options
}

// expand gives the units of an argument, which may be a pattern over what is loaded.
func (c *systemctl) expand(arg string) []*unit {
	if libc.IsGlob(arg) {
		var out []*unit
		for _, u := range c.s.unitList() {
			if libc.Fnmatch(unitNameOf(arg), u.name) || libc.Fnmatch(arg, u.name) {
				out = append(out, u)
			}
		}
		return out
	}
	return []*unit{c.s.Unit(unitNameOf(arg))}
}

func (c *systemctl) job(verb string, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	code := 0
	for _, a := range args {
		for _, u := range c.expand(a) {
			// A name that is not loaded is read now; what is loaded stays as it was read, which is why daemon-reload exists.
			word := map[string]string{"start": "start", "stop": "stop"}[verb]
			if word == "" {
				word = verb
			}
			if strings.Contains(u.name, "@.") {
				p.Warnf("Failed to %s %s: Unit name %s is missing the instance name.\nSee system logs and 'systemctl status %s' for details.\n", word, u.name, u.name, u.name)
				code = 1
				continue
			}
			if u.load == "not-found" && (verb != "stop" || u.active == "inactive") {
				if verb == "stop" {
					p.Warnf("Failed to stop %s: Unit %s not loaded.\n", u.name, u.name)
				} else {
					p.Warnf("Failed to %s %s: Unit %s not found.\n", word, u.name, u.name)
				}
				code = 5
				continue
			}
			if u.load == "masked" && verb != "stop" {
				p.Warnf("Failed to %s %s: Unit %s is masked.\n", word, u.name, u.name)
				code = 1
				continue
			}
			if u.load == "bad-setting" && verb != "stop" {
				p.Warnf("Failed to %s %s: Unit %s has a bad unit file setting.\nSee system logs and 'systemctl status %s' for details.\n", word, u.name, u.name, u.name)
				code = 1
				continue
			}
			if s.stale(u) {
				p.Warnf("Warning: The unit file, source configuration file or drop-ins of %s changed on disk. Run 'systemctl daemon-reload' to reload units.\n", u.name)
			}
			if IsYes(u.file.get("Unit.RefuseManualStart")) && verb != "stop" {
				p.Warnf("Failed to %s %s: Operation refused, unit %s may be requested by dependency only (it is configured to refuse manual start/stop).\nSee system logs and 'systemctl status %s' for details.\n", word, u.name, u.name, u.name)
				code = 4
				continue
			}
			running := u.active == "active" || u.active == "activating"
			var err error
			switch verb {
			case "start":
				err = s.startLocked(u, false)
			case "stop":
				err = s.stopLocked(u)
			case "restart":
				err = s.restartLocked(u)
			case "try-restart", "condrestart":
				if running {
					err = s.restartLocked(u)
				}
			case "reload":
				err = s.reloadLocked(u)
			default:
				if !running && strings.HasPrefix(verb, "try") {
					continue
				}
				if running && len(u.file.all("Service.ExecReload")) > 0 {
					err = s.reloadLocked(u)
				} else {
					err = s.restartLocked(u)
				}
			}
			if err == nil || c.o.Has("no-block") {
				continue
			}
			code = 1
			switch msg := err.Error(); {
			case errors.Is(err, errDependency):
				p.Warnf("A dependency job for %s failed. See 'journalctl -xe' for details.\n", u.name)
			case strings.HasPrefix(msg, "Unit ") || strings.HasPrefix(msg, "Job type"):
				p.Warnf("Failed to %s %s: %s\n", word, u.name, msg)
				if strings.HasPrefix(msg, "Job type") {
					code = 3
				}
				if strings.HasSuffix(msg, "not found.") {
					code = 5
				}
			case strings.Contains(msg, "cannot reload"):
				p.Warnf("%s\n", msg)
			case strings.HasPrefix(msg, "Assertion"):
				p.Warnf("%s\n", msg)
			default:
				why := map[string]string{"exit-code": "the control process exited with error code", "signal": "a fatal signal was delivered to the control process", "timeout": "a timeout was exceeded",
					"resources": "of unavailable resources or another system error", "start-limit-hit": "start of the service was attempted too often", "protocol": "the service did not take the steps required by its unit configuration"}[msg]
				if msg == "start-limit-hit" {
					p.Warnf("Job for %s failed because %s.\n", u.name, why)
				} else {
					p.Warnf("Job for %s failed because %s.\n", u.name, cmp.Or(why, msg))
				}
				if strings.HasSuffix(u.name, ".mount") {
					p.Warnf("See \"systemctl status %s\" and \"journalctl -xeu %s\" for details.\n", u.name, u.name)
				} else {
					p.Warnf("See \"systemctl status %s\" and \"journalctl -xeu %s\" for details.\n", u.name, u.name)
				}
			}
		}
	}
	return code
}

func (s *Manager) restartLocked(u *unit) error {
	if err := s.stopLocked(u); err != nil {
		return err
	}
	return s.startLocked(u, false)
}

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
	if strings.HasPrefix(fragment, "/run/systemd/generator/") {
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
			if err == nil && st.IsSymlink() && path.Base(st.Target) == name && slices.Contains(f.Words("Install.Alias"), n) {
				return "enabled"
			}
		}
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
	}
	changed := false
	for i := 0; i < len(units); i++ {
		n := units[i]
		fragment, id, _ := s.find(n)
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

const stampFormat = "Mon 2006-01-02 15:04:05 MST"

// properties gives what "systemctl show" prints, in the order of the bus.
func (s *Manager) properties(u *unit) [][2]string {
	var out [][2]string
	add := func(k, v string) { out = append(out, [2]string{k, v}) }
	stamp := func(k string, t time.Time) {
		if t.IsZero() {
			add(k, "")
			add(k+"Monotonic", "0")
			return
		}
		add(k, t.In(libc.Location(s.k)).Format(stampFormat))
		b := s.k.BootedAt()
		add(k+"Monotonic", strconv.FormatInt(t.Sub(b).Microseconds(), 10))
	}
	yesNo := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	f := u.file
	switch path.Ext(u.name) {
	case ".service":
		typ := f.get("Service.Type")
		if typ == "" {
			typ = "simple"
			if u.load == "loaded" && len(f.all("Service.ExecStart")) == 0 {
				typ = "oneshot"
			}
		}
		pid := 0
		if u.proc != nil {
			pid = u.proc.PID
		}
		add("Type", typ)
		add("Restart", cmp.Or(f.get("Service.Restart"), "no"))
		add("RemainAfterExit", yesNo(IsYes(f.get("Service.RemainAfterExit"))))
		add("MainPID", strconv.Itoa(pid))
		add("ControlPID", "0")
		add("StatusText", "")
		add("Result", u.result)
		add("ReloadResult", "success")
		add("CleanResult", "success")
		add("NRestarts", strconv.Itoa(u.Restarts))
		stamp("ExecMainStartTimestamp", u.execStart)
		stamp("ExecMainExitTimestamp", u.execExit)
		add("ExecMainPID", strconv.Itoa(u.execPID))
		add("ExecMainCode", strconv.Itoa(u.execCode))
		add("ExecMainStatus", strconv.Itoa(u.execStatus))
		for _, k := range []string{"ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop"} {
			for _, l := range f.all("Service." + k) {
				args := splitCommand(strings.TrimLeft(l, "@-:+!"))
				if len(args) > 0 {
					add(k, fmt.Sprintf("{ path=%s ; argv[]=%s ; ignore_errors=%s ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }", args[0], strings.Join(args, " "), yesNo(strings.HasPrefix(l, "-"))))
				}
			}
		}
		add("Slice", "system.slice")
		if u.active == "active" {
			add("ControlGroup", "/system.slice/"+u.name)
		} else {
			add("ControlGroup", "")
		}
		if e := f.all("Service.Environment"); len(e) > 0 {
			add("Environment", strings.Join(e, " "))
		} else {
			add("Environment", "")
		}
		for _, e := range f.all("Service.EnvironmentFile") {
			add("EnvironmentFiles", strings.TrimPrefix(e, "-")+" (ignore_errors="+yesNo(strings.HasPrefix(e, "-"))+")")
		}
		add("User", f.get("Service.User"))
		add("Group", f.get("Service.Group"))
	case ".mount":
		add("Where", cmp.Or(f.get("Mount.Where"), unescapeUnitPath(strings.TrimSuffix(u.name, ".mount"))))
		add("What", f.get("Mount.What"))
		add("Options", f.get("Mount.Options"))
		add("Type", f.get("Mount.Type"))
		add("Result", u.result)
	case ".timer":
		add("Unit", cmp.Or(f.get("Timer.Unit"), strings.TrimSuffix(u.name, ".timer")+".service"))
		for _, v := range f.all("Timer.OnCalendar") {
			add("TimersCalendar", "{ OnCalendar="+v+" ; next_elapse=n/a }")
		}
		add("NextElapseUSecRealtime", "")
		add("LastTriggerUSec", "")
		add("Result", u.result)
		add("Persistent", yesNo(IsYes(f.get("Timer.Persistent"))))
	default:
		if path.Ext(u.name) == ".socket" {
			add("Result", u.result)
		}
	}
	add("Id", u.name)
	add("Names", strings.Join(append([]string{u.name}, u.names...), " "))
	for _, k := range []string{"Requires", "Wants"} {
		add(k, strings.Join(f.Words("Unit."+k), " "))
	}
	for _, k := range []string{"WantedBy", "RequiredBy"} {
		add(k, strings.Join(f.Words("Install."+k), " "))
	}
	for _, k := range []string{"Conflicts", "Before", "After", "RequiresMountsFor"} {
		add(k, strings.Join(f.Words("Unit."+k), " "))
	}
	add("Documentation", strings.Join(f.Words("Unit.Documentation"), " "))
	desc := s.specifiers(u, f.get("Unit.Description"))
	add("Description", cmp.Or(desc, u.name))
	add("LoadState", u.load)
	add("ActiveState", u.active)
	add("FreezerState", "running")
	add("SubState", u.sub)
	add("FragmentPath", u.fragment)
	add("SourcePath", f.get("Unit.SourcePath"))
	add("DropInPaths", strings.Join(u.dropIns, " "))
	state := ""
	if u.load != "not-found" {
		state = s.enabledState(u.name)
	}
	add("UnitFileState", state)
	if state != "" {
		add("UnitFilePreset", "enabled")
	} else {
		add("UnitFilePreset", "")
	}
	stamp("StateChangeTimestamp", u.stateChange)
	stamp("InactiveExitTimestamp", u.inactiveExit)
	stamp("ActiveEnterTimestamp", u.activeEnter)
	stamp("ActiveExitTimestamp", u.activeExit)
	stamp("InactiveEnterTimestamp", u.inactiveEnter)
	for _, k := range []string{"CanStart", "CanStop"} {
		add(k, yesNo(u.load == "loaded"))
	}
	add("CanReload", yesNo(len(f.all("Service.ExecReload")) > 0))
	add("NeedDaemonReload", yesNo(u.load != "not-found" && s.stale(u)))
	if u.load == "not-found" {
		add("LoadError", `org.freedesktop.systemd1.NoSuchUnit "Unit `+u.name+` not found."`)
	} else if u.load == "masked" {
		add("LoadError", `org.freedesktop.systemd1.UnitMasked "Unit `+u.name+` is masked."`)
	}
	add("ConditionResult", yesNo(!u.activeEnter.IsZero()))
	add("AssertResult", yesNo(!u.activeEnter.IsZero()))
	add("InvocationID", u.invocation)
	return out
}

func (c *systemctl) show(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	var want []string
	for _, v := range c.o.All("p", "P") {
		want = append(want, strings.Split(v, ",")...)
	}
	value := c.o.Has("value", "P")
	if len(args) == 0 {
		for _, kv := range [][2]string{{"Version", "252.38-1~deb12u1"}, {"Architecture", map[string]string{"amd64": "x86-64"}[p.Kernel.Config.Arch] + map[string]string{"arm64": "arm64"}[p.Kernel.Config.Arch]}, {"SystemState", "running"}, {"NFailedUnits", "0"}} {
			if len(want) == 0 || slices.Contains(want, kv[0]) {
				if value {
					p.Print(kv[1], "\n")
				} else {
					p.Print(kv[0], "=", kv[1], "\n")
				}
			}
		}
		return 0
	}
	firstUnit := true
	for _, a := range args {
		for _, u := range c.expand(a) {
			if !firstUnit {
				p.Print("\n")
			}
			firstUnit = false
			for _, kv := range s.properties(u) {
				if len(want) > 0 && !slices.Contains(want, kv[0]) {
					continue
				}
				if len(want) == 0 && kv[1] == "" && !c.o.Has("a") {
					continue
				}
				if value {
					p.Print(kv[1], "\n")
				} else {
					p.Print(kv[0], "=", kv[1], "\n")
				}
			}
		}
	}
	return 0
}

func (c *systemctl) cat(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range args {
		fresh := &Manager{k: s.k, units: map[string]*unit{}}
		u := fresh.loadUnit(unitNameOf(a))
		if u.load == "not-found" || u.fragment == "" {
			p.Flush()
			p.Warnf("No files found for %s.\n", u.name)
			return 1
		}
		if i > 0 {
			p.Print("\n")
		}
		for j, f := range append([]string{u.fragment}, u.dropIns...) {
			if j > 0 {
				p.Print("\n")
			}
			b, _, err := s.read(f)
			if err != nil {
				b = nil
			}
			p.Print("# ", f, "\n", string(b))
		}
	}
	return 0
}

func (c *systemctl) status(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	code := 0
	for _, a := range args {
		for _, u := range c.expand(a) {
			if u.load == "not-found" {
				p.Flush()
				p.Warnf("Unit %s could not be found.\n", u.name)
				code = 4
				continue
			}
			dot := map[string]string{"active": "●", "failed": "×"}[u.active]
			p.Printf("%s %s\n     Loaded: %s (%s; %s; preset: enabled)\n     Active: %s (%s)\n", cmp.Or(dot, "○"), s.describe(u), u.load, u.fragment, s.enabledState(u.name), u.active, u.sub)
			if u.proc != nil {
				p.Printf("   Main PID: %d (%s)\n", u.proc.PID, u.proc.Comm())
			}
			if u.active != "active" && code == 0 {
				code = 3
			}
		}
	}
	return code
}

func (c *systemctl) list(verb string, args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	legend := !c.o.Has("no-legend") && c.o.Get("legend") != "no" && c.o.Get("legend") != "false"
	n := 0
	if verb == "list-timers" {
		if legend {
			p.Print("NEXT LEFT LAST PASSED UNIT ACTIVATES\n")
		}
		for _, u := range s.unitList() {
			if strings.HasSuffix(u.name, ".timer") && (u.active == "active" || c.o.Has("a")) {
				p.Printf("n/a n/a n/a n/a %s %s\n", u.name, cmp.Or(u.file.get("Timer.Unit"), strings.TrimSuffix(u.name, ".timer")+".service"))
				n++
			}
		}
		if legend {
			p.Printf("\n%d timers listed.\n", n)
		}
		return 0
	}
	if legend {
		p.Print("  UNIT LOAD ACTIVE SUB DESCRIPTION\n")
	}
	types := strings.Split(c.o.Get("t"), ",")
	states := strings.Split(c.o.Get("state"), ",")
	for _, u := range s.unitList() {
		if c.o.Get("t") != "" && !slices.Contains(types, strings.TrimPrefix(path.Ext(u.name), ".")) {
			continue
		}
		switch {
		case c.o.Get("state") != "":
			if !slices.Contains(states, u.active) && !slices.Contains(states, u.sub) && !slices.Contains(states, u.load) {
				continue
			}
		case c.o.Has("failed"):
			if u.active != "failed" {
				continue
			}
		case !c.o.Has("a") && (u.active == "inactive" || u.load == "not-found"):
			continue
		}
		if len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return libc.Fnmatch(a, u.name) || u.name == unitNameOf(a) }) {
			continue
		}
		mark := "  "
		if u.active == "failed" {
			mark = "● "
		}
		if c.o.Has("plain") {
			mark = ""
		}
		p.Printf("%s%s %s %s %s %s\n", mark, u.name, u.load, u.active, u.sub, cmp.Or(s.specifiers(u, u.file.get("Unit.Description")), u.name))
		n++
	}
	if legend {
		p.Printf("\n%d loaded units listed.\n", n)
	}
	return 0
}

func (c *systemctl) listFiles(args []string) int {
	s, p := c.s, c.p
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	for _, dir := range unitDirs {
		names, _ := s.k.FS().ReadDir(dir)
		for _, n := range names {
			if unitSections[path.Ext(n)] != nil {
				seen[n] = true
			}
		}
	}
	legend := !c.o.Has("no-legend")
	if legend {
		p.Print("UNIT FILE STATE PRESET\n")
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if c.o.Get("t") != "" && "."+c.o.Get("t") != path.Ext(name) {
			continue
		}
		if len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return libc.Fnmatch(a, name) || name == unitNameOf(a) }) {
			continue
		}
		st := s.enabledState(name)
		if c.o.Get("state") != "" && st != c.o.Get("state") {
			continue
		}
		p.Printf("%s %s enabled\n", name, st)
		n++
	}
	if legend {
		p.Printf("\n%d unit files listed.\n", n)
	}
	if n == 0 && len(args) > 0 {
		return 1
	}
	return 0
}

func cmdEscape(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "pum", "path>p unescape>u mangle>m suffix= template=")
	if !ok {
		return 1
	}
	for i, a := range o.Args {
		v := a
		switch {
		case o.Has("u") && o.Has("p"):
			v = unescapeUnitPath(a)
		case o.Has("p"):
			v = escapeUnitPath(a)
		case o.Has("u"):
			v = strings.TrimPrefix(unescapeUnitPath(a), "/")
		default:
			v = strings.ReplaceAll(escapeUnitPath(strings.ReplaceAll(a, "/", "\x00")), `\x00`, "-")
		}
		if s := o.Get("suffix"); s != "" {
			v += "." + s
		}
		if t := o.Get("template"); t != "" {
			v = strings.Replace(t, "@.", "@"+v+".", 1)
		}
		if i > 0 {
			p.Print(" ")
		}
		p.Print(v)
	}
	p.Print("\n")
	return 0
}

// cmdAnalyze is systemd-analyze verify.
func cmdAnalyze(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "", "man[= generators[= recursive-errors= no-pager user system")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "user") {
		return 1
	}
	if len(o.Args) == 0 || o.Args[0] != "verify" {
		if len(o.Args) > 0 && o.Args[0] == "calendar" {
			return 0
		}
		p.Warnf("hosttest: systemd-analyze knows only verify\n")
		return 1
	}
	code := 0
	for _, f := range o.Args[1:] {
		base := path.Base(f)
		if unitSections[path.Ext(base)] == nil {
			p.Warnf("Failed to prepare filename %s: Invalid argument\n", f)
			code = 1
			continue
		}
		file := f
		if !strings.Contains(f, "/") {
			file = "/etc/systemd/system/" + f
		}
		b, err := p.ReadFile(file)
		if err != nil {
			p.Warnf("Failed to open %s: %s\n", f, kernel.Strerror(err))
			code = 1
			continue
		}
		u := ParseUnit(string(b), file)
		for _, w := range u.problems {
			p.Warnf("%s\n", w)
			code = 1
		}
		if strings.HasSuffix(base, ".service") {
			if len(u.all("Service.ExecStart")) == 0 && u.get("Service.Type") != "oneshot" {
				p.Warnf("%s: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.\n", base)
				code = 1
			}
			for _, k := range []string{"ExecStart", "ExecStartPre", "ExecStartPost", "ExecStop", "ExecReload"} {
				for _, l := range u.all("Service." + k) {
					args := splitCommand(strings.TrimLeft(l, "@-:+!"))
					if len(args) == 0 || strings.Contains(args[0], "%") {
						continue
					}
					if _, err := libc.LookPath(p, args[0], "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"); err != nil {
						p.Warnf("%s: Command %s is not executable: %s\n", base, args[0], kernel.Strerror(err))
						code = 1
					}
				}
			}
		}
	}
	return code
}

func cmdJournalctl(p *kernel.Process) int {
	o, ok := libc.Getopt(p, "u:n::o:xefrkb::t:S:U:qap:g:", "unit=>u lines[=>n output=>o no-pager follow>f reverse>r since=>S until=>U quiet>q boot[=>b identifier=>t all>a no-hostname priority=>p vacuum-time= rotate grep=>g dmesg>k catalog>x")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "k", "f", "S", "U", "a", "p", "g", "vacuum-time", "rotate") {
		return 1
	}
	s := Of(p.Kernel)
	s.mu.Lock()
	defer s.mu.Unlock()
	var units []string
	for _, u := range o.All("u") {
		units = append(units, unitNameOf(u))
	}
	var lines []logLine
	for _, l := range s.journal {
		if len(units) > 0 && !slices.Contains(units, l.unit) || o.Has("t") && o.Get("t") != l.tag {
			continue
		}
		lines = append(lines, l)
	}
	if o.Has("n", "e") {
		n := 10
		if o.Has("e") {
			n = 1000
		}
		if v, err := strconv.Atoi(o.Get("n")); err == nil {
			n = v
		} else if len(o.Args) > 0 {
			if v, err := strconv.Atoi(o.Args[0]); err == nil {
				n = v
			}
		}
		lines = lines[max(0, len(lines)-n):]
	}
	if o.Has("r") {
		slices.Reverse(lines)
	}
	if len(lines) == 0 && !o.Has("q") {
		p.Print("-- No entries --\n")
		return 0
	}
	for _, l := range lines {
		if o.Get("o") == "cat" {
			p.Print(l.text, "\n")
			continue
		}
		p.Printf("%s %s %s[%d]: %s\n", l.at.In(libc.Location(p.Kernel)).Format("Jan 02 15:04:05"), p.Kernel.Hostname(), l.tag, l.pid, l.text)
	}
	return 0
}

func cmdReboot(p *kernel.Process) int {
	if p.UID != 0 {
		p.Warnf("Call to %s failed: Interactive authentication required.\n", map[bool]string{true: "Reboot", false: "PowerOff"}[p.Name() == "reboot"])
		return 1
	}
	if p.Name() == "shutdown" {
		if len(p.Args) > 1 && p.Args[1] == "-c" {
			return 0
		}
		if !slices.Contains(p.Args, "-r") {
			p.Errorf("hosttest: only shutdown -r is supported: this machine cannot be switched on again")
			return 1
		}
	}
	if p.Name() == "poweroff" {
		p.Errorf("hosttest: this machine cannot be switched on again")
		return 1
	}
	if p.Kernel.Mutate(nil) != nil {
		return 1
	}
	p.Kernel.Config.Reboot()
	return 0
}
