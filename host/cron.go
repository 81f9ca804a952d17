package host

import (
	"fmt"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Cron is a cron job in a file of its own, /etc/cron.d/NAME (cron(8)).
type Cron struct {
	Order `yaml:",inline"`
	composite

	Name     string            `yaml:"name,required"`     // letters, digits, - and _: cron ignores files with other names
	Schedule string            `yaml:"schedule,required"` // five fields, or a name such as @daily (crontab(5))
	User     string            `yaml:"user"`              // empty means root
	Command  string            `yaml:"command,required"`  // one line; cron reads an unescaped % as a newline
	Env      map[string]string `yaml:"env"`               // MAILTO, PATH, ...
	Absent   bool              `yaml:"absent"`
}

// ID returns "cron:NAME".
func (c Cron) ID() string { return "cron:" + c.Name }

// Validate implements [Resource].
func (c Cron) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(c.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: c.Name,
			Message: "is not a file name that cron reads: letters, digits, - and _"})
	}
	if c.Absent {
		return ps
	}
	checkSchedule(&ps, "schedule", c.Schedule)
	if strings.TrimSpace(c.Command) == "" || strings.ContainsAny(c.Command, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "command", Text: c.Command, Message: "is empty or more than one line"})
	}
	if c.User != "" {
		checkName(&ps, "user", c.User)
	}
	for k, v := range c.Env {
		if !variablePattern.MatchString(k) || strings.ContainsAny(v, "\n\x00") {
			ps = append(ps, lab.Problem{Path: "env." + k, Message: "is not a variable name, or its value contains a newline"})
		}
	}
	return ps
}

// Resources implements [Set].
func (c Cron) Resources() []Resource {
	f := File{Path: "/etc/cron.d/" + c.Name, Absent: c.Absent}
	if !c.Absent {
		var b strings.Builder
		for _, k := range sortedKeys(c.Env) {
			fmt.Fprintf(&b, "%s=%s\n", k, c.Env[k])
		}
		fmt.Fprintf(&b, "%s %s %s\n", strings.Join(strings.Fields(c.Schedule), " "), orRoot(c.User), c.Command)
		f.Content = b.String()
	}
	return []Resource{f}
}
