package pgtest

import "strings"

// result is what a statement returns.
type result struct {
	tag     string
	columns []column
	rows    [][][]byte
}

// run runs one statement.
func (s *session) run(sql string, params [][]byte) (r result, e *sqlError) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case syntaxError:
			e = errorf("0A000", "this server does not know this statement, at %q: %s", v.near, sql)
		case *sqlError:
			e = v
		default:
			panic(v)
		}
		if e == nil && s.tx != nil && !s.block && !s.implicit {
			s.commit()
		}
	}()
	tokens, err := lex(sql)
	if err != nil {
		return r, errorf("42601", "%v", err)
	}
	p := &parser{tokens: tokens, sql: sql}
	if s.failed && !p.accept("rollback") && !p.accept("commit") {
		return r, errorf("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	p.tokens = tokens
	if q, ok := s.fixedQuery(sql, params); ok {
		return q, nil
	}
	return result{tag: s.statement(p, params)}.orRows(s), nil
}

// orRows returns the rows that a SELECT left behind.
func (r result) orRows(s *session) result {
	if selected := s.takeSelected(); selected != nil {
		return *selected
	}
	return r
}

// statement runs a statement that is none of the fixed queries, and returns its tag. It panics
// with a *sqlError.
func (s *session) statement(p *parser, params [][]byte) string {
	switch {
	case p.accept("begin"), p.accept("start", "transaction"):
		p.done()
		s.block = true
		return "BEGIN"
	case p.accept("commit"):
		p.done()
		failed := s.failed
		s.block, s.failed = false, false
		if failed {
			s.rollback()
			return "ROLLBACK"
		}
		s.commit()
		return "COMMIT"
	case p.accept("rollback"):
		p.done()
		s.block, s.failed = false, false
		s.rollback()
		return "ROLLBACK"
	case p.accept("set"), p.accept("reset"):
		return s.set(p)
	case p.accept("select"):
		s.selectStatement(p, params)
		return "SELECT"
	case p.accept("grant"):
		return s.grant(p)
	case p.accept("revoke"):
		return s.revoke(p)
	}
	return s.definition(p)
}

// definition runs a statement that makes, changes or removes objects, and returns its tag.
func (s *session) definition(p *parser) string {
	for _, d := range []struct {
		words, tag string
		run        func(*parser)
	}{
		{"create role", "CREATE ROLE", s.createRole}, {"create user", "CREATE ROLE", s.createRole},
		{"alter role", "ALTER ROLE", s.alterRole}, {"alter user", "ALTER ROLE", s.alterRole},
		{"drop role", "DROP ROLE", s.dropRole}, {"drop user", "DROP ROLE", s.dropRole},
		{"create database", "CREATE DATABASE", s.createDatabase},
		{"alter database", "ALTER DATABASE", s.alterDatabase},
		{"drop database", "DROP DATABASE", s.dropDatabase},
		{"alter default privileges", "ALTER DEFAULT PRIVILEGES", s.alterDefaultPrivileges},
		{"create schema", "CREATE SCHEMA", s.createSchema},
		{"alter schema", "ALTER SCHEMA", s.alterSchema},
		{"drop schema", "DROP SCHEMA", s.dropSchema},
		{"create extension", "CREATE EXTENSION", s.createExtension},
		{"create or replace function", "CREATE FUNCTION", s.replaceFunction},
		{"create function", "CREATE FUNCTION", s.createFunction},
		{"alter function", "ALTER FUNCTION", s.alterFunction},
		{"drop function", "DROP FUNCTION", s.dropFunction}, {"drop routine", "DROP FUNCTION", s.dropFunction},
		{"create table", "CREATE TABLE", s.createTable},
		{"reassign owned by", "REASSIGN OWNED", s.reassignOwned},
		{"drop owned by", "DROP OWNED", s.dropOwned},
	} {
		if p.accept(strings.Fields(d.words)...) {
			d.run(p)
			return d.tag
		}
	}
	p.fail()
	return ""
}
