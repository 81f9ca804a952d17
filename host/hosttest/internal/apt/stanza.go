package apt

import (
	"slices"
	"strings"
)

// A stanza is one package of the status file: its fields in order, and by lower-case name.
type stanza struct {
	keys   []string
	fields map[string]string
}

func (s *stanza) get(k string) string { return s.fields[strings.ToLower(k)] }

func (s *stanza) set(k, v string) {
	l := strings.ToLower(k)
	if _, ok := s.fields[l]; !ok {
		s.keys = append(s.keys, k)
	}
	s.fields[l] = v
}

func (s *stanza) clone() *stanza {
	c := &stanza{keys: slices.Clone(s.keys), fields: make(map[string]string, len(s.fields))}
	for k, v := range s.fields {
		c.fields[k] = v
	}
	return c
}

// state gives the three words of Status.
func (s *stanza) state() (want, flag, status string) {
	f := strings.Fields(s.get("Status"))
	if len(f) != 3 {
		return "unknown", "ok", "not-installed"
	}
	return f[0], f[1], f[2]
}

func (s *stanza) installed() bool {
	_, _, st := s.state()
	return st == "installed"
}

// binaryPackage is ${binary:Package}: with the architecture when several could be installed side by side.
func (s *stanza) binaryPackage() string {
	if s.get("Multi-Arch") == "same" {
		return s.get("Package") + ":" + s.get("Architecture")
	}
	return s.get("Package")
}

func parseStatus(text string) []*stanza {
	var out []*stanza
	for block := range strings.SplitSeq(text, "\n\n") {
		s := &stanza{fields: map[string]string{}}
		key := ""
		for line := range strings.SplitSeq(block, "\n") {
			if line == "" {
				continue
			}
			if line[0] == ' ' || line[0] == '\t' {
				s.fields[key] += "\n" + line
				continue
			}
			k, v, ok := strings.Cut(line, ":")
			if !ok {
				continue
			}
			key = strings.ToLower(k)
			s.set(k, strings.TrimSpace(v))
		}
		if s.get("Package") != "" {
			out = append(out, s)
		}
	}
	return out
}

func formatStatus(list []*stanza) string {
	var b strings.Builder
	for _, s := range list {
		for _, k := range s.keys {
			b.WriteString(k + ": " + s.get(k) + "\n")
		}
		b.WriteByte('\n')
	}
	return b.String()
}
