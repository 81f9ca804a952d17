package stack

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// HBARule is a line of pg_hba.conf(5): who may connect from where, and how they prove it.
type HBARule struct {
	Type     string `yaml:"type,required"`     // local, host, hostssl, hostnossl
	Database string `yaml:"database,required"` // a name, a list with commas, "all", "sameuser", ...
	User     string `yaml:"user,required"`     // a name, +ROLE for its members, a list with commas, "all"
	Address  string `yaml:"address"`           // CIDR, "samenet", "all"; empty for local
	Method   string `yaml:"method,required"`   // scram-sha-256, cert, peer, reject, ...
	Options  string `yaml:"options"`           // NAME=VALUE, separated by spaces; empty means none
}

// String returns the rule as a line.
func (r HBARule) String() string {
	line := fmt.Sprintf("%-9s %-15s %-20s %-20s %s %s", r.Type, r.Database, r.User, r.Address, r.Method, r.Options)
	return strings.TrimRight(line, " ")
}

func (r HBARule) validate() (ps lab.Problems) {
	types := []string{"local", "host", "hostssl", "hostnossl"}
	if !slices.Contains(types, r.Type) {
		ps = append(ps, lab.Problem{Path: "type", Text: r.Type, Message: "is not one of " + strings.Join(types, ", ")})
	}
	if (r.Type == "local") != (r.Address == "") {
		ps.Add("address", "goes with every type but local")
	}
	for _, f := range []struct{ name, value string }{{"database", r.Database}, {"user", r.User}, {"method", r.Method}} {
		if f.value == "" || strings.ContainsAny(f.value, " \t\n#") && !strings.Contains(f.value, `"`) {
			ps = append(ps, lab.Problem{Path: f.name, Text: f.value,
				Message: "is empty, or holds a space without quotes"})
		}
	}
	if strings.Contains(r.Address+r.Options+r.Database+r.User, "\n") {
		ps.Add("", "holds a newline")
	}
	if r.Method == "trust" || r.Method == "password" || r.Method == "md5" {
		ps = append(ps, lab.Problem{Path: "method", Text: r.Method,
			Message: "lets in who does not prove who they are, or shows the password", Hint: "write scram-sha-256"})
	}
	return ps
}
