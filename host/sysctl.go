package host

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Sysctl is a kernel parameter: its current value and, by a line in a file of /etc/sysctl.d
// (sysctl.d(5)), its value at boot.
type Sysctl struct {
	Order `yaml:",inline"`

	Key   string `yaml:"key,required"` // "net.ipv4.ip_forward"; a slash stands for a dot within a name
	Value string `yaml:"value,required"`
	File  string `yaml:"file"` // empty means /etc/sysctl.d/90-lab.conf
}

// ID returns "sysctl:KEY".
func (s Sysctl) ID() string { return "sysctl:" + s.Key }

var sysctlPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+([./][A-Za-z0-9_@:-]+)+$`)

// Validate implements [Resource].
func (s Sysctl) Validate() (ps lab.Problems) {
	if !sysctlPattern.MatchString(s.Key) {
		ps = append(ps, lab.Problem{Path: "key", Text: s.Key, Message: "is not the name of a kernel parameter"})
	}
	if strings.TrimSpace(s.Value) == "" || strings.ContainsAny(s.Value, "\n\x00") {
		ps = append(ps, lab.Problem{Path: "value", Text: s.Value, Message: "is empty or more than one line"})
	}
	checkPath(&ps, "file", s.file())
	return ps
}

func (s Sysctl) file() string { return cmp.Or(s.File, "/etc/sysctl.d/90-lab.conf") }

// Claims implements [Claimer].
func (s Sysctl) Claims() []Claim { return []Claim{{Path: s.file(), Part: true}} }

// Provides implements [Provider].
func (s Sysctl) Provides() []string { return []string{"path:" + s.file()} }

// Needs implements [Needer].
func (s Sysctl) Needs() []string { return []string{"path:" + s.file()} }

// Fingerprint implements [Fingerprinter].
func (s Sysctl) Fingerprint() string { return "sysctl " + s.Value }

// Observe implements [Resource].
func (s Sysctl) Observe(q *Query) {
	q.Sysctl(s.Key)
	q.Content(s.file())
}

// Plan implements [Resource].
func (s Sysctl) Plan(o *Observation) ([]Op, error) {
	line := Line{
		Path: s.file(), Line: s.Key + " = " + s.Value, Match: `^\s*-?` + regexp.QuoteMeta(s.Key) + `\s*=`, Create: true,
	}
	ops, err := line.Plan(o)
	if err != nil {
		return nil, err
	}
	want := strings.Join(strings.Fields(s.Value), " ")
	if have, ok := o.Sysctl(s.Key); !ok || have != want {
		cause := "is " + have
		if !ok {
			cause = "the kernel has no such parameter yet; a module may provide it"
		}
		ops = append(ops, Op{Name: "now", Action: lab.Update, Cause: cause,
			Diff:   fmt.Sprintf("-%s = %s\n+%s = %s\n", s.Key, have, s.Key, want),
			Script: "sysctl -q -w -- " + ssh.Quote(s.Key+"="+s.Value)})
	}
	return ops, nil
}
