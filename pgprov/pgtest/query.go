package pgtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov/internal/catalog"
)

// fixedQuery answers one of the queries of package catalog, which are known by their text.
func (s *session) fixedQuery(sql string, params [][]byte) (result, bool) {
	f, ok := answerers[s.majorText(sql)]
	if !ok {
		return result{}, false
	}
	arrays := make([][]string, len(params))
	for n, v := range params {
		arrays[n] = readArray(string(v))
	}
	rows := f(s, s.view(), arrays)
	r := result{tag: fmt.Sprintf("SELECT %d", len(rows)), columns: queryColumns(sql)}
	for _, row := range rows {
		r.rows = append(r.rows, catalog.Encode(row))
	}
	return r, true
}

// majorText is the text, or nothing when it asks for columns that this version does not have.
func (s *session) majorText(sql string) string {
	version := s.major() * 10000
	switch {
	case sql == catalog.MembershipsQuery(160000) && s.major() < 16,
		sql == catalog.DatabasesQuery(170000) && s.major() < 17,
		sql == catalog.DatabasesQuery(150000) && s.major() >= 17:
		return ""
	case sql == catalog.MembershipsQuery(version):
		return catalog.MembershipsQuery(180000)
	case sql == catalog.DatabasesQuery(version):
		return catalog.DatabasesQuery(180000)
	}
	return sql
}

// readArray reads a text[] in the form in which package pgprov writes it.
func readArray(text string) []string {
	var out []string
	var b strings.Builder
	inside := false
	for i := 1; i < len(text)-1; i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"' && inside:
			out = append(out, b.String())
			b.Reset()
			inside = false
		case c == '"':
			inside = true
		case inside:
			b.WriteByte(c)
		}
	}
	return out
}

type answerer func(s *session, world *state, params [][]string) []any

var answerers = map[string]answerer{
	catalog.ServerQuery: func(s *session, world *state, _ [][]string) []any {
		return []any{catalog.Server{Version: s.major() * 10000, Identity: s.server.config.Identity,
			InRecovery: s.server.config.InRecovery, User: s.role, Superuser: world.roles[s.role].Superuser}}
	},
	catalog.RoomQuery: func(s *session, _ *state, _ [][]string) []any {
		return []any{catalog.Room{MaxConnections: s.server.config.MaxConnections, Reserved: 3,
			Connections: s.count(func(*session) bool { return true })}}
	},
	catalog.SuperusersQuery: func(s *session, world *state, _ [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range sortedKeys(world.roles) {
			if r := world.roles[n]; r.Superuser {
				out = append(out, catalog.Superuser{Name: n, Bootstrap: r.bootstrap})
			}
		}
		return out
	},
	catalog.RolesQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range sortedKeys(world.roles) {
			r := world.roles[n].Role
			r.HasPassword = r.Verifier != ""
			asked := slices.Contains(params[1], n)
			if !asked {
				r.Verifier = ""
			}
			if asked || slices.Contains(params[0], n) {
				out = append(out, r)
			}
		}
		return out
	},
	catalog.MembershipsQuery(180000): func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		users := world.closure(params[0], func(m catalog.Membership) (from, to string) {
			if u := world.roles[m.Member]; u.Superuser || u.CreateRole {
				return "", ""
			}
			return m.Role, m.Member
		})
		reached := world.closure(users, func(m catalog.Membership) (from, to string) { return m.Member, m.Role })
		for _, m := range world.members {
			if !slices.Contains(reached, m.Member) && !slices.Contains(params[0], m.Role) {
				continue
			}
			if s.major() < 16 {
				m.Inherit, m.Set = false, true
			}
			u := world.roles[m.Member]
			out = append(out, catalog.MembershipRow{Membership: m, Power: world.power(m.Role),
				Administrator: u.Superuser || u.CreateRole})
		}
		return out
	},
	catalog.SettingsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		for _, d := range sortedKeys(world.databases) {
			for _, name := range sortedKeys(world.databases[d].settings) {
				if k, ok := s.knownSetting(name); ok && !k.superuser {
					out = append(out, catalog.Setting{Database: d, Name: name, Value: s.defaults[name]})
				}
			}
		}
		return out
	},
	catalog.BelongingsQuery: func(_ *session, world *state, params [][]string) (out []any) {
		for _, d := range sortedKeys(world.databases) {
			owned := map[string]int{}
			for _, o := range world.databases[d].tables {
				if slices.Contains(params[0], d) && !world.roles[o.owner].bootstrap {
					owned[o.owner]++
				}
			}
			for _, owner := range sortedKeys(owned) {
				out = append(out, catalog.Belongings{Database: d, Owner: owner, Count: owned[owner]})
			}
		}
		return out
	},
	catalog.DatabasesQuery(180000): func(_ *session, world *state, params [][]string) (out []any) {
		for _, n := range sortedKeys(world.databases) {
			if slices.Contains(params[0], n) {
				out = append(out, world.databases[n].Database)
			}
		}
		return out
	},
	catalog.DatabaseGrantsQuery: func(_ *session, world *state, params [][]string) (out []any) {
		for _, n := range sortedKeys(world.databases) {
			if d := world.databases[n]; slices.Contains(params[0], n) {
				for _, g := range d.acl.or("database", d.Owner) {
					out = append(out, catalog.DatabaseGrant{Database: n, Grant: g})
				}
			}
		}
		return out
	},
	catalog.AvailableExtensionsQuery: func(s *session, _ *state, params [][]string) (out []any) {
		for _, n := range append([]string{"plpgsql"}, s.server.config.Extensions...) {
			if slices.Contains(params[0], n) {
				out = append(out, catalog.Extension{Name: n})
			}
		}
		return out
	},
	catalog.PlaceQuery: func(s *session, world *state, _ [][]string) []any {
		_, public := world.databases[s.database].schemas["public"]
		return []any{catalog.Place{Identity: s.server.config.Identity, Database: s.database, Public: public}}
	},
	catalog.SchemaQuery: func(s *session, world *state, _ [][]string) (out []any) {
		o, ok := world.databases[s.database].schemas["pgbouncer"]
		if !ok {
			return nil
		}
		for _, g := range grantsOf(o, "schema") {
			out = append(out, catalog.SchemaGrant{Owner: catalog.Ident(o.owner), Grant: g})
		}
		return out
	},
	catalog.FunctionsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		for _, f := range world.databases[s.database].functions {
			if f.name != "user_lookup" {
				continue
			}
			for _, g := range grantsOf(f.object, "function") {
				row := f.FunctionGrant
				if s.settings["quote_all_identifiers"] == "on" {
					row.Identity = quoteAll(string(f.Schema)) + "." + quoteAll(f.name) +
						row.Identity[strings.Index(row.Identity, "("):]
				}
				row.Owner, row.Grant = catalog.Ident(f.owner), g
				out = append(out, row)
			}
		}
		return out
	},
	catalog.ExtensionsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		for _, n := range world.databases[s.database].extensions {
			out = append(out, catalog.Name{Name: n})
		}
		return out
	},
	catalog.ExpiredQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		seconds, _ := strconv.ParseFloat(params[1][0], 64)
		before := time.Now().Add(-time.Duration(seconds * float64(time.Second)))
		for _, n := range sortedKeys(world.roles) {
			r := world.roles[n]
			power := r.Superuser || r.CreateRole || r.CreateDB || r.Replication || r.BypassRLS
			if strings.HasPrefix(n, params[0][0]) && r.Login && !power && !r.until.IsZero() && r.until.Before(before) {
				out = append(out, catalog.Expired{Name: n, ValidUntil: r.ValidUntil,
					Sessions: s.count(func(o *session) bool { return o.user == n })})
			}
		}
		return out
	},
	catalog.HoldingsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		for _, n := range params[0] {
			held := world.holdings(n)
			if s.major() >= 16 && world.grantedBy(n) {
				held[""] = append(held[""], "a membership that it granted")
			}
			for _, d := range sortedKeys(held) {
				h := catalog.Holding{Role: n, Database: d}
				if d != "" {
					h.Owner = world.databases[d].Owner
				}
				out = append(out, h)
			}
		}
		return out
	},
	catalog.LockHoldersQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		for k, l := range s.server.advisory {
			if k.database == s.database && strconv.FormatUint(uint64(uint32(k.a)), 10) == params[0][0] &&
				strconv.FormatUint(uint64(uint32(k.b)), 10) == params[0][1] {
				out = append(out, catalog.LockHolder{User: l.holder.user, Superuser: world.roles[l.holder.user].Superuser,
					Application: l.holder.app})
			}
		}
		return out
	},
	catalog.LeftGrantsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		role := params[0][0]
		list := func(kind, identity string, a acl) {
			for _, g := range a {
				left := catalog.LeftGrant{Grantor: string(g.Grantor), Statement: fmt.Sprintf("REVOKE ALL ON %s %s FROM %s CASCADE",
					kind, identity, quote(role))}
				if string(g.Grantee) == role && !slices.Contains(out, any(left)) {
					out = append(out, left)
				}
			}
		}
		for _, n := range sortedKeys(world.databases) {
			list("DATABASE", quote(n), world.databases[n].acl)
		}
		d := world.databases[s.database]
		for _, n := range sortedKeys(d.schemas) {
			list("SCHEMA", quote(n), d.schemas[n].acl)
		}
		for _, n := range sortedKeys(d.tables) {
			list("TABLE", quote(n), d.tables[n].acl)
		}
		for _, f := range d.functions {
			list("ROUTINE", f.Identity, f.acl)
		}
		return out
	},
	catalog.CompanionsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_subscription")
		for _, n := range sortedKeys(world.databases) {
			d := world.databases[n]
			for _, name := range sortedKeys(d.settings) {
				if slices.Contains(params[0], n) {
					out = append(out, catalog.Companion{Database: n, Kind: "setting", Name: name + "=" + d.settings[name]})
				}
			}
		}
		return out
	},
	catalog.ContentsQuery: func(s *session, world *state, _ [][]string) (out []any) {
		d := world.databases[s.database]
		for _, name := range slices.Sorted(slices.Values(d.extensions)) {
			if name != "plpgsql" {
				out = append(out, catalog.Companion{Database: s.database, Kind: "extension", Name: name})
			}
		}
		if n := len(d.tables); n > 0 {
			out = append(out, catalog.Companion{Database: s.database, Kind: "tables", Name: strconv.Itoa(n)})
		}
		return out
	},
	catalog.SessionsQuery: func(s *session, world *state, params [][]string) (out []any) {
		s.needSuperuser("table pg_authid")
		found := map[catalog.Session]int{}
		s.server.mu.Lock()
		for _, o := range s.server.sessions {
			member := slices.ContainsFunc(world.members, func(m catalog.Membership) bool {
				u := world.roles[m.Member]
				return m.Member == o.user && slices.Contains(params[1], m.Role) && !u.CreateRole && !u.Superuser
			})
			if !(o.user == s.user && o.app == s.app) && (member || slices.Contains(params[0], o.database) ||
				slices.Contains(params[1], o.user)) {
				found[catalog.Session{Database: o.database, User: o.user, Application: o.app}]++
			}
		}
		s.server.mu.Unlock()
		sorted := slices.SortedFunc(maps.Keys(found), func(a, b catalog.Session) int {
			return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.User, b.User),
				cmp.Compare(a.Application, b.Application))
		})
		for _, k := range sorted {
			k.Count = found[k]
			out = append(out, k)
		}
		return out
	},
}

func quoteAll(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (s *session) count(is func(*session) bool) (n int) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	for _, o := range s.server.sessions {
		if is(o) {
			n++
		}
	}
	return n
}

func (s *session) superuser() bool { return s.view().roles[s.role].Superuser }
func (s *session) major() int      { return s.server.config.Major }

func (s *session) needSuperuser(what string) {
	if !s.superuser() {
		panic(errorf(codeDenied, "permission denied for %s", what))
	}
}

// shapes are the rows that answer the fixed queries.
var shapes = map[string]any{
	catalog.ServerQuery: catalog.Server{}, catalog.RoomQuery: catalog.Room{}, catalog.SuperusersQuery: catalog.Superuser{},
	catalog.RolesQuery:               catalog.Role{},
	catalog.MembershipsQuery(150000): catalog.MembershipRow{}, catalog.MembershipsQuery(180000): catalog.MembershipRow{},
	catalog.DatabasesQuery(150000): catalog.Database{}, catalog.DatabasesQuery(180000): catalog.Database{},
	catalog.DatabaseGrantsQuery: catalog.DatabaseGrant{}, catalog.AvailableExtensionsQuery: catalog.Extension{},
	catalog.SettingsQuery: catalog.Setting{}, catalog.BelongingsQuery: catalog.Belongings{},
	catalog.PlaceQuery:  catalog.Place{},
	catalog.SchemaQuery: catalog.SchemaGrant{}, catalog.FunctionsQuery: catalog.FunctionGrant{},
	catalog.ExtensionsQuery: catalog.Name{},
	catalog.ExpiredQuery:    catalog.Expired{}, catalog.HoldingsQuery: catalog.Holding{},
	catalog.SessionsQuery: catalog.Session{}, catalog.CompanionsQuery: catalog.Companion{},
	catalog.ContentsQuery: catalog.Companion{}, catalog.LeftGrantsQuery: catalog.LeftGrant{},
	catalog.LockHoldersQuery: catalog.LockHolder{},
}

// queryColumns describes the rows of a fixed query: all columns are of type text here, which makes no
// difference to clients that read text.
func queryColumns(sql string) []column {
	shape, ok := shapes[sql]
	if !ok {
		return nil
	}
	columns := make([]column, len(catalog.Encode(shape)))
	for i := range columns {
		columns[i] = column{fmt.Sprintf("column%d", i+1), oidText}
	}
	return columns
}

// columnsOf describes the rows of a statement that is not run yet; nil when it returns none.
func columnsOf(sql string) []column {
	if columns := queryColumns(sql); columns != nil {
		return columns
	}
	call, isSelect := strings.CutPrefix(strings.ToLower(strings.TrimSpace(sql)), "select ")
	name, isLock := strings.CutPrefix(call, "pg_catalog.pg_try_advisory")
	switch {
	case isSelect && isLock:
		return []column{{"pg_try_advisory" + name[:strings.IndexByte(name, '(')], oidBool}}
	case isSelect && strings.Contains(call, "user_lookup("):
		return lookupColumns
	}
	return nil
}

// paramTypes are the types of a statement's parameters.
func paramTypes(sql string, n int) []uint32 {
	out := make([]uint32, n)
	for i := range out {
		out[i] = oidText
		if strings.Contains(sql, fmt.Sprintf("$%d::text[]", i+1)) {
			out[i] = oidTextArray
		}
	}
	return out
}

var lookupColumns = []column{{"uname", oidText}, {"phash", oidText}}
