package systemd

import (
	"cmp"
	"errors"
	"strings"
)

// seeStatus ends the message about a job that is refused. Its arguments are the verb and the name of the unit.
const seeStatus = "See system logs and 'systemctl status %[2]s' for details.\n"

// job does what a verb asks of units. It gives the exit code of the last that failed.
func (c *systemctl) job(verb string, args []string) int {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	code := 0
	for _, a := range args {
		for _, u := range c.expand(a) {
			if n := c.jobOf(verb, u); n != 0 {
				code = n
			}
		}
	}
	return code
}

// jobOf does what a verb asks of one unit. A name that is not loaded is read now; what is loaded stays as it was read,
// which is why daemon-reload exists.
func (c *systemctl) jobOf(verb string, u *unit) int {
	if code := c.refuseLoad(verb, u); code != 0 {
		return code
	}
	if c.s.stale(u) {
		c.p.Warnf("Warning: The unit file, source configuration file or drop-ins of %s changed on disk. "+
			"Run 'systemctl daemon-reload' to reload units.\n", u.name)
	}
	if IsYes(u.file.get("Unit.RefuseManualStart")) && verb != "stop" {
		c.p.Warnf("Failed to %s %[2]s: Operation refused, unit %[2]s may be requested by dependency only "+
			"(it is configured to refuse manual start/stop).\n"+seeStatus, verb, u.name)
		return 4
	}
	err := c.s.jobLocked(verb, u)
	if err == nil || c.o.Has("no-block") {
		return 0
	}
	return c.failed(verb, u, err)
}

// refuseLoad refuses a job for a unit that could not be loaded.
func (c *systemctl) refuseLoad(verb string, u *unit) int {
	p := c.p
	switch {
	case strings.Contains(u.name, "@."):
		p.Warnf("Failed to %s %[2]s: Unit name %[2]s is missing the instance name.\n"+seeStatus, verb, u.name)
		return 1
	case u.load == "not-found" && verb == "stop" && u.active == "inactive":
		p.Warnf("Failed to stop %[1]s: Unit %[1]s not loaded.\n", u.name)
		return 5
	case u.load == "not-found" && verb != "stop":
		p.Warnf("Failed to %s %[2]s: Unit %[2]s not found.\n", verb, u.name)
		return 5
	case u.load == "masked" && verb != "stop":
		p.Warnf("Failed to %s %[2]s: Unit %[2]s is masked.\n", verb, u.name)
		return 1
	case u.load == "bad-setting" && verb != "stop":
		p.Warnf("Failed to %s %[2]s: Unit %[2]s has a bad unit file setting.\n"+seeStatus, verb, u.name)
		return 1
	}
	return 0
}

// jobLocked runs a job to its end.
func (s *Manager) jobLocked(verb string, u *unit) error {
	running := u.active == "active" || u.active == "activating"
	switch verb {
	case "start":
		return s.startLocked(u, false)
	case "stop":
		return s.stopLocked(u)
	case "reload":
		return s.reloadLocked(u)
	case "restart":
		return s.restartLocked(u)
	}
	// try-restart, condrestart, reload-or-restart, try-reload-or-restart, force-reload
	if !running && (strings.HasPrefix(verb, "try") || verb == "condrestart") {
		return nil
	}
	if running && strings.Contains(verb, "reload") && len(u.file.all("Service.ExecReload")) > 0 {
		return s.reloadLocked(u)
	}
	return s.restartLocked(u)
}

// jobFailures is what systemctl says of the result of a service.
var jobFailures = map[string]string{
	"exit-code":       "the control process exited with error code",
	"signal":          "a fatal signal was delivered to the control process",
	"timeout":         "a timeout was exceeded",
	"resources":       "of unavailable resources or another system error",
	"start-limit-hit": "start of the service was attempted too often",
	"protocol":        "the service did not take the steps required by its unit configuration",
}

// failed tells why a job failed, and gives the exit code.
func (c *systemctl) failed(verb string, u *unit, err error) int {
	p := c.p
	switch msg := err.Error(); {
	case errors.Is(err, errDependency):
		p.Warnf("A dependency job for %s failed. See 'journalctl -xe' for details.\n", u.name)
	case strings.HasPrefix(msg, "Unit ") || strings.HasPrefix(msg, "Job type"):
		p.Warnf("Failed to %s %s: %s\n", verb, u.name, msg)
		if strings.HasSuffix(msg, "not found.") {
			return 5
		}
		if strings.HasPrefix(msg, "Job type") {
			return 3
		}
	case strings.Contains(msg, "cannot reload") || strings.HasPrefix(msg, "Assertion"):
		p.Warnf("%s\n", msg)
	default:
		p.Warnf("Job for %s failed because %s.\n", u.name, cmp.Or(jobFailures[msg], msg))
		p.Warnf("See \"systemctl status %[1]s\" and \"journalctl -xeu %[1]s\" for details.\n", u.name)
	}
	return 1
}

// restartLocked stops the unit, and with it what requires it, and starts all of that again (systemd.unit(5), Requires=).
func (s *Manager) restartLocked(u *unit) error {
	var with []*unit
	for _, x := range s.unitList() {
		if x != u && x.active == "active" && s.cannotBeWithout(x, u.name) {
			with = append(with, x)
		}
	}
	if err := s.stopLocked(u); err != nil {
		return err
	}
	if err := s.startLocked(u, false); err != nil {
		return err
	}
	for _, x := range with {
		_ = s.startLocked(x, false) // a job of its own, whose failure is not that of this one
	}
	return nil
}
