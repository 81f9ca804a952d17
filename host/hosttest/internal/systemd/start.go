package systemd

import (
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
	s.awaitPause(u)
	if (u.active == "active" || u.active == "activating") && !strings.HasSuffix(u.name, ".mount") {
		return nil
	}
	if u.load != "loaded" {
		return fmt.Errorf("Unit %s not found.", u.name)
	}
	for _, c := range u.file.Words("Unit.Conflicts") {
		if x := s.units[c]; x != nil && x.active == "active" && c != "shutdown.target" {
			s.stopLocked(x)
		}
	}
	if err := s.startRequired(u, boot); err != nil {
		return err
	}
	s.startWanted(u, u.file.Words("Unit.Wants"), boot)
	if !boot {
		if err := s.k.Mutate(nil); err != nil {
			return err
		}
	}
	if setting, value := s.unmet(u); setting != "" {
		return s.skip(u, setting, value, boot)
	}
	u.conditioned, u.met = s.k.Now(), true
	u.invocation = strings.ReplaceAll(kernel.NewUUID(), "-", "")
	return s.activate(u, boot)
}

// awaitPause waits, as a job does, until the pause before a restart is over.
func (s *Manager) awaitPause(u *unit) {
	for u.sub == "auto-restart" && !s.k.Off() {
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
		s.mu.Lock()
	}
}

// startRequired starts what a unit cannot be without.
func (s *Manager) startRequired(u *unit, boot bool) error {
	for _, dep := range slices.Concat(u.file.Words("Unit.Requires"), u.file.Words("Unit.BindsTo"), s.mountDeps(u)) {
		d := s.Unit(dep)
		switch {
		case d == u:
		case d.load == "not-found" && !strings.HasSuffix(dep, ".mount") && !strings.HasSuffix(dep, ".device"):
			return fmt.Errorf("Unit %s not found.", dep)
		case d.load == "masked":
			return fmt.Errorf("Unit %s is masked.", dep)
		case d.load == "loaded" && d.active != "active":
			if s.startLocked(d, boot) != nil {
				s.log(u, "systemd", 1, "Dependency failed for %s.", s.describe(u))
				return errDependency
			}
		}
	}
	return nil
}

// startWanted starts what a unit wants, whatever comes of it.
func (s *Manager) startWanted(u *unit, names []string, boot bool) {
	for _, n := range names {
		if d := s.Unit(n); d.load == "loaded" && d.active != "active" && d != u {
			s.startLocked(d, boot)
		}
	}
}

// activate does what a unit of its type does when it starts.
func (s *Manager) activate(u *unit, boot bool) error {
	switch path.Ext(u.name) {
	case ".service":
		return s.startService(u, boot)
	case ".mount":
		return s.startMount(u)
	case ".automount":
		return s.startAutomount(u)
	case ".timer", ".path":
		s.setState(u, "active", "waiting")
	case ".socket":
		s.setState(u, "active", "listening")
	case ".device":
		s.setState(u, "active", "plugged")
	default:
		s.setState(u, "active", "active")
		if boot {
			return nil // boot has started all that is linked
		}
		for _, kind := range []string{".wants", ".requires"} {
			for _, dir := range unitDirs {
				names, _ := s.k.FS().ReadDir(dir + "/" + u.name + kind)
				s.startWanted(u, names, boot)
			}
		}
	}
	return nil
}

// startMount mounts, unless it is mounted.
func (s *Manager) startMount(u *unit) error {
	if _, ok := s.mountedUnit(u.name); !ok {
		f := u.file
		options := strings.Split(f.get("Mount.Options"), ",")
		if err := libc.Mount(s.k, f.get("Mount.What"), u.where(), f.get("Mount.Type"), options); err != nil {
			u.result = "exit-code"
			s.setState(u, "failed", "failed")
			s.log(u, "systemd", 1, "%s: Mount process exited, code=exited, status=32/n/a", u.name)
			return errors.New("exit-code")
		}
	}
	u.result = "success"
	s.setState(u, "active", "mounted")
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
