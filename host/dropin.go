package host

import (
	"gitea.arcodange.lab/arcodange-org/lab"
)

// DropIn is a drop-in file of a systemd unit, in /etc/systemd/system/UNIT.d.
type DropIn struct {
	Order `yaml:",inline"`
	composite

	Unit    string `yaml:"unit,required"` // "k3s.service"
	Name    string `yaml:"name,required"` // file name without ".conf": "10-lab"
	Content string `yaml:"content"`
	Absent  bool   `yaml:"absent"`
}

// ID returns "dropin:UNIT/NAME".
func (d DropIn) ID() string { return "dropin:" + d.Unit + "/" + d.Name }

// Path returns the file's path.
func (d DropIn) Path() string { return "/etc/systemd/system/" + d.Unit + ".d/" + d.Name + ".conf" }

// Validate implements [Resource].
func (d DropIn) Validate() (ps lab.Problems) {
	checkUnitName(&ps, "unit", d.Unit)
	if !fileNamePattern.MatchString(d.Name) || len(d.Name) > 200 {
		ps = append(ps, lab.Problem{Path: "name", Text: d.Name, Message: "is not a file name: letters, digits, - _ and ."})
	}
	checkUnitContent(&ps, d.Content, d.Absent)
	return ps
}

// Resources implements [Set].
func (d DropIn) Resources() []Resource {
	f := File{Path: d.Path(), Content: d.Content, Absent: d.Absent}
	if d.Absent {
		return []Resource{f}
	}
	return []Resource{Directory{Path: "/etc/systemd/system/" + d.Unit + ".d"}, f}
}
