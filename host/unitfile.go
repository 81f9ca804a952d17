package host

import (
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// UnitFile is the file of a systemd unit, in /etc/systemd/system. systemd is reloaded when it
// changes. A [Unit] determines whether the unit is enabled and runs, and restarts it if its
// RestartOn lists this resource.
type UnitFile struct {
	Order `yaml:",inline"`
	composite

	Name    string `yaml:"name,required"` // with its suffix: "backup.service"
	Content string `yaml:"content"`
	Absent  bool   `yaml:"absent"`
}

// ID returns "unitfile:NAME".
func (u UnitFile) ID() string { return "unitfile:" + u.Name }

// Path returns the file's path.
func (u UnitFile) Path() string { return "/etc/systemd/system/" + u.Name }

// Validate implements [Resource].
func (u UnitFile) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "name", u.Name)
	checkUnitContent(&ps, u.Content, u.Absent)
	return ps
}

// checkUnitContent reports the problem of the content of a unit file or a drop-in.
func checkUnitContent(ps *lab.Problems, content string, absent bool) {
	if !absent && !strings.Contains(content, "[") {
		ps.Add("content", "has no section, such as [Service]")
	}
}

// Resources implements [Set].
func (u UnitFile) Resources() []Resource {
	return []Resource{File{Path: u.Path(), Content: u.Content, Absent: u.Absent}}
}
