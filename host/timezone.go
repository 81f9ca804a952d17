package host

import (
	"fmt"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Timezone is the machine's time zone: the link /etc/localtime and the file /etc/timezone.
type Timezone struct {
	Order `yaml:",inline"`
	composite

	Name string `yaml:"name,required"` // of the tz database: "Europe/Paris"
}

// ID returns "timezone:NAME".
func (t Timezone) ID() string { return "timezone:" + t.Name }

// Validate implements [Resource].
func (t Timezone) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`).MatchString(t.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: t.Name, Message: "is not a time zone", Hint: `"Europe/Paris"`})
	}
	return ps
}

// Resources implements [Set].
func (t Timezone) Resources() []Resource {
	return []Resource{
		zone{t.Name},
		Link{Path: "/etc/localtime", Target: zone{t.Name}.file(), Replace: true},
		File{Path: "/etc/timezone", Content: t.Name + "\n"},
	}
}

// zone is the data of a time zone, which must exist: a dangling link would silently mean UTC.
type zone struct{ name string }

func (z zone) ID() string { return "zone:" + z.name }

func (zone) Validate() lab.Problems { return nil }

func (z zone) file() string { return "/usr/share/zoneinfo/" + z.name }

func (zone) Relations() Relations { return Relations{Needs: []string{"package:tzdata"}} }

func (z zone) Observe(q *Query) { q.Path(z.file()) }

func (z zone) Plan(o *Observation) ([]Op, error) {
	if o.Stat(z.file()).Type == RegularFile || o.Stat(z.file()).Type == LinkFile || o.Pending("package:tzdata") {
		return nil, nil
	}
	return nil, &lab.Error{Op: "set time zone",
		Hint: "on the machine: timedatectl list-timezones; or install the package tzdata, tzdata-legacy for old names",
		Err:  fmt.Errorf("%w: the machine does not know the time zone %s", lab.ErrNotFound, z.name)}
}
