package pgtest

import (
	"slices"
	"strings"
)

// setting reads "name = value" or "name TO value, value".
func (p *parser) setting() (name, value string) {
	name = p.name()
	if !p.accept("=") {
		p.expect("to")
	}
	var values []string
	for {
		t := p.next()
		if t.kind == punct {
			p.fail()
		}
		values = append(values, t.text)
		if !p.accept(",") {
			break
		}
	}
	p.done()
	return name, strings.Join(values, ", ")
}

func (s *session) set(p *parser) string {
	if p.accept("role") {
		if p.accept("none") || p.peek().kind == end {
			s.role = s.user
			return "SET"
		}
		to := p.name()
		p.done()
		world := s.view()
		if _, ok := world.roles[to]; !ok {
			panic(errorf("22023", "role %q does not exist", to))
		}
		if !world.canSet(s.user, to) {
			panic(errorf(codeDenied, "permission denied to set role %q", to))
		}
		s.role = to
		return "SET"
	}
	p.accept("local") // settings of this session end with it, or are set again: it makes no difference
	name, value := p.setting()
	if !slices.Contains(startupParameters, name) && (name != "transaction_timeout" || s.major() < 17) {
		panic(errorf(codeUndefined, "unrecognized configuration parameter %q", name))
	}
	s.settings[name] = value
	return "SET"
}
