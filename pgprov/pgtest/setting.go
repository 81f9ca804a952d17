package pgtest

import "strings"

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

// setting is a setting that a server has.
type setting struct {
	since     int    // the first version that has it; 0: all
	usual     string // its value
	superuser bool   // only one may set it
}

// settings are those that this server knows: a few of each kind of what can be set for a database.
var settings = map[string]setting{
	"application_name": {}, "client_encoding": {usual: "UTF8"}, "datestyle": {usual: "ISO, MDY"},
	"timezone": {usual: "UTC"}, "search_path": {usual: `"$user", public`},
	"standard_conforming_strings":   {usual: "on"},
	"default_transaction_isolation": {usual: "read committed"}, "default_transaction_read_only": {usual: "off"},
	"statement_timeout": {usual: "0"}, "lock_timeout": {usual: "0"}, "idle_session_timeout": {usual: "0"},
	"idle_in_transaction_session_timeout": {usual: "0"}, "transaction_timeout": {since: 17, usual: "0"},
	"quote_all_identifiers": {usual: "off"}, "extra_float_digits": {usual: "1"}, "array_nulls": {usual: "on"},
	"check_function_bodies": {usual: "on"}, "exit_on_error": {usual: "off"}, "local_preload_libraries": {},
	"default_table_access_method": {usual: "heap"}, "session_preload_libraries": {superuser: true},
	"log_statement": {usual: "none", superuser: true},
}

// knownSetting looks a setting up, by its name in any case. The role is none that pg_settings shows.
func (s *session) knownSetting(name string) (setting, bool) {
	k, ok := settings[strings.ToLower(name)]
	return k, ok && k.since <= s.major()
}

// mayKeep panics unless the session may have a setting kept for a database or a role.
func (s *session) mayKeep(name string) {
	if name == "role" {
		return
	}
	k, ok := s.knownSetting(name)
	switch {
	case !ok:
		panic(errorf(codeUndefined, "unrecognized configuration parameter %q", name))
	case k.superuser && !s.superuser():
		panic(errorf(codeDenied, "permission denied to set parameter %q", name))
	}
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
	if _, ok := s.knownSetting(name); !ok {
		panic(errorf(codeUndefined, "unrecognized configuration parameter %q", name))
	}
	s.settings[name] = value
	return "SET"
}
