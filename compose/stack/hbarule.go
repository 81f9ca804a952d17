package stack

import (
	"fmt"
	"net/netip"
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
	oneOf(&ps, "type", r.Type, types)
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
	if r.Method != "" && !strings.ContainsAny(r.Method, " \t\n#") {
		oneOf(&ps, "method", r.Method, hbaMethods)
	}
	if problem := hbaAddress(r.Address); problem != "" {
		ps = append(ps, lab.Problem{Path: "address", Text: r.Address, Message: problem,
			Hint: `write a network, "192.168.1.0/24", a name, samehost, samenet or all`})
	}
	if r.Method == "trust" || r.Method == "password" || r.Method == "md5" {
		ps = append(ps, lab.Problem{Path: "method", Text: r.Method,
			Message: "lets in who does not prove who they are, or shows the password", Hint: "write scram-sha-256"})
	}
	return ps
}

// hbaMethods are those of pg_hba.conf(5), from PostgreSQL 10 on.
var hbaMethods = strings.Fields("trust reject scram-sha-256 md5 password gss sspi ident peer ldap radius cert pam bsd oauth")

// oneOf reports a word that is none of those that there are.
func oneOf(ps *lab.Problems, field, word string, words []string) {
	if slices.Contains(words, word) {
		return
	}
	p := lab.Problem{Path: field, Text: word, Message: "is not one of " + strings.Join(words, ", ")}
	if near := lab.Nearest(word, words); near != "" {
		p.Hint = "nearest: " + near
	}
	*ps = append(*ps, p)
}

// hbaAddress returns what keeps the server from reading an address: an IP address has a mask, and what
// ends in a number is no name.
func hbaAddress(address string) string {
	if _, err := netip.ParsePrefix(address); err == nil || address == "" {
		return ""
	}
	if _, err := netip.ParseAddr(address); err == nil {
		return "has no mask"
	}
	if network, mask, ok := strings.Cut(address, " "); ok { // IP and mask in two columns
		_, err := netip.ParseAddr(network)
		if _, wrong := netip.ParseAddr(strings.TrimSpace(mask)); err == nil && wrong == nil {
			return ""
		}
	}
	if strings.ContainsAny(address, "/ \t\n#") || strings.Trim(address, "0123456789.") == "" {
		return "is not an address"
	}
	return ""
}
