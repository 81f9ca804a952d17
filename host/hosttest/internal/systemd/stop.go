package systemd

import (
	"path"
	"slices"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// killService ends every process of a service.
func (s *Manager) killService(u *unit) {
	u.stopping = true
	p := u.proc
	u.proc = nil
	if p != nil {
		p.AtExit(nil)
	}
	for _, q := range s.k.Processes() {
		if q.InUnit(u.name) && (q == p || u.file.get("Service.KillMode") != "process") {
			q.Signal(kernel.SigTERM)
			if !q.IsDead() {
				q.Die(kernel.SigKILL) // after TimeoutStopSec, which is not waited for
			}
		}
	}
}

// cannotBeWithout tells that a unit is stopped with another one.
func (s *Manager) cannotBeWithout(u *unit, name string) bool {
	for _, key := range []string{"Requires", "BindsTo", "PartOf"} {
		if slices.Contains(u.file.Words("Unit."+key), name) {
			return true
		}
	}
	return slices.Contains(s.mountDeps(u), name)
}

func (s *Manager) stopLocked(u *unit) error {
	if u.next != nil {
		u.next()
		u.next = nil
	}
	if u.active != "active" && u.active != "activating" && u.active != "reloading" {
		return nil
	}
	if err := s.k.Mutate(nil); err != nil {
		return err
	}
	// What requires this unit is stopped too.
	for _, x := range s.unitList() {
		if x != u && x.active == "active" && s.cannotBeWithout(x, u.name) {
			s.stopLocked(x)
		}
	}
	switch path.Ext(u.name) {
	case ".service":
		env, err := s.environment(u)
		if err == nil {
			if u.proc != nil {
				env = libc.Setenv(env, "MAINPID", strconv.Itoa(u.proc.PID))
			}
			u.stopping = true
			for _, l := range u.file.all("Service.ExecStop") {
				args, _ := s.command(u, l, env)
				if len(args) == 0 {
					continue
				}
				if p, err := s.spawn(u, args, env, true); err == nil {
					if p.Stub {
						p.Finish(kernel.WaitStatus{})
						continue
					}
					s.mu.Unlock()
					<-p.Done
					s.mu.Lock()
				}
			}
		}
		s.killService(u)
		if u.execExit.Before(u.execStart) {
			u.execExit, u.execCode, u.execStatus = s.k.Now(), 2, kernel.SigTERM
		}
		s.log(u, "systemd", 1, "Stopped %s.", s.describe(u))
	case ".mount":
		if err := libc.Unmount(s.k, u.where(), false); err != nil {
			return err
		}
	case ".automount":
		if err := libc.Unmount(s.k, u.where(), false); err != nil {
			return err
		}
	}
	u.result = "success"
	s.setState(u, "inactive", "dead")
	return nil
}
