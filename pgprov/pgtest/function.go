package pgtest

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

var typeOIDs = map[string]string{"text": "25", "name": "19", "integer": "23", "int": "23", "varchar": "1043",
	"record": "2249", "void": "2278"}
var typeNames = map[string]string{"int": "integer", "varchar": "character varying"}

func (p *parser) typeOID() (name, oid string) {
	t := p.name()
	oid, ok := typeOIDs[t]
	if !ok {
		panic(errorf(codeUndefined, "type %q does not exist", t))
	}
	if n, ok := typeNames[t]; ok {
		t = n
	}
	return t, oid
}

// function reads a function as CREATE FUNCTION defines it, from its name on.
func (p *parser) function() function {
	schema, name := p.qualified()
	if schema == "" {
		schema = "public"
	}
	f := function{name: name, FunctionGrant: catalog.FunctionGrant{Schema: catalog.Ident(schema), Kind: "f",
		Volatility: "v", Parallel: "u", Support: "-"}}
	f.arguments(p)
	if p.accept("returns") {
		f.ReturnsSet = p.accept("setof")
		_, oid := p.typeOID()
		if f.Modes != "" && oid != f.Result {
			panic(errorf("42P13", "function result type must be %s because of OUT parameters", f.Result))
		}
		f.Result = oid
	}
	for p.peek().kind != end {
		switch {
		case p.accept("language"):
			switch l := p.name(); l {
			case "sql":
				f.Language = "14"
			case "plpgsql":
				f.Language = "13500"
			default:
				panic(errorf(codeUndefined, "language %q does not exist", l))
			}
		case p.accept("as"):
			f.Source = p.string()
		default:
			f.attribute(p)
		}
	}
	return f
}

// arguments reads a list of arguments, and what is returned where some of them are OUT.
func (f *function) arguments(p *parser) {
	var inTypes, inOIDs, names, modes, all, outs []string
	named := false
	p.expect("(")
	for !p.accept(")") {
		mode := "i"
		switch {
		case p.accept("out"):
			mode = "o"
		case p.accept("in"):
		}
		argument := ""
		if len(p.tokens) > 1 && p.tokens[1].text != "," && p.tokens[1].text != ")" {
			argument, named = p.name(), true
		}
		typeName, oid := p.typeOID()
		if p.accept("default") {
			p.string()
			f.Defaults++
		}
		names, modes, all = append(names, argument), append(modes, mode), append(all, oid)
		if mode == "i" {
			inTypes, inOIDs = append(inTypes, typeName), append(inOIDs, oid)
		} else {
			outs = append(outs, oid)
		}
		p.accept(",")
	}
	f.Identity = quote(string(f.Schema)) + "." + quote(f.name) + "(" + strings.Join(inTypes, ",") + ")"
	f.Arguments = strings.Join(inOIDs, " ")
	if named {
		f.Names = "{" + strings.Join(names, ",") + "}"
	}
	if len(outs) == 0 {
		return
	}
	f.Modes, f.Types = "{"+strings.Join(modes, ",")+"}", "{"+strings.Join(all, ",")+"}"
	f.Result = outs[0]
	if len(outs) > 1 {
		f.Result = typeOIDs["record"]
	}
}

// createFunction makes a function.
func (s *session) createFunction(p *parser) { s.putFunction(p.function(), false) }

// replaceFunction makes a function, or puts it in the place of one with the same arguments.
func (s *session) replaceFunction(p *parser) { s.putFunction(p.function(), true) }

func (s *session) putFunction(f function, replace bool) {
	s.mayCreateIn(string(f.Schema))
	n := slices.IndexFunc(s.view().databases[s.database].functions,
		func(o function) bool { return o.Identity == f.Identity })
	if n < 0 {
		c := s.write().change(s.database)
		f.object = object{owner: s.role, acl: c.initialACL("function", s.role)}
		c.functions = append(c.functions, f)
		return
	}
	if !replace {
		panic(errorf("42723", "function %q already exists with same argument types", f.name))
	}
	old := s.view().databases[s.database].functions[n]
	s.mustOwn("function", f.name, old.owner)
	if old.Kind != f.Kind || old.Result != f.Result || old.ReturnsSet != f.ReturnsSet || old.Names != f.Names ||
		old.Modes != f.Modes || old.Types != f.Types {
		panic(errorf("42P13", "cannot change return type of existing function"))
	}
	if f.Defaults < old.Defaults {
		panic(errorf("42P13", "cannot remove parameter defaults from existing function"))
	}
	f.object = old.object
	s.write().change(s.database).functions[n] = f
}

// attribute reads what CREATE FUNCTION and ALTER FUNCTION both say.
func (f *function) attribute(p *parser) {
	switch {
	case p.accept("immutable"):
		f.Volatility = "i"
	case p.accept("stable"):
		f.Volatility = "s"
	case p.accept("volatile"):
		f.Volatility = "v"
	case p.accept("strict"), p.accept("returns", "null", "on", "null", "input"):
		f.Strict = true
	case p.accept("called", "on", "null", "input"):
		f.Strict = false
	case p.accept("security", "definer"):
		f.Definer = true
	case p.accept("security", "invoker"):
		f.Definer = false
	case p.accept("leakproof"):
		f.Leakproof = true
	case p.accept("not", "leakproof"):
		f.Leakproof = false
	case p.accept("parallel", "safe"):
		f.Parallel = "s"
	case p.accept("parallel", "restricted"):
		f.Parallel = "r"
	case p.accept("parallel", "unsafe"):
		f.Parallel = "u"
	case p.accept("reset", "all"):
		f.Config = ""
	case p.accept("set", "search_path"):
		if !p.accept("=") {
			p.expect("to")
		}
		path := p.names()
		f.Config = fmt.Sprintf("{search_path=%s}", path[0])
		if len(path) > 1 {
			f.Config = fmt.Sprintf(`{"search_path=%s"}`, strings.Join(path, ", "))
		}
	default:
		p.fail()
	}
}

func (s *session) alterFunction(p *parser) {
	identity := p.signature()
	n := s.functionIndex(identity)
	f := s.view().databases[s.database].functions[n]
	s.mustOwn("function", f.name, f.owner)
	if p.accept("owner", "to") {
		to := p.grantee(s)
		p.done()
		s.needRole(s.view(), to)
		if !s.view().canSet(s.role, to) {
			panic(errorf(codeDenied, "must be able to SET ROLE %q", to))
		}
		f.acl, f.owner = f.acl.moved(f.owner, to), to
	} else {
		for p.peek().kind != end {
			f.attribute(p)
		}
	}
	s.write().change(s.database).functions[n] = f
}

func (s *session) dropFunction(p *parser) {
	ifExists := p.accept("if", "exists")
	identity := p.signature()
	p.done()
	if ifExists && !slices.ContainsFunc(s.view().databases[s.database].functions,
		func(f function) bool { return f.Identity == identity }) {
		return
	}
	n := s.functionIndex(identity)
	f := s.view().databases[s.database].functions[n]
	schema := s.target(grantTarget{kind: "schema", name: string(f.Schema)})
	if !s.view().hasPrivilegesOf(s.role, schema.owner, s.major()) {
		s.mustOwn("function", f.name, f.owner)
	}
	c := s.write().change(s.database)
	c.functions = slices.Delete(c.functions, n, n+1)
}
