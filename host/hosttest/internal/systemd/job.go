package systemd

import (
	"cmp"
	"errors"
	"strings"
)

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
