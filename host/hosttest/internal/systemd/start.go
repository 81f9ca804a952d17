package systemd

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

var errDependency = errors.New("dependency")

// startLocked starts a unit and what it requires. At boot nothing is counted. The error is for the job.
func (s *Manager) startLocked(u *unit, boot bool) error {
	for u.sub == "auto-restart" && !s.k.Off() { // the job waits until the pause is over
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
	if u.active == "active" || u.active == "activating" {
		if !strings.HasSuffix(u.name, ".mount") {
			return nil
		}
	}
	if u.load != "loaded" {
		return fmt.Errorf("Unit %s not found.", u.name)
	}
	for _, c := range u.file.Words("Unit.Conflicts") {
		if x := s.units[c]; x != nil && x.active == "active" && c != "shutdown.target" {
			s.stopLocked(x)
		}
	}
	for _, dep := range slices.Concat(u.file.Words("Unit.Requires"), u.file.Words("Unit.BindsTo"), s.mountDeps(u)) {
		d := s.Unit(dep)
		if d == u {
			continue
		}
		if d.load == "not-found" && !strings.HasSuffix(dep, ".mount") && !strings.HasSuffix(dep, ".device") {
			return fmt.Errorf("Unit %s not found.", dep)
		}
		if d.load == "masked" {
			return fmt.Errorf("Unit %s is masked.", dep)
		}
		if d.load == "loaded" && d.active != "active" {
			if s.startLocked(d, boot) != nil {
				s.log(u, "systemd", 1, "Dependency failed for %s.", s.describe(u))
				return errDependency
			}
		}
	}
	for _, dep := range u.file.Words("Unit.Wants") {
		if d := s.Unit(dep); d.load == "loaded" && d.active != "active" && d != u {
			s.startLocked(d, boot)
		}
	}
	if !boot {
		if err := s.k.Mutate(nil); err != nil {
			return err
		}
	}
	for k, vals := range u.file.settings {
		kind, _ := strings.CutPrefix(k, "Unit.")
		assert := strings.HasPrefix(kind, "Assert")
		if !strings.HasPrefix(kind, "Condition") && !assert {
			continue
		}
		for _, v := range vals {
			if !s.condition(strings.TrimPrefix(strings.TrimPrefix(kind, "Condition"), "Assert"), v) {
				u.conditioned, u.met = s.k.Now(), assert
				if !boot && !s.referenced(u) {
					s.forget(u)
				}
				s.log(u, "systemd", 1, "%s was skipped because of an unmet condition check (%s=%s).", s.describe(u), kind, v)
				if assert {
					return fmt.Errorf("Assertion failed on job for %s.", u.name)
				}
				return nil
			}
		}
	}
	u.conditioned, u.met = s.k.Now(), true
	u.invocation = strings.ReplaceAll(kernel.NewUUID(), "-", "")
	switch path.Ext(u.name) {
	case ".service":
		return s.startService(u, boot)
	case ".mount":
		where := cmp.Or(u.file.get("Mount.Where"), unescapeUnitPath(strings.TrimSuffix(u.name, ".mount")))
		if _, ok := s.mountedUnit(u.name); !ok {
			if err := libc.Mount(s.k, u.file.get("Mount.What"), where, u.file.get("Mount.Type"), strings.Split(u.file.get("Mount.Options"), ",")); err != nil {
				u.result = "exit-code"
				s.setState(u, "failed", "failed")
				s.log(u, "systemd", 1, "%s: Mount process exited, code=exited, status=32/n/a", u.name)
				return errors.New("exit-code")
			}
		}
		u.result = "success"
		s.setState(u, "active", "mounted")
	case ".timer":
		s.setState(u, "active", "waiting")
	case ".socket", ".path":
		s.setState(u, "active", map[string]string{".socket": "listening", ".path": "waiting"}[path.Ext(u.name)])
	case ".device":
		s.setState(u, "active", "plugged")
	default:
		s.setState(u, "active", "active")
		if !boot {
			for _, kind := range []string{".wants", ".requires"} {
				for _, dir := range unitDirs {
					names, _ := s.k.FS().ReadDir(dir + "/" + u.name + kind)
					for _, n := range names {
						if d := s.Unit(n); d.load == "loaded" && d.active != "active" {
							s.startLocked(d, boot)
						}
					}
				}
			}
		}
	}
	return nil
}

// mountDeps gives the mount units that RequiresMountsFor= stands for: those of fstab on the way to the paths.
func (s *Manager) mountDeps(u *unit) []string {
	var out []string
	for _, p := range u.file.Words("Unit.RequiresMountsFor") {
		for dir := path.Clean(p); dir != "/" && dir != "."; dir = path.Dir(dir) {
			name := mountUnitName(dir)
			if d := s.Unit(name); d.load == "loaded" {
				out = append(out, name)
			}
		}
	}
	return out
}
