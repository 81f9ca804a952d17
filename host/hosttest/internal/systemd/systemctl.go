package systemd

import (
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// unitName completes a name as systemctl does.
func unitNameOf(s string) string {
	if strings.HasPrefix(s, "/") {
		if strings.HasPrefix(s, "/dev/") {
			return escapeUnitPath(s) + ".device"
		}
		return mountUnitName(s)
	}
	switch path.Ext(s) {
	case ".service", ".timer", ".socket", ".mount", ".automount", ".target", ".path", ".swap", ".slice", ".scope",
		".device":
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
	o, ok := libc.Getopt(p, "t:p:P:alqfsn:o:iH:M:rT",
		"type=>t property=>p all>a full>l quiet>q force>f now no-block no-pager no-legend no-reload system user "+
			"value state= failed plain runtime lines=>n output=>o job-mode= signal=>s kill-who= kill-whom= "+
			"no-ask-password root= show-types wait dry-run legend= timestamp= recursive>r no-wall message= "+
			"check-inhibitors= reverse after before global version preset-mode=")
	if !ok {
		return 1
	}
	if libc.Unsupported(p, o, "H", "M", "root", "dry-run", "kill-whom", "kill-who", "preset-mode", "reverse", "after",
		"before", "global", "timestamp", "show-types") {
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
		p.Warnf("System has not been booted with systemd as init system (PID 1). Can't operate.\n" +
			"Failed to connect to bus: Host is down\n")
		return 1
	}
	s := Of(p.Kernel)
	c := &systemctl{p: p, s: s, o: o}
	if code := c.mayRun(verb, args); code != 0 {
		return code
	}
	return c.run(verb, args)
}

type systemctl struct {
	p *kernel.Process
	s *Manager
	o *libc.Options
}

// mayRun checks who asks for a verb that changes something, and that it has a unit where it needs one. It gives the
// exit code, 0 when all is well.
func (c *systemctl) mayRun(verb string, args []string) int {
	switch verb {
	case "show", "is-active", "is-enabled", "is-failed", "is-system-running", "cat", "list-units", "list-timers",
		"list-unit-files", "status", "get-default", "list-dependencies", "show-environment", "list-jobs":
	default:
		if c.p.UID != 0 {
			return c.deny(verb, unitNameOf(firstWord(args)))
		}
	}
	switch verb {
	case "start", "stop", "restart", "reload", "try-restart", "condrestart", "reload-or-restart",
		"try-reload-or-restart", "force-reload", "enable", "disable", "reenable", "mask", "unmask",
		"is-active", "is-failed", "is-enabled", "cat", "kill":
		if len(args) == 0 {
			c.p.Warnf("Too few arguments.\n")
			return 1
		}
	}
	return 0
}

// deny says that only root may.
func (c *systemctl) deny(verb, unit string) int {
	switch verb {
	case "daemon-reload":
		c.p.Warnf("Failed to reload daemon: Interactive authentication required.\n")
	case "enable", "disable", "mask", "unmask", "reenable":
		c.p.Warnf("Failed to %s unit: Access denied\n", verb)
	case "reboot", "poweroff":
		c.p.Warnf("Failed to set wall message, ignoring: Interactive authentication required.\n" +
			"Call to Reboot failed: Interactive authentication required.\n")
	default:
		c.p.Warnf("Failed to %s %s: Interactive authentication required.\n"+seeStatus, verb, unit)
	}
	if verb == "start" || verb == "stop" || verb == "restart" {
		return 4
	}
	return 1
}

func (c *systemctl) run(verb string, args []string) int {
	switch verb {
	case "daemon-reload":
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		if err := c.s.daemonReload(); err != nil {
			return 1
		}
		return 0
	case "daemon-reexec":
		return 0
	case "start", "stop", "restart", "reload", "try-restart", "condrestart", "reload-or-restart",
		"try-reload-or-restart", "force-reload":
		return c.job(verb, args)
	case "enable", "disable", "reenable":
		return c.enable(verb, args)
	case "mask", "unmask":
		return c.mask(verb == "mask", args)
	case "is-active", "is-failed":
		return c.isInState(verb, args)
	case "is-enabled":
		return c.isEnabled(args)
	case "is-system-running":
		return c.isSystemRunning()
	case "show":
		return c.show(args)
	case "cat":
		return c.cat(args)
	case "status":
		return c.status(args)
	case "list-units", "list-timers":
		return c.list(verb, args)
	case "list-unit-files":
		return c.listFiles(args)
	case "reset-failed":
		return c.resetFailed(args)
	case "kill":
		return c.kill(args)
	case "get-default":
		c.p.Print("multi-user.target\n")
		return 0
	case "set-default", "preset", "isolate":
		c.p.Warnf("hosttest: systemctl %s is not supported\n", verb)
		return 1
	case "reboot", "poweroff", "halt", "kexec":
		if err := c.p.Kernel.Mutate(nil); err != nil {
			return 1
		}
		c.p.Kernel.Config.Reboot()
		return 0
	}
	c.p.Warnf("Unknown command verb %s.\n", verb)
	return 1
}

// isInState is is-active and is-failed.
func (c *systemctl) isInState(verb string, args []string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	found := false
	for _, a := range args {
		for _, u := range c.expand(a) {
			if !c.o.Has("q") {
				c.p.Print(u.active, "\n")
			}
			if verb == "is-active" && (u.active == "active" || u.active == "reloading") ||
				verb == "is-failed" && u.active == "failed" {
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
}

// isEnabled fails when a unit has no file.
func (c *systemctl) isEnabled(args []string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	code := 1
	for _, a := range args {
		st := c.s.enabledState(unitNameOf(a))
		if st == "" {
			c.p.Flush()
			c.p.Warnf("Failed to get unit file state for %s: No such file or directory\n", unitNameOf(a))
			return 1
		}
		if f, _, _ := c.s.find(unitNameOf(a)); strings.HasPrefix(f, lateGenerator+"/") {
			if st = "disabled"; c.s.runlevelLink(strings.TrimSuffix(path.Base(f), ".service")) != "" {
				st = "enabled"
			}
		}
		if !c.o.Has("q") {
			c.p.Print(st, "\n")
		}
		switch st {
		case "enabled", "enabled-runtime", "static", "alias", "indirect", "generated":
			code = 0
		}
	}
	return code
}

// isSystemRunning tells running from degraded.
func (c *systemctl) isSystemRunning() int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, u := range c.s.unitList() {
		if u.active == "failed" {
			c.p.Print("degraded\n")
			return 1
		}
	}
	c.p.Print("running\n")
	return 0
}

// resetFailed is for the named units, or all.
func (c *systemctl) resetFailed(args []string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if err := c.p.Kernel.Mutate(nil); err != nil {
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
			c.s.setState(u, "inactive", "dead")
		}
	}
	if len(args) == 0 {
		for _, u := range c.s.unitList() {
			reset(u)
		}
		return 0
	}
	for _, a := range args {
		u := c.s.Unit(unitNameOf(a))
		if u.load == "not-found" {
			c.p.Warnf("Failed to reset failed state of unit %s: Unit %s not loaded.\n", u.name, u.name)
			return 1
		}
		reset(u)
	}
	return 0
}

// kill signals every process of a unit.
func (c *systemctl) kill(args []string) int {
	sig := kernel.SigTERM
	if c.o.Has("s") {
		sig = kernel.SignalNumber(c.o.Get("s"))
	}
	code := 0
	for _, a := range args {
		n := unitNameOf(a)
		c.s.mu.Lock()
		missing := c.s.Unit(n).load == "not-found"
		c.s.mu.Unlock()
		if missing {
			c.p.Warnf("Failed to kill unit %[1]s: Unit %[1]s not loaded.\n", n)
			code = 1
		}
		for _, q := range c.p.Kernel.Processes() {
			if q.InUnit(n) {
				q.Signal(sig)
			}
		}
	}
	return code
}

// firstWord returns the first of the words, or "".
func firstWord(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// expand gives the units of an argument, which may be a pattern over what is loaded.
func (c *systemctl) expand(arg string) []*unit {
	if strings.ContainsAny(arg, "*?[") { // a backslash is part of a name
		var out []*unit
		c.s.loadWanted()
		for _, u := range c.s.unitList() {
			if libc.Fnmatch(unitNameOf(arg), u.name) || libc.Fnmatch(arg, u.name) {
				out = append(out, u)
			}
		}
		return out
	}
	return []*unit{c.s.Unit(unitNameOf(arg))}
}
