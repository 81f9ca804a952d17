package pgtest

import (
	"strings"
	"time"
)

func (s *session) outsideTransaction(what string) {
	if s.block || s.implicit {
		panic(errorf("25001", "%s cannot run inside a transaction block", what))
	}
}

// knownEncodings are some, by their names without punctuation.
var knownEncodings = map[string]string{"UTF8": "UTF8", "SQLASCII": "SQL_ASCII", "LATIN1": "LATIN1",
	"ISO88591": "LATIN1", "LATIN9": "LATIN9", "MULEINTERNAL": "MULE_INTERNAL"}

// icuTags are ICU locales as PostgreSQL 16 and later store them: those that the suite asks for.
var icuTags = map[string]string{"fr-FR": "fr-FR", "fr_FR": "fr-FR", "de-DE": "de-DE", "EN": "en",
	"de@collation=phonebook": "de-u-co-phonebk", "de-u-co-phonebk": "de-u-co-phonebk", "en_US_POSIX": "en-US-u-va-posix",
	"und-u-kn-ks-level1": "und-u-kn-ks-level1"}

func (s *session) createDatabase(p *parser) {
	name := p.name()
	owner, encoding, locale, provider, icu := s.role, "UTF8", "C", "c", ""
	template := "template1"
	for p.peek().kind != end {
		switch {
		case p.accept("owner"):
			owner = p.name()
		case p.accept("template"):
			template = p.name()
		case p.accept("encoding"):
			encoding = strings.ToUpper(p.string())
		case p.accept("locale_provider"):
			switch name := p.name(); name {
			case "libc":
				provider = "c"
			case "icu":
				provider = "i"
			default:
				panic(errorf("42P17", "unrecognized locale provider: %s", name))
			}
		case p.accept("icu_locale"):
			icu = p.string()
		case p.accept("locale"):
			locale = p.string()
		default:
			p.fail()
		}
	}
	s.outsideTransaction("CREATE DATABASE")
	checkLength(name)
	world := s.view()
	s.needRole(world, owner)
	if !world.roles[s.role].Superuser && (!world.roles[s.role].CreateDB || !world.canSet(s.role, owner)) {
		panic(errorf(codeDenied, "permission denied to create database"))
	}
	known, ok := knownEncodings[strings.NewReplacer("-", "", "_", "").Replace(encoding)]
	if !ok {
		panic(errorf("42704", "%s is not a valid encoding name", encoding))
	}
	if world.databases[template] == nil {
		panic(errorf("3D000", "template database %q does not exist", template))
	}
	world = s.write()
	if world.databases[name] != nil {
		panic(errorf("42P04", "database %q already exists", name))
	}
	d := newDatabase(name, owner, known, locale, s.major())
	if icu != "" && s.major() >= 16 {
		tag, ok := icuTags[icu]
		if !ok {
			panic(errorf("0A000", "this server does not know the ICU locale %q", icu))
		}
		icu = tag
	}
	if locale == "POSIX" {
		d.Collate, d.CType = "C", "C"
	}
	d.Provider, d.Locale = provider, icu
	world.databases[name] = d
}

func (s *session) databaseNamed(name string) *database {
	d := s.view().databases[name]
	if d == nil {
		panic(errorf("3D000", "database %q does not exist", name))
	}
	return d
}

func (s *session) alterDatabase(p *parser) {
	name := p.name()
	d := s.databaseNamed(name)
	s.mustOwn("database", name, d.Owner)
	switch {
	case p.accept("owner", "to"):
		to := p.grantee(s)
		p.done()
		s.needRole(s.view(), to)
		if !s.superuser() && !(s.view().canSet(s.role, to) && s.view().roles[s.role].CreateDB) {
			panic(errorf(codeDenied, "must be able to SET ROLE %q", to))
		}
		c := s.write().change(name)
		c.acl, c.Owner = c.acl.moved(c.Owner, to), to
	case p.accept("set"):
		k, v := p.setting()
		s.mayKeep(k)
		s.write().change(name).settings[k] = v
	case p.accept("allow_connections"):
		s.write().change(name).AllowConnections = p.accept("true")
	case p.accept("is_template"):
		s.write().change(name).Template = p.accept("true")
	default:
		p.fail()
	}
}

func (s *session) dropDatabase(p *parser) {
	ifExists := p.accept("if", "exists")
	name := p.name()
	p.done()
	s.outsideTransaction("DROP DATABASE")
	if s.view().databases[name] == nil && ifExists {
		return
	}
	s.mustOwn("database", name, s.databaseNamed(name).Owner)
	if !s.deserted(name) {
		e := errorf("55006", "database %q is being accessed by other users", name)
		e.detail = "There are other sessions using the database."
		panic(e)
	}
	delete(s.write().databases, name)
}

// deserted waits for the sessions of a database to end, for as long as PostgreSQL does.
func (s *session) deserted(name string) bool {
	late := false
	t := time.AfterFunc(5*time.Second, func() {
		s.server.mu.Lock()
		late = true
		s.server.changed.Broadcast()
		s.server.mu.Unlock()
	})
	defer t.Stop()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	inUse := func() bool {
		for _, o := range s.server.sessions {
			if o.database == name {
				return true
			}
		}
		return false
	}
	s.await(func() bool { return late || !inUse() })
	return !inUse()
}
